"""tel URIs (RFC 3966): parse, normalise, compare, and turn into SIP URIs (RFC 3261 §19.1.6).

The text of a URI that crosses the border is never rewritten here; normal forms are for keys and comparison (TEL-01).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from ibcf.errors import NumberingError
from ibcf.numbering.e164 import is_e164

_SEPARATORS: Final = str.maketrans("", "", "-.()")
_GLOBAL: Final = re.compile(r"\+[-.()]*[0-9][0-9\-.()]*")
_LOCAL: Final = re.compile(r"[-.()]*(?:[0-9A-Fa-f*]|%23)(?:[0-9A-Fa-f*\-.()]|%23)*")
_PHONE_DIGITS: Final = re.compile(r"[-.()]*[0-9][0-9\-.()]*")
_DOMAIN: Final = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)*[A-Za-z](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.?")
_NAME: Final = re.compile(r"[A-Za-z0-9-]+")
_VALUE: Final = re.compile(r"(?:[A-Za-z0-9\-_.!~*'()\[\]/:&+$]|%[0-9A-Fa-f]{2})+")
_ISUB: Final = re.compile(r"(?:[A-Za-z0-9\-_.!~*'()/?:@&=+$,]|%[0-9A-Fa-f]{2})+")
_LENGTH_MAX: Final = 1024


def strip_separators(number: str) -> str:
    """Take out the visual separators ``-``, ``.``, ``(`` and ``)``, which mean nothing (RFC 3966 §5.1.1).

    >>> strip_separators("+1(201)555-01.23")
    '+12015550123'
    """
    return number.translate(_SEPARATORS)


@dataclass(frozen=True, slots=True)
class TelUri:
    """A tel URI as written."""

    number: str
    """With its separators, before the first semicolon."""
    parameters: tuple[tuple[str, str | None], ...] = ()
    """Names as written, values still escaped."""

    @property
    def is_global(self) -> bool:
        """Does the number begin with ``+``?"""
        return self.number.startswith("+")

    @property
    def e164(self) -> str | None:
        """The key for ENUM and routing: ``+`` and digits; ``None`` for a local number or one of more than 15 digits."""
        key = strip_separators(self.number)
        return key if is_e164(key) else None

    def parameter(self, name: str) -> str | None:
        """Return the unescaped value of a parameter, ``""`` when it has none, ``None`` when it is absent."""
        wanted = name.lower()
        return next((unquote(value or "") for key, value in self.parameters if key.lower() == wanted), None)

    def normalised(self) -> TelUri:
        """Return the form by which URIs are compared (RFC 3966 §4).

        >>> str(parse("tel:+1-201-555-0123;EXT=1-2;foo=A").normalised())
        'tel:+12015550123;ext=12;foo=a'
        """
        number = strip_separators(self.number).lower()
        return TelUri(number, tuple(sorted(_normal_parameter(name, value) for name, value in self.parameters)))

    def is_equivalent(self, other: TelUri) -> bool:
        """Compare as RFC 3966 §4 says: case, separators and the order of parameters do not count."""
        return self.normalised() == other.normalised()

    def to_sip(self, host: str) -> str:
        """Return the SIP URI for this number at *host* (RFC 3261 §19.1.6).

        Parameters are folded to lower case and put in order, ``isub`` and ``postd`` first, so that equal numbers give
        equal SIP URIs.

        >>> parse("tel:+358-555-1234567;postd=pp22;isub=1411").to_sip("foo.com")
        'sip:+358-555-1234567;isub=1411;postd=pp22@foo.com;user=phone'
        """
        pairs = [(name.lower(), None if value is None else value.lower()) for name, value in self.parameters]
        pairs.sort(key=lambda pair: ({"isub": 0, "postd": 1}.get(pair[0], 2), pair[0]))
        return f"sip:{_user_part(_written(self.number, pairs))}@{host};user=phone"

    def __str__(self) -> str:
        """Write the URI."""
        return "tel:" + _written(self.number, self.parameters)


def parse(text: str) -> TelUri:
    """Read a tel URI.

    Raises:
        NumberingError: it breaks RFC 3966 §3; the words name the part (TEL-02, TEL-03, TEL-05).
    """
    scheme, colon, rest = text.partition(":")
    if not colon or scheme.lower() != "tel":
        raise _fault(text, "it does not begin with tel:")
    if len(text) > _LENGTH_MAX:
        raise _fault(text[:40] + "...", f"it is longer than {_LENGTH_MAX} characters")
    number, *fields = rest.split(";")
    parameters = tuple(_parameter(text, field) for field in fields)
    names = [name.lower() for name, _ in parameters]
    for name in names:
        if names.count(name) > 1:
            raise _fault(text, f"parameter {name} stands twice")
    uri = TelUri(number, parameters)
    if uri.is_global:
        if _GLOBAL.fullmatch(number) is None:
            raise _fault(text, "after + only digits and -.() may stand, and at least one digit")
    elif _LOCAL.fullmatch(number) is None:
        raise _fault(text, "the number holds characters that no number has")
    elif "phone-context" not in names:
        raise _fault(text, "a local number needs phone-context")
    return uri


def _parameter(text: str, field: str) -> tuple[str, str | None]:
    name, equals, value = field.partition("=")
    key = name.lower()
    if _NAME.fullmatch(name) is None:
        raise _fault(text, f"{name!r} is no parameter name")
    if not equals:
        if key in {"ext", "isub", "phone-context"}:
            raise _fault(text, f"{key} needs a value")
        return name, None
    if key == "ext" and _PHONE_DIGITS.fullmatch(value) is None:
        raise _fault(text, "ext must be digits")
    if key == "phone-context" and _GLOBAL.fullmatch(value) is None and _DOMAIN.fullmatch(value) is None:
        raise _fault(text, "phone-context is neither a domain nor the beginning of a global number")
    if (_ISUB if key == "isub" else _VALUE).fullmatch(value) is None:
        raise _fault(text, f"the value of {key} is empty or holds a character that must be escaped")
    return name, value


def _normal_parameter(name: str, value: str | None) -> tuple[str, str | None]:
    key = name.lower()
    if value is None:
        return key, None
    if key == "ext" or (key == "phone-context" and value.startswith("+")):
        value = strip_separators(value)
    return key, value.lower()


def _written(number: str, parameters: tuple[tuple[str, str | None], ...] | list[tuple[str, str | None]]) -> str:
    return number + "".join(f";{name}" if value is None else f";{name}={value}" for name, value in parameters)


def _user_part(text: str) -> str:
    """Escape what a tel URI may hold and the user part of a SIP URI may not (RFC 3261 §25.1, ``user``)."""
    return "".join(f"%{ord(char):02X}" if char in "[]:@" else char for char in text)


def _fault(text: str, problem: str) -> NumberingError:
    return NumberingError(f"{text!r} is not a tel URI: {problem}")
