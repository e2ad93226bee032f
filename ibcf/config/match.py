"""The matchers of a rule: `match` in the file.

All that is given must hold; a list holds when one of it does; what is left out always holds. `all`, `any` and `not`
hold matchers of their own. What looks at a thing that the request does not have (a number, a header, a body) does not
hold.
"""

from __future__ import annotations

from datetime import time
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import ConfigDict, Field, model_validator

from ibcf.config.listeners import Side, Transport
from ibcf.config.section import Section, exactly_one, one_of_schema
from ibcf.config.values import (
    DomainPattern,
    Grammar,
    Id,
    Method,
    NumberPrefix,
    OneOrMany,
    Parsed,
    Text,
    Token,
    Unique,
    shown,
)

Direction = Literal["exit", "entry"]
Scheme = Literal["sip", "sips", "tel", "urn"]
EnumOutcome = Literal["found", "not_found", "failed"]
Iotl = Literal["homeA-homeB", "visitedA-homeB", "homeA-visitedA", "visitedA-homeA", "homeB-visitedB"]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def parse_number_range(value: object) -> tuple[str, str]:
    """Return both ends of a range of numbers.

    >>> parse_number_range("+441632960000-+441632960999")
    ('+441632960000', '+441632960999')
    """
    first, dash, last = value.partition("-") if isinstance(value, str) else ("", "", "")
    are_numbers = all(end[:1] == "+" and end[1:].isascii() and end[1:].isdecimal() for end in (first, last))
    if not dash or not are_numbers or len(first) > 16:
        raise ValueError(f"must be two global numbers: +441632960000-+441632960999 (got {shown(value)})")
    if len(first) != len(last):
        raise ValueError(f"both ends must have as many digits (got {shown(value)})")
    if first > last:
        raise ValueError(f"the first number is behind the last one: write {last}-{first}")
    return first, last


def parse_number_length(value: object) -> tuple[int, int]:
    """Return the least and the greatest count of digits.

    >>> parse_number_length("7-15"), parse_number_length(12)
    ((7, 15), (12, 12))
    """
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    least, dash, greatest = text.partition("-")
    ends = (least, greatest if dash else least)
    if not all(end.isascii() and end.isdecimal() for end in ends):
        raise ValueError(f"must be a count of digits, or two: 12, 7-15 (got {shown(value)})")
    low, high = int(ends[0]), int(ends[1])
    if not 1 <= low <= high <= 15:
        raise ValueError(f"a number has 1 to 15 digits, the lower count first (got {shown(value)})")
    return low, high


def parse_time_of_day(value: object) -> time:
    """Return the time of day that *value* names; 24:00 is the end of the day.

    >>> parse_time_of_day("08:30")
    datetime.time(8, 30)
    """
    hour, colon, minute = value.partition(":") if isinstance(value, str) else ("", "", "")
    is_form = colon and len(minute) == 2 and hour.isascii() and hour.isdecimal() and minute.isdecimal()
    if is_form and (int(hour), int(minute)) == (24, 0):
        return time.max
    if not is_form or int(hour) > 23 or int(minute) > 59:
        raise ValueError(f'must be a time of day in quotes: "08:00", "17:30", "24:00" (got {shown(value)})')
    return time(int(hour), int(minute))


def parse_days(value: object) -> tuple[Day, ...]:
    """Return the days that a name or a span names.

    >>> parse_days("fri-mon")
    ('fri', 'sat', 'sun', 'mon')
    """
    first, dash, last = value.partition("-") if isinstance(value, str) else ("", "", "")
    known = list[str](DAYS)
    if first not in known or (dash and last not in known):
        raise ValueError(f"must be a day or a span of days: mon, sat, mon-fri (got {shown(value)})")
    begin, count = known.index(first), (known.index(last) - known.index(first)) % 7 + 1 if dash else 1
    return tuple(DAYS[(begin + at) % 7] for at in range(count))


