"""A SIP message as its lines, for whoever reads one in Python. What carries messages reads them in the core."""

from __future__ import annotations

COMPACT = {
    "a": "accept-contact",
    "b": "referred-by",
    "c": "content-type",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "j": "reject-contact",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "o": "event",
    "r": "refer-to",
    "s": "subject",
    "t": "to",
    "u": "allow-events",
    "v": "via",
    "x": "session-expires",
}
"""Headers by their compact form (RFC 3261 §7.3.3)."""

Headers = dict[str, list[tuple[str, str]]]
"""By the long name in lower case: the name as it was written, and the value; a line each, in their order."""


def split(message: bytes) -> tuple[str, Headers, bytes]:
    """Return the start line, the headers and the body. Folded lines are put together; what is no UTF-8 is escaped."""
    head, _, body = message.lstrip(b"\r\n").partition(b"\r\n\r\n")
    lines: list[str] = []
    for line in head.decode("utf-8", "backslashreplace").split("\r\n"):
        if line[:1] in {" ", "\t"} and len(lines) > 1:
            lines[-1] += f" {line.strip()}"  # a folded header goes on here
        else:
            lines.append(line)
    headers: Headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers.setdefault(key_of(name), []).append((name.strip(), value.strip()))
    return lines[0], headers, body


def key_of(name: str) -> str:
    """Return the name under which a header is found, whatever its case, long or compact.

    >>> key_of("F"), key_of("P-Asserted-Identity ")
    ('from', 'p-asserted-identity')
    """
    key = name.strip().lower()
    return COMPACT.get(key, key)
