"""The host that the border runs on: what it gives to a process, and what an operator has to set for us."""
