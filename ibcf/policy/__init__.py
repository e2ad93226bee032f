"""Policy: a configuration becomes the snapshot that the core evaluates, and is looked over for slips."""
