"""DNS as the rest of ibcf sees it: records as plain values, outcome classes, and the one wrapper of aiodns."""
