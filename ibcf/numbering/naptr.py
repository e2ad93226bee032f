"""NAPTR records as ENUM rules (RFC 6116 §3, §5.2; RFC 3402 §3.2; RFC 3403 §4).

Pure: records in, URIs out. What a record is worth is one value, `Judgement`, that also says in words why the record was
not taken, because a skipped record is the first thing that an operator asks about.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from ibcf.errors import NumberingError
from ibcf.numbering import tel
from ibcf.numbering.ere import Ere, EreError, compile_ere

if TYPE_CHECKING:
    from ibcf.dns.records import Naptr

_ENUMSERVICE: Final = re.compile(r"[a-z0-9-]{1,32}(?::[a-z0-9-]{1,32})*")
_LABEL: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(.+)", re.DOTALL)
_SIP: Final = re.compile(
    r"""sips?:
    (?: (?:[A-Za-z0-9\-_.!~*'()&=+$,;?/:] | %[0-9A-Fa-f]{2})+ @ )?        # user and password
    (?: [A-Za-z0-9.-]+ | \[[0-9A-Fa-f:.]+\] )                              # host
    (?: : [0-9]{1,5} )?
    (?: ; (?:[A-Za-z0-9\-_.!~*'()\[\]/:&+$=] | %[0-9A-Fa-f]{2})+ )*        # parameters
    """,
    re.VERBOSE | re.IGNORECASE,
)
_URI_LENGTH_MAX: Final = 1024
_NAME_LENGTH_MAX: Final = 253


@dataclass(frozen=True, slots=True)
class Rules:
    """What the operator wants of the records of one ENUM service."""

    services: tuple[str, ...] = ("sip", "pstn:sip")
    """Enumservices that may be used, lower case."""
    follow_non_terminal: bool = True
    accept_rfc2916: bool = True
    """Accept `sip+E2U` for `E2U+sip` (ENUM-12)."""
    private_services: bool = False
    """Is this apex one for which types that begin with `P-` are meant (ENUM-13)?"""
    lenient: bool = False
    r"""Read a misplaced `+` literally and `\d` as a digit (RX-15, RX-17)."""


class Skip(StrEnum):
    """Why a record is not used."""

    FLAGS = "flags"
    SERVICE = "service"
    REGEXP = "regexp"
    NO_MATCH = "no_match"
    URI = "uri"
    REPLACEMENT = "replacement"
    NON_TERMINAL = "non_terminal"
    LOOP = "loop"
    HOPS = "hops"
    ORDER = "order"
    DEAD_END = "dead_end"
    ENOUGH = "enough"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one record means for one number: a URI, another name to ask, or nothing."""

    record: Naptr
    uri: str | None = None
    next_name: str | None = None
    skip: Skip | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Substitution:
    """A parsed expression: `delimiter ERE delimiter replacement delimiter flags`."""

    ere: Ere
    replacement: tuple[str | int, ...] = field(default=())
    """Text, and the numbers of back-references."""

    def apply(self, subject: str) -> str | None:
        """Return *subject* with its leftmost match replaced, as sed does; ``None`` when there is no match."""
        match = self.ere.search(subject)
        if match is None:
            return None
        parts = (part if isinstance(part, str) else match.groups[part - 1] or "" for part in self.replacement)
        return subject[: match.start] + "".join(parts) + subject[match.end :]


def in_order(records: tuple[Naptr, ...]) -> list[Naptr]:
    """Sort by ORDER, then PREFERENCE; equal pairs stay as they came (ENUM-15)."""
    return sorted(records, key=lambda record: (record.order, record.preference))


class _NotUsableError(Exception):
    """Ends the look at one record."""

    def __init__(self, skip: Skip, detail: str) -> None:
        super().__init__(detail)
        self.skip = skip


def judge(record: Naptr, number: str, rules: Rules) -> Judgement:
    """Say what *record* means for *number* (the Application Unique String).

    The flags decide first, before any other field is looked at (ENUM-10).
    """
    if record.flags == "":
        return _judge_non_terminal(record, rules)
    try:
        return Judgement(record, uri=_uri_of(record, number, rules))
    except _NotUsableError as reason:
        return Judgement(record, skip=reason.skip, detail=str(reason))


def _uri_of(record: Naptr, number: str, rules: Rules) -> str:
    if record.flags not in {"u", "U"}:
        raise _NotUsableError(Skip.FLAGS, f'flags "{record.flags}": only "u" and "" have a meaning in ENUM')
    try:
        services = wanted_services(record.service, rules)
    except NumberingError as error:
        raise _NotUsableError(Skip.SERVICE, str(error)) from error
    if not services:
        wanted = ", ".join(rules.services)
        raise _NotUsableError(Skip.SERVICE, f'service field "{record.service}": none of {wanted}')
    if record.regexp == "" or record.replacement != "":
        raise _NotUsableError(Skip.REGEXP, "a terminal record needs a regexp, and no replacement but the root")
    try:
        uri = parse_substitution(record.regexp, lenient=rules.lenient).apply(number)
    except NumberingError as error:
        raise _NotUsableError(Skip.REGEXP, str(error)) from error
    if uri is None:
        raise _NotUsableError(Skip.NO_MATCH, "the expression does not match the number")
    try:
        check_uri(uri, services)
    except NumberingError as error:
        raise _NotUsableError(Skip.URI, str(error)) from error
    return uri


def _judge_non_terminal(record: Naptr, rules: Rules) -> Judgement:
    if not rules.follow_non_terminal:
        return Judgement(record, skip=Skip.NON_TERMINAL, detail="non-terminal records are not followed here")
    name = record.replacement.rstrip(".").lower()
    if not is_name(name):
        detail = f'replacement "{record.replacement}": a non-terminal record needs a domain name'
        return Judgement(record, skip=Skip.REPLACEMENT, detail=detail)
    return Judgement(record, next_name=name)


def is_name(name: str) -> bool:
    """Tell whether *name* can be asked for in DNS."""
    return len(name) <= _NAME_LENGTH_MAX and all(_LABEL.fullmatch(label) for label in name.split("."))


def wanted_services(text: str, rules: Rules) -> tuple[str, ...]:
    """Return those enumservices of a service field that the rules want, in the order of the field (ENUM-11 to ENUM-14).

    >>> wanted_services("E2U+pstn:sip+sip", Rules())
    ('pstn:sip', 'sip')

    Raises:
        NumberingError: it is no service field.
    """
    first, *rest = text.lower().split("+")
    if first != "e2u":
        if not (rules.accept_rfc2916 and rest and rest[-1] == "e2u"):
            message = f'service field "{text}" is not of the form E2U+type'
            raise NumberingError(message)
        rest = [first, *rest[:-1]]
    if not rest or not all(_ENUMSERVICE.fullmatch(service) for service in rest):
        message = f'service field "{text}" names no well-formed enumservice'
        raise NumberingError(message)
    wanted = (service for service in rest if service in rules.services)
    return tuple(service for service in wanted if rules.private_services or not service.startswith("p-"))


@lru_cache(maxsize=1024)
def parse_substitution(text: str, *, lenient: bool = False) -> Substitution:
    """Read a regexp field.

    Raises:
        EreError: it breaks RFC 3402 §3.2, or its expression POSIX.
    """
    if not text.isascii() or "\0" in text:
        message = "the regexp holds bytes outside ASCII"
        raise EreError(message)
    delimiter = text[:1]
    if delimiter == "" or delimiter in "0123456789i\\":
        message = f"{delimiter!r} cannot be a delimiter"
        raise EreError(message)
    fields = _split(text[1:], delimiter)
    if len(fields) != 3:  # expression, replacement, flags
        message = f"the regexp has {len(fields)} delimiters instead of three"
        raise EreError(message)
    pattern, replacement, flags = fields
    if flags not in {"", "i"}:
        message = f'unknown flag "{flags}" behind the regexp'
        raise EreError(message)
    if pattern == "":
        message = "the expression is empty"
        raise EreError(message)
    ere = compile_ere(_literal_delimiter(pattern, delimiter), ignore_case=flags == "i", lenient=lenient)
    return Substitution(ere, _parse_replacement(replacement, ere.groups))


def _split(text: str, delimiter: str) -> list[str]:
    """Split at unescaped delimiters; escapes stay."""
    fields = [""]
    at = 0
    while at < len(text):
        width = 2 if text[at] == "\\" else 1
        if text[at] == delimiter:
            fields.append("")
        else:
            fields[-1] += text[at : at + width]
        at += width
    return fields


def _literal_delimiter(pattern: str, delimiter: str) -> str:
    """Take the backslash from an escaped delimiter that is a letter; for others it says "literal" in an ERE too."""
    if not delimiter.isalnum():
        return pattern
    return re.sub(r"\\(.)", lambda pair: delimiter if pair[1] == delimiter else pair[0], pattern)


def _parse_replacement(text: str, groups: int) -> tuple[str | int, ...]:
    parts: list[str | int] = []
    at = 0
    while at < len(text):
        char = text[at]
        if char == "\\":
            at += 1
            char = text[at : at + 1]
            if char.isdigit():
                number = int(char)
                if not 1 <= number <= groups:
                    message = f"back-reference \\{char}: the expression has {groups} groups"
                    raise EreError(message)
                parts.append(number)
                at += 1
                continue
        parts.append(char)
        at += 1
    return tuple(parts)


def check_uri(uri: str, services: tuple[str, ...]) -> None:
    """Refuse a result that is no URI, not of a scheme of *services*, or that carries more than an address.

    A zone must not be able to put headers or line ends into our messages (RX-20, SEC-31).

    Raises:
        NumberingError: in words.
    """
    if len(uri) > _URI_LENGTH_MAX:
        message = f"the result is longer than {_URI_LENGTH_MAX} characters"
        raise NumberingError(message)
    if not all("!" <= char <= "~" for char in uri):
        message = "the result holds a blank, a control character or a byte outside ASCII"
        raise NumberingError(message)
    match = _SCHEME.fullmatch(uri)
    if match is None:
        message = f'the result "{uri}" has no scheme'
        raise NumberingError(message)
    scheme = match[1].lower()
    if not any(scheme in schemes_of(service) for service in services):
        message = f"the result is a {scheme} URI, which service {' or '.join(services)} cannot mean"
        raise NumberingError(message)
    if scheme == "tel":
        tel.parse(uri)
    elif scheme in {"sip", "sips"}:
        if "?" in uri.rpartition("@")[2]:
            message = "the result carries headers"
            raise NumberingError(message)
        if _SIP.fullmatch(uri) is None:
            message = f'the result "{uri}" is not a SIP URI'
            raise NumberingError(message)


def schemes_of(service: str) -> frozenset[str]:
    """Return the URI schemes that an enumservice may lead to: its last label names it.

    >>> sorted(schemes_of("pstn:sip")), sorted(schemes_of("voice:tel"))
    (['sip', 'sips'], ['tel'])
    """
    last = service.rpartition(":")[2]
    return frozenset({"sip", "sips"}) if last == "sip" else frozenset({last})
