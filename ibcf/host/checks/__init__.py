"""The checks, by what they look at. Each asks the machine, and yields what it found; none changes anything."""
