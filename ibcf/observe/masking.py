"""The one function that hides telephone numbers (ENUM-52): the last four digits of each become `x`."""

from __future__ import annotations

import re
from typing import Final

_HIDDEN: Final = 4

_NUMBER: Final = re.compile(
    r"""
      (?P<global> \+[0-9][0-9\-.()]{3,}+ ) (?! x )                          # +44-1632-960083, wherever it stands
    | (?<! [A-Za-z] ) (?P<scheme> (?: sips?: (?= [^\s<>@]*@ ) | tel: ) )     # without an @ it is a host
      (?P<local> [0-9(][0-9\-.()]{3,}+ ) (?= [@;:?>"'\s] | $ )
    | (?<! [0-9.] ) (?P<domain> (?: [0-9]\. ){5,} ) (?= [A-Za-z] )          # 3.8.0.0.6.9.2.3.6.1.4.4.e164.arpa
    """,
    re.VERBOSE | re.IGNORECASE,
)
_DIGIT: Final = re.compile(r"[0-9]")


def mask_numbers(text: str) -> str:
    """Hide the last four digits of every number in *text*: alone, in sip and tel URIs, and in ENUM names.

    Numbers without ``+`` are known only by the URI they stand in; those of up to four digits (service numbers) stay.

    >>> mask_numbers("sip:+441632960083@ims.example;user=phone")
    'sip:+44163296xxxx@ims.example;user=phone'
    >>> mask_numbers("tel:+44-1632-960-083;ext=12"), mask_numbers("3.8.0.0.6.9.2.3.6.1.4.4.e164.arpa")
    ('tel:+44-1632-96x-xxx;ext=12', 'x.x.x.x.6.9.2.3.6.1.4.4.e164.arpa')
    """
    return _NUMBER.sub(_masked, text)


def _masked(match: re.Match[str]) -> str:
    if (domain := match["domain"]) is not None:
        return _DIGIT.sub("x", domain, count=_HIDDEN)
    prefix = match["scheme"] or ""
    number = match["global"] or match["local"]
    if len(_DIGIT.findall(number)) <= _HIDDEN:
        return match[0]
    return prefix + _DIGIT.sub("x", number[::-1], count=_HIDDEN)[::-1]
