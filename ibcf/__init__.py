"""ibcf: the border control function between two IMS networks. Python decides, Rust moves the bytes."""
