"""The words of the configuration: `32s`, `64KiB`, `10.0.0.0/24`, `127.0.0.1:5060`, ids, methods, tokens.

Each is parsed once, here, into a value that carries its meaning; the texts of the errors say what would be right.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BeforeValidator, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

T = TypeVar("T")

_DURATION_UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)(ms|s|m|h|d)")
_SIZE_UNITS = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_SIZE = re.compile(r"([0-9]{1,12})(B|KiB|MiB|GiB)")
_RATE = re.compile(r"([0-9]{1,7})/(s|m|h|d)")
_HOST_PORT = re.compile(r"(?:\[(?P<six>[^\]]*)\]|(?P<four>[^:\[\]]*))(?::(?P<port>[0-9]{1,5}))?")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

FREQUENCY_MAX = 1_000_000

_WORD = r"[A-Za-z0-9\-.!%*_+`'~]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = rf"{_LABEL}(?:\.{_LABEL})*\.?"
_SERVICE = r"[A-Za-z0-9][A-Za-z0-9-]{0,31}(?::[A-Za-z0-9][A-Za-z0-9-]{0,31})?"


def shown(value: object) -> str:
    """Return *value* as it may be repeated in an error: short, and quoted when it is text."""
    if isinstance(value, dict | tuple):
        return "a mapping" if isinstance(value, dict) else "a list"
    text = f'"{value}"' if isinstance(value, str) else "nothing" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


@dataclass(frozen=True, slots=True, eq=False)
class Parsed:
    """Marks a type that a function makes of the text in the file."""

    parse: Callable[[object], object]
    schema: dict[str, Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate by `parse` alone."""
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Describe the text, not what it becomes."""
        return dict(self.schema)


@dataclass(frozen=True, slots=True, eq=False)
class Grammar:
    """Marks text that must match *pattern* as a whole; *wanted* says so in words."""

    pattern: str
    wanted: str
    length_max: int = 255

    def check(self, text: str) -> str:
        """Return *text*, or raise a `ValueError` that says what is wanted."""
        if len(text) > self.length_max:
            raise ValueError(f"is longer than {self.length_max} characters")
        if not re.fullmatch(self.pattern, text):
            raise ValueError(f"must be {self.wanted} (got {shown(text)})")
        return text

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Check behind the check that it is text."""
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Add the pattern."""
        return {**handler(schema), "pattern": f"^(?:{self.pattern})$", "maxLength": self.length_max}


@dataclass(frozen=True, slots=True, eq=False)
class Within:
    """Marks the bounds of a duration or a size, both inclusive."""

    low: Any
    high: Any

    def check(self, value: Any) -> Any:
        """Return *value*, or raise a `ValueError` that names the bounds."""
        if not self.low <= value <= self.high:
            raise ValueError(f"must be from {written(self.low)} to {written(self.high)} (got {written(value)})")
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Check what came of the text."""
        return core_schema.no_info_after_validator_function(self.check, handler(source))


class Size(int):
    """A number of bytes that prints as it was written: `64KiB`."""

    __slots__ = ()

    def __str__(self) -> str:
        """Return the number in the largest unit that leaves no rest."""
        unit = next(unit for unit in reversed(_SIZE_UNITS) if self % _SIZE_UNITS[unit] == 0)
        return f"{int(self) // _SIZE_UNITS[unit]}{unit}" if self else "0B"


@dataclass(frozen=True, slots=True)
class Frequency:
    """So many in a time."""

    count: int
    period: timedelta


@dataclass(frozen=True, slots=True)
class HostPort:
    """An IP address and a port."""

    address: IPv4Address | IPv6Address
    port: int

    def __str__(self) -> str:
        """Return `127.0.0.1:5060` or `[::1]:5060`."""
        return f"[{self.address}]:{self.port}" if self.address.version == 6 else f"{self.address}:{self.port}"


