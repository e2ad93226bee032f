"""E.164 numbers as ENUM sees them: the Application Unique String and its domain name (RFC 6116 §3.1, §3.2).

Nothing is normalised here: a number that is not E.164 already is the business of the peer's numbering rules.
"""

from __future__ import annotations

import re

from ibcf.errors import NumberingError

DIGITS_MAX = 15
"""Country code included (E.164 §6)."""

_E164 = re.compile(rf"\+[0-9]{{1,{DIGITS_MAX}}}")


def is_e164(number: str) -> bool:
    """Tell whether *number* is ``+`` and 1 to 15 digits: the Application Unique String of RFC 6116 §3.1.

    >>> is_e164("+441632960083"), is_e164("+44-1632"), is_e164("00441632960083")
    (True, False, False)
    """
    return _E164.fullmatch(number) is not None


def check_e164(number: str) -> None:
    """Refuse what is not ``+`` followed by 1 to 15 digits.

    Raises:
        NumberingError: *number* is no Application Unique String.
    """
    if not is_e164(number):
        message = f"{number!r} is not an E.164 number: write + and 1 to {DIGITS_MAX} digits, nothing else"
        raise NumberingError(message)


def enum_domain(number: str, *, apex: str = "e164.arpa") -> str:
    """Return the domain name under which *number* is looked up (ENUM-02).

    Only a number believed to be E.164 may reach DNS (RFC 6116 §3.7); normalising here would hide a peer that sends
    national format.

    >>> enum_domain("+441632960083")
    '3.8.0.0.6.9.2.3.6.1.4.4.e164.arpa'

    Raises:
        NumberingError: *number* is not ``+`` followed by 1 to 15 digits.
    """
    check_e164(number)
    return ".".join((*reversed(number[1:]), apex.strip(".").lower()))


def number_of_domain(domain: str, *, apex: str = "e164.arpa") -> str:
    """Return the number whose records stand at *domain*: the inverse of `enum_domain`.

    >>> number_of_domain("3.8.0.0.6.9.2.3.6.1.4.4.e164.arpa.")
    '+441632960083'

    Raises:
        NumberingError: *domain* is not below *apex*, or its labels are not single digits.
    """
    name = domain.rstrip(".").lower()
    suffix = "." + apex.strip(".").lower()
    labels = name.removesuffix(suffix).split(".")
    number = "+" + "".join(reversed(labels))
    if not name.endswith(suffix) or any(len(label) != 1 for label in labels) or not is_e164(number):
        message = f"{domain!r} is not the name of a number under {apex!r}"
        raise NumberingError(message)
    return number
