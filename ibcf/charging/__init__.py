"""Charging: one record for each call, on disk before anything else is promised."""
