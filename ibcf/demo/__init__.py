"""The demonstration: a real border between toy IMS cores on loopback, and four stories that are checked as they go."""