def written(value: object) -> str:
    """Return *value* as it is written in the file.

    >>> written(timedelta(milliseconds=1500)), written(Size(65536))
    ('1500ms', '64KiB')
    """
    if isinstance(value, timedelta):
        count = milliseconds(value)
        unit = next(unit for unit in reversed(_DURATION_UNITS_MS) if count % _DURATION_UNITS_MS[unit] == 0)
        return f"{count // _DURATION_UNITS_MS[unit]}{unit}" if count else "0s"
    return str(value)


def milliseconds(duration: timedelta) -> int:
    """Return *duration* as the number that crosses to the core."""
    return duration // timedelta(milliseconds=1)


def parse_duration(value: object) -> timedelta:
    """Return the duration that *value* stands for.

    >>> parse_duration("1.5s")
    datetime.timedelta(seconds=1, microseconds=500000)
    """
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"must be a duration with its unit: 500ms, 32s, 5m, 1h, 7d (got {shown(value)})")
    count = float(match[1]) * _DURATION_UNITS_MS[match[2]]
    if count > 3650 * _DURATION_UNITS_MS["d"]:
        raise ValueError(f"is longer than 3650d (got {shown(value)})")
    if count != int(count):
        raise ValueError(f"must be whole milliseconds (got {shown(value)})")
    return timedelta(milliseconds=int(count))


def parse_size(value: object) -> Size:
    """Return the number of bytes that *value* stands for.

    >>> int(parse_size("64KiB"))
    65536
    """
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"must be a size with its unit: 512B, 64KiB, 16MiB, 1GiB (got {shown(value)})")
    return Size(int(match[1]) * _SIZE_UNITS[match[2]])


def parse_rate(value: object) -> Frequency:
    """Return the rate that *value* stands for.

    >>> parse_rate("100/m")
    Frequency(count=100, period=datetime.timedelta(seconds=60))
    """
    match = _RATE.fullmatch(value) if isinstance(value, str) else None
    if match is None or not 1 <= int(match[1]) <= FREQUENCY_MAX:
        raise ValueError(
            f"must be a number from 1 to {FREQUENCY_MAX} and a time: 5/s, 100/m, 30/h (got {shown(value)})"
        )
    return Frequency(int(match[1]), timedelta(milliseconds=_DURATION_UNITS_MS[match[2]]))


def parse_network(value: object) -> IPv4Network | IPv6Network:
    """Return the network that *value* names; an address alone is a network of one."""
    if not isinstance(value, str):
        raise ValueError(f"must be a network: 192.0.2.0/24, 2001:db8::/64 (got {shown(value)})")  # noqa: TRY004  # pydantic collects ValueErrors
    try:
        return ip_network(value)
    except ValueError:
        pass
    try:
        network = ip_network(value, strict=False)
    except ValueError:
        raise ValueError(f"must be a network: 192.0.2.0/24, 2001:db8::/64 (got {shown(value)})") from None
    raise ValueError(f"has bits set behind its length: write {network} or {value.partition('/')[0]}")


def parse_bind_address(value: object) -> HostPort:
    """Return the address and port that *value* names; port 0 lets the system choose."""
    match = _HOST_PORT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"must be an IP address and a port: 127.0.0.1:5060, [::1]:5060 (got {shown(value)})")
    try:
        address = ip_address(match["six"] if match["six"] is not None else match["four"])
    except ValueError:
        raise ValueError(
            f"must be an IP address and a port, host names are not looked up here (got {shown(value)})"
        ) from None
    if isinstance(address, IPv6Address) and (match["six"] is None or address.scope_id):
        raise ValueError(f"an IPv6 address stands in brackets and has no zone: [::1]:5060 (got {shown(value)})")
    if isinstance(address, IPv4Address) and match["six"] is not None:
        raise ValueError(f"only an IPv6 address stands in brackets (got {shown(value)})")
    if match["port"] is None:
        raise ValueError(f"needs a port: {match[0]}:5060 (got {shown(value)})")
    port = int(match["port"])
    if port > 65_535:
        raise ValueError(f"the port must be ≤ 65535 (got {port})")
    return HostPort(address, port)