def parse_zone(value: object) -> ZoneInfo:
    """Return the time zone that *value* names."""
    if not isinstance(value, str) or value not in available_timezones():
        raise ValueError(f"must be a time zone of the IANA database: Europe/London, UTC (got {shown(value)})")
    return ZoneInfo(value)


NumberRange = Annotated[
    tuple[str, str], Parsed(parse_number_range, {"type": "string", "pattern": r"^\+[0-9]{1,15}-\+[0-9]{1,15}$"})
]
NumberLength = Annotated[
    tuple[int, int],
    Parsed(parse_number_length, {"anyOf": [{"type": "integer"}, {"type": "string", "pattern": "^[0-9]+(-[0-9]+)?$"}]}),
]
TimeOfDay = Annotated[time, Parsed(parse_time_of_day, {"type": "string", "pattern": "^[0-2]?[0-9]:[0-5][0-9]$"})]
Days = Annotated[tuple[Day, ...], Parsed(parse_days, {"type": "string", "examples": ["mon-fri"]})]
Zone = Annotated[ZoneInfo, Parsed(parse_zone, {"type": "string", "examples": ["Europe/London"]})]
MimeType = Annotated[
    str,
    Grammar(r"[A-Za-z0-9!#$&^_.+-]+/(?:\*|[A-Za-z0-9!#$&^_.+-]+)", "a MIME type: application/sdp, application/*", 127),
]
ResourcePriority = Annotated[str, Grammar(r"[A-Za-z0-9\-!%*_+`'~]+(?:\.[A-Za-z0-9\-!%*_+`'~]+)?", "ets.0 or ets", 64)]
Many = (Field(min_length=1), Unique, OneOrMany)


class NumberList(Section):
    """Membership of a list of section `lists`."""

    list: Id
    """Its id."""
    class_: Annotated[tuple[Id, ...], Field(min_length=1), Unique, OneOrMany] | None = Field(None, alias="class")
    """Classes, one of which the longest entry that fits must have; any when left out."""


class HeaderMatch(Section):
    """What is asked of a header; of several values one has to pass."""

    model_config = ConfigDict(json_schema_extra=one_of_schema("present", "equals", "regex"))

    name: Token
    """Name of the header; a compact form is the long one."""
    parameter: Token | None = None
    """A parameter of its values, instead of the values themselves."""
    present: bool | None = None
    """Is it there?"""
    equals: Annotated[tuple[Text, ...], Field(min_length=1), Unique, OneOrMany] | None = None
    """Values, one of which it must be, without regard to case."""
    regex: Annotated[str, Field(min_length=1, max_length=1024)] | None = None
    """Expression that must match somewhere in it."""

    @model_validator(mode="after")
    def check_one(self) -> Self:
        """Refuse two tests, or none."""
        exactly_one(self, "present", "equals", "regex")
        return self


class TimeMatch(Section):
    """A time of the week."""

    zone: Zone
    """Time zone of the IANA database; changes of its clocks are followed."""
    days: Annotated[tuple[Days, ...], Field(min_length=1), OneOrMany] = (DAYS,)
    """Days on which it begins: mon, sat, mon-fri."""
    from_: TimeOfDay = Field(time.min, alias="from")
    """First minute."""
    to: TimeOfDay = time.max
    """Up to but without this minute; one that is not later than `from` is of the next day."""


