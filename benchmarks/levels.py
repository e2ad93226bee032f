"""The three levels of work, and what shows that they were done."""

from __future__ import annotations

RELAY, BORDER, NUMBERS = LEVELS = (1, 2, 3)
"""Relay; border: screening, edits, charging; border with ENUM."""

GONE = ("P-Access-Network-Info", "P-Charging-Function-Addresses", "P-Asserted-Service", "User-Agent")
"""Headers that a border does not let out."""
NETWORK = "peer1.example"
"""Host of every Request-URI behind a border without ENUM; with it, the number says which."""
CHARGED = "orig-ioi="
"""What a border adds to P-Charging-Vector."""