def parse_host_port(value: object) -> HostPort:
    """Return the address and port that *value* names, which must be one that a datagram can be sent to."""
    place = parse_bind_address(value)
    if place.port == 0:
        raise ValueError(f"the port must be from 1 to 65535 (got {shown(value)})")
    if place.address.is_unspecified or place.address.is_multicast:
        raise ValueError(f"must be the address of one host (got {shown(value)})")
    return place


def _beside_the_file(value: object, info: ValidationInfo) -> object:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError("must be the path of a file")
    directory: Path = (info.context or {}).get("directory", Path())
    return directory / value


def _no_control_characters(text: str) -> str:
    if found := _CONTROL.search(text):
        raise ValueError(f"a control character ({found[0]!r}) cannot stand here: it would start another header")
    return text


def _listed(value: object) -> object:
    return value if isinstance(value, tuple) or value is None else (value,)


class _OneOrMany:
    """Lets a lone value stand for a list of one."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(_listed, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        listed = handler(schema)
        return {"anyOf": [listed["items"], listed]}


def _whole_seconds(value: timedelta) -> timedelta:
    if value % timedelta(seconds=1):
        raise ValueError(f"must be whole seconds (got {written(value)})")
    return value


def _unique(items: tuple[T, ...]) -> tuple[T, ...]:
    for at, item in enumerate(items):
        if item in items[:at]:
            raise ValueError(f"{shown(item)} stands twice")
    return items


Duration = Annotated[timedelta, Parsed(parse_duration, {"type": "string", "pattern": rf"^{_DURATION.pattern}$"})]
SizeBytes = Annotated[Size, Parsed(parse_size, {"type": "string", "pattern": rf"^{_SIZE.pattern}$"})]
Rate = Annotated[Frequency, Parsed(parse_rate, {"type": "string", "pattern": rf"^{_RATE.pattern}$"})]
Cidr = Annotated[IPv4Network | IPv6Network, Parsed(parse_network, {"type": "string", "examples": ["192.0.2.0/24"]})]
BindAddress = Annotated[HostPort, Parsed(parse_bind_address, {"type": "string", "examples": ["127.0.0.1:0"]})]
Address = Annotated[HostPort, Parsed(parse_host_port, {"type": "string", "examples": ["192.0.2.1:5060"]})]
FilePath = Annotated[Path, BeforeValidator(_beside_the_file, json_schema_input_type=str)]

Id = Annotated[str, Grammar(r"[A-Za-z0-9][A-Za-z0-9_-]*", 'an id of letters, digits, "_" and "-"', 64)]
Token = Annotated[str, Grammar(_WORD, "a token of SIP (RFC 3261 §25.1): no blanks, no separators")]
Method = Annotated[str, Grammar(r"[A-Z0-9\-.!%*_+`'~]+", "a SIP method in capitals: INVITE, MESSAGE", 32)]
Domain = Annotated[str, Grammar(_DOMAIN, "a domain name: ims.a.example")]
DomainPattern = Annotated[
    str,
    Grammar(rf"(?:\*\.)?{_DOMAIN}|\[[0-9A-Fa-f:.]+\]", "a host or *. and a domain: a.example, *.a.example, 192.0.2.1"),
]
NumberPrefix = Annotated[str, Grammar(r"\+[0-9]{1,15}", 'the beginning of a global number: "+44", "+4490"', 16)]
EnumServiceType = Annotated[str, Grammar(_SERVICE, "an enumservice, type or type:subtype: sip, pstn:sip", 65)]
Text = Annotated[str, AfterValidator(_no_control_characters)]
WholeSeconds = AfterValidator(_whole_seconds)
"""For headers that count in seconds."""
Unique = AfterValidator(_unique)
OneOrMany = _OneOrMany()
