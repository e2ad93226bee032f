"""The demonstration: a real border between toy IMS cores on loopback, four stories, each checked against what it tells."""
