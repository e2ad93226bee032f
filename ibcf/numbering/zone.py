"""A static zone file: RFC 1035 §5.1 as far as NAPTR needs it.

``$ORIGIN``, ``$TTL``, comments, parentheses, quoted strings with escapes, omitted owner, TTL and class, wildcards
(RFC 1034 §4.3.3). SOA, NS, A, AAAA and TXT are read over, so that the file a name server loads can be used as it is;
anything else is refused with ``file:line``, because leaving it out silently would change what the zone means.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ibcf.dns.records import Class, Naptr, RecordSet
from ibcf.errors import NumberingError

if TYPE_CHECKING:
    from collections.abc import Iterator

_TTL: Final = re.compile(r"(?:[0-9]+[SMHDWsmhdw]?)+")
_TTL_PART: Final = re.compile(r"([0-9]+)([SMHDWsmhdw]?)")
_SECONDS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_READ_OVER: Final = frozenset({"SOA", "NS", "A", "AAAA", "TXT"})
_TYPES: Final = re.compile(r"[A-Z][A-Z0-9-]*")
_NAPTR_FIELDS: Final = 6
_UINT16_MAX: Final = 65_535
_STRING_MAX: Final = 255


@dataclass(frozen=True, slots=True)
class Zone:
    """The NAPTR records of a zone file by owner name (lower case, no final dot)."""

    records: dict[str, tuple[Naptr, ...]] = field(default_factory=dict)
    names: frozenset[str] = frozenset()
    """All names that exist, those between an owner and the root included."""

    def lookup(self, name: str) -> RecordSet[Naptr]:
        """Answer as an authoritative server would: records, no data, or no such name."""
        name = name.rstrip(".").lower()
        if name in self.names:
            records = self.records.get(name, ())
            return RecordSet(Class.FOUND, records) if records else RecordSet(Class.NODATA)
        encloser = name
        while "." in encloser:
            encloser = encloser.partition(".")[2]
            if encloser in self.names:
                break
        wildcard = self.records.get(f"*.{encloser}")
        return RecordSet(Class.FOUND, wildcard) if wildcard else RecordSet(Class.NXDOMAIN)


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    """With its escapes undone, unless it is a name."""
    raw: str
    quoted: bool
    line: int


@dataclass(slots=True)
class _Entry:
    tokens: list[_Token]
    has_owner: bool
    line: int


def parse_zone(text: str, *, source: str = "zone") -> Zone:
    """Read a zone file; *source* is its name in error texts.

    Raises:
        NumberingError: ``file:line: what is wrong``.
    """
    return _Reader(source).read(text)


@dataclass(slots=True)
class _Reader:
    source: str
    origin: str | None = None
    default_ttl: int | None = None
    owner: str | None = None
    last_ttl: int | None = None
    records: dict[str, list[Naptr]] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)

    def read(self, text: str) -> Zone:
        for entry in self._entries(text):
            if entry.has_owner and entry.tokens[0].raw.startswith("$"):
                self._directive(entry)
            else:
                self._record(entry)
        return Zone({name: tuple(records) for name, records in self.records.items()}, frozenset(self.names))

    def _entries(self, text: str) -> Iterator[_Entry]:
        """Cut the text into entries: a line, or several where parentheses join them."""
        entry: _Entry | None = None
        depth = 0
        for number, line in enumerate(text.splitlines(), start=1):
            if depth == 0:
                entry = _Entry([], has_owner=bool(line) and not line[0].isspace(), line=number)
            assert entry is not None  # noqa: S101 - depth is 0 on the first line
            for token in self._tokens(line, number):
                if not token.quoted and token.raw in {"(", ")"}:
                    depth += 1 if token.raw == "(" else -1
                    if depth < 0:
                        raise self._fault(number, "a closing parenthesis without its opening one")
                else:
                    entry.tokens.append(token)
            if depth == 0 and entry.tokens:
                yield entry
        if depth and entry is not None:
            raise self._fault(entry.line, "an opening parenthesis without its closing one")

    def _tokens(self, line: str, number: int) -> Iterator[_Token]:
        at = 0
        while at < len(line):
            char = line[at]
            if char == ";":
                return
            if char.isspace():
                at += 1
            elif char in "()":
                yield _Token(char, char, quoted=False, line=number)
                at += 1
            else:
                quoted = char == '"'
                start = at + quoted
                end = self._end(line, start, number, quoted=quoted)
                raw = line[start:end]
                yield _Token(self._unescape(raw, number), raw, quoted=quoted, line=number)
                at = end + quoted

    def _end(self, line: str, at: int, number: int, *, quoted: bool) -> int:
        while at < len(line):
            char = line[at]
            if char == "\\":
                at += 2
            elif (quoted and char == '"') or (not quoted and (char.isspace() or char in '();"')):
                return at
            else:
                at += 1
        if quoted or at > len(line):
            raise self._fault(number, "a string without its closing quote" if quoted else "a backslash at the end")
        return at

    def _unescape(self, raw: str, number: int) -> str:
        r"""Undo ``\X`` and ``\DDD`` (RFC 1035 §5.1)."""

        def char_of(pair: re.Match[str]) -> str:
            escape = pair[1]
            if not escape[0].isdigit():
                return escape
            if len(escape) != 3 or int(escape) > 255:
                raise self._fault(number, f"\\{escape} is no octet; a backslash of the expression stands doubled here")
            return chr(int(escape))

        return re.sub(r"\\([0-9]{1,3}|.)", char_of, raw)

    def _directive(self, entry: _Entry) -> None:
        name, *values = entry.tokens
        keyword = name.raw.upper()
        if keyword not in {"$ORIGIN", "$TTL"} or len(values) != 1:
            raise self._fault(entry.line, f"{name.raw} is not supported; write $ORIGIN name or $TTL seconds")
        if keyword == "$ORIGIN":
            self.origin = self._name(values[0])
        else:
            self.default_ttl = self._ttl(values[0])

    def _record(self, entry: _Entry) -> None:
        tokens = list(entry.tokens)
        if entry.has_owner:
            self.owner = self._name(tokens.pop(0))
        if self.owner is None:
            raise self._fault(entry.line, "the first record names no owner")
        ttl, kind = self._ttl_and_type(tokens, entry.line)
        if kind != "NAPTR" and kind not in _READ_OVER:
            known = "a type that this zone file may hold (NAPTR; SOA, NS, A, AAAA and TXT are read over)"
            raise self._fault(entry.line, f"{kind} is not {known}" if _TYPES.fullmatch(kind) else f"no type: {kind}")
        name = self.owner
        while name and name not in self.names:
            self.names.add(name)
            name = name.partition(".")[2]
        self.last_ttl = ttl
        if kind == "NAPTR":
            if ttl is None:
                raise self._fault(entry.line, "no TTL: give the record one, or put $TTL at the top")
            self.records.setdefault(self.owner, []).append(self._naptr(tokens, ttl, entry.line))

    def _ttl_and_type(self, tokens: list[_Token], line: int) -> tuple[int | None, str]:
        """Take TTL and class, in either order and each optional, and the type."""
        ttl = self.last_ttl if self.default_ttl is None else self.default_ttl
        while tokens and not tokens[0].quoted:
            word = tokens[0].raw.upper()
            if word == "IN":
                tokens.pop(0)
            elif _TTL.fullmatch(word):
                ttl = self._ttl(tokens.pop(0))
            else:
                return ttl, tokens.pop(0).raw.upper()
        raise self._fault(line, "a record without a type")

    def _naptr(self, tokens: list[_Token], ttl: int, line: int) -> Naptr:
        if len(tokens) != _NAPTR_FIELDS:
            wanted = 'order preference "flags" "service" "regexp" replacement'
            raise self._fault(line, f"a NAPTR record has {_NAPTR_FIELDS} fields, not {len(tokens)}: {wanted}")
        order, preference = (self._uint16(token) for token in tokens[:2])
        for token in tokens[2:5]:
            if len(token.text) > _STRING_MAX:
                raise self._fault(token.line, f"a string is at most {_STRING_MAX} octets long")
        flags, service, regexp = (token.text for token in tokens[2:5])
        return Naptr(order, preference, flags, service, regexp, self._name(tokens[5]), ttl)

    def _uint16(self, token: _Token) -> int:
        if not (token.raw.isascii() and token.raw.isdigit()) or int(token.raw) > _UINT16_MAX:
            raise self._fault(token.line, f"{token.raw} is no number from 0 to {_UINT16_MAX}")
        return int(token.raw)

    def _ttl(self, token: _Token) -> int:
        if _TTL.fullmatch(token.raw) is None:
            raise self._fault(token.line, f"{token.raw} is no time; write seconds, or 1h30m")
        return sum(int(count) * _SECONDS[unit.lower()] for count, unit in _TTL_PART.findall(token.raw))

    def _name(self, token: _Token) -> str:
        name = token.text.lower()
        if name == "@":
            name = ""
        elif name.endswith("."):
            return name.rstrip(".")
        if self.origin is None:
            raise self._fault(token.line, f"{token.raw} is relative, but there is no $ORIGIN")
        return f"{name}.{self.origin}".strip(".")

    def _fault(self, line: int, problem: str) -> NumberingError:
        return NumberingError(f"{self.source}:{line}: {problem}")