class Match(Section):
    """All that is given must hold; a list holds when one of it does; what is left out always holds."""

    peer: Annotated[tuple[Id, ...], *Many] | None = None
    """Peers that the request came from."""
    side: Side | None = None
    """Side that it came from."""
    direction: Direction | None = None
    """`exit` goes from our core to another network, `entry` comes from one."""
    listener: Annotated[tuple[Id, ...], *Many] | None = None
    """Listeners that it came to."""
    transport: Annotated[tuple[Transport, ...], *Many] | None = None
    """Transports that it came over."""
    trusted: bool | None = None
    """Is its sender in our trust domain?"""
    method: Annotated[tuple[Method, ...], *Many] | None = None
    """Methods."""
    scheme: Annotated[tuple[Scheme, ...], *Many] | None = None
    """Schemes of the Request-URI, as ENUM left it."""
    domain: Annotated[tuple[DomainPattern, ...], *Many] | None = None
    """Hosts of the Request-URI, as ENUM left it; `*.a.example` stands for all below."""
    user: Annotated[tuple[str, ...], *Many] | None = None
    """Expressions, one of which matches the user part of the Request-URI, as ENUM left it."""
    number_prefix: Annotated[tuple[NumberPrefix, ...], *Many] | None = None
    """Beginnings of the global number that is called: "+44", "+4490"."""
    number_range: Annotated[tuple[NumberRange, ...], *Many] | None = None
    """Ranges that it is in: +441632960000-+441632960999."""
    number_length: NumberLength | None = None
    """How many digits it has: 12, 7-15."""
    number_list: Annotated[tuple[Id | NumberList, ...], Field(min_length=1), OneOrMany] | None = None
    """Lists of section `lists` that it is in."""
    calling_prefix: Annotated[tuple[NumberPrefix, ...], *Many] | None = None
    """The same of the number that calls: of P-Asserted-Identity where its sender is trusted, else of From."""
    calling_range: Annotated[tuple[NumberRange, ...], *Many] | None = None
    """Ranges that the calling number is in."""
    calling_length: NumberLength | None = None
    """How many digits it has."""
    calling_list: Annotated[tuple[Id | NumberList, ...], Field(min_length=1), OneOrMany] | None = None
    """Lists that it is in."""
    header: Annotated[tuple[HeaderMatch, ...], Field(min_length=1), OneOrMany] | None = None
    """Headers; all of them must hold."""
    body_type: Annotated[tuple[MimeType, ...], *Many] | None = None
    """Types of the body, or of a part of it."""
    media: Annotated[tuple[Token, ...], *Many] | None = None
    """Media of the session description: audio, video."""
    codec: Annotated[tuple[Token, ...], *Many] | None = None
    """Codecs of the session description, by their encoding names: AMR-WB."""
    option_tag: Annotated[tuple[Token, ...], *Many] | None = None
    """Option tags in Require, Proxy-Require or Supported."""
    resource_priority: Annotated[tuple[ResourcePriority, ...], *Many] | None = None
    """Values of Resource-Priority, or their namespaces: ets.0, wps."""
    emergency: bool | None = None
    """Is it for an emergency service (urn:service:sos)?"""
    enum: Annotated[tuple[EnumOutcome, ...], *Many] | None = None
    """What the last look-up led to; never holds before one."""
    iotl: Annotated[tuple[Iotl, ...], *Many] | None = None
    """Traversal scenarios (TS 29.165 table 5.3.2.1) that the Request-URI names."""
    time: Annotated[tuple[TimeMatch, ...], Field(min_length=1), OneOrMany] | None = None
    """Times of the week."""
    percentage: Annotated[float, Field(ge=0.01, le=100)] | None = None
    """So many of a hundred calls, told by their Call-ID: the same ones on every node, in every rule, however often."""
    set: Annotated[tuple[Id, ...], *Many] | None = None
    """Sets of section `sets` that it is in."""
    all: Annotated[tuple[Match, ...], Field(min_length=1)] | None = None
    """All of these hold."""
    any: Annotated[tuple[Match, ...], Field(min_length=1)] | None = None
    """One of these holds."""
    not_: Match | None = Field(None, alias="not")
    """This does not hold."""


def given(match: Match) -> dict[str, Any]:
    """Return the matchers that were given, by their names in the file."""
    fields = type(match).model_fields
    return {fields[name].alias or name: getattr(match, name) for name in sorted(match.model_fields_set)}
