"""Where the servers of a domain are: RFC 3263 with RFC 2782 and RFC 7984, and the watch that keeps peers located."""
