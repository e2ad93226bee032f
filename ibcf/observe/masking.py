"""The one function that hides telephone numbers (ENUM-52): the last four digits of each become `x`.

Every string of every log line goes through it, a dozen a call, so each form of number is only looked for where the one
character is that it cannot be without; the patterns begin with that character, which `re` finds at the speed of memchr.
"""

from __future__ import annotations

import re
from typing import Final

_HIDDEN: Final = 4

_GLOBAL: Final = re.compile(r"\+[0-9][0-9\-.()]{3,}+(?!x)")
"""+44-1632-960083, wherever it stands."""
_LOCAL: Final = re.compile(r""":(?P<number>[0-9(][0-9\-.()]{3,}+)(?=[@;:?>"'\s]|$)(?=(?P<user>[^\s<>@]*@)?)""")
"""After a scheme: 01632960083 of a tel URI, or of a sip URI with a user part (without an @ it is a host)."""
_SCHEME: Final = re.compile(r"(?<![A-Za-z])(?:sips?|tel)$", re.IGNORECASE)
_DOMAIN: Final = re.compile(r"(?<![0-9.])(?:[0-9]\.){5,}(?=[A-Za-z])")
"""3.8.0.0.6.9.2.3.6.1.4.4.e164.arpa."""
_DIGIT: Final = re.compile(r"[0-9]")


def mask_numbers(text: str) -> str:
    """Hide the last four digits of every number in *text*: alone, in sip and tel URIs, and in ENUM names.

    Numbers without ``+`` are known only by the URI they stand in; those of up to four digits (service numbers) stay.

    >>> mask_numbers("sip:+441632960083@ims.example;user=phone")
    'sip:+44163296xxxx@ims.example;user=phone'
    >>> mask_numbers("tel:+44-1632-960-083;ext=12"), mask_numbers("3.8.0.0.6.9.2.3.6.1.4.4.e164.arpa")
    ('tel:+44-1632-96x-xxx;ext=12', 'x.x.x.x.6.9.2.3.6.1.4.4.e164.arpa')
    """
    if "+" in text:
        text = _GLOBAL.sub(_masked_global, text)
    if ":" in text:
        text = _LOCAL.sub(_masked_local, text)
    if text.count(".") >= 5:
        text = _DOMAIN.sub(_masked_domain, text)
    return text


def _masked_global(match: re.Match[str]) -> str:
    return _masked(match[0])


def _masked_local(match: re.Match[str]) -> str:
    scheme = _SCHEME.search(match.string, max(0, match.start() - 5), match.start())
    if scheme is None or (scheme[0][0] in "sS" and match["user"] is None):
        return match[0]
    return f":{_masked(match['number'])}"


def _masked_domain(match: re.Match[str]) -> str:
    return _DIGIT.sub("x", match[0], count=_HIDDEN)


def _masked(number: str) -> str:
    tail = number[-_HIDDEN:]
    if tail.isdecimal():  # no separator among them: the usual case
        return number if len(_DIGIT.findall(number)) <= _HIDDEN else number[:-_HIDDEN] + "x" * _HIDDEN
    if len(_DIGIT.findall(number)) <= _HIDDEN:
        return number
    return _DIGIT.sub("x", number[::-1], count=_HIDDEN)[::-1]
