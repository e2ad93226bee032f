"""Numbering: E.164 numbers, tel URIs, NAPTR rules and the ENUM resolver. All but the resolver's sources is pure."""
