"""Section `header_rules`: named lists of edits, and the headers that no edit may touch (SC-02, SC-04)."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from ibcf.config.section import Section, exactly_one, one_of_schema
from ibcf.config.templates import Regex, Template, check_template
from ibcf.config.values import Id, Method, OneOrMany, Parsed, Text, Token, Unique, shown

_MANDATORY = "RFC 3261 needs it to find the transaction and the dialog (SC-04)"
_ROUTING = "the border itself writes it"
_SECURITY = "IMS registration would break (SC-02)"
FORBIDDEN = {
    "via": _MANDATORY,
    "v": _MANDATORY,
    "from": _MANDATORY,
    "f": _MANDATORY,
    "to": _MANDATORY,
    "t": _MANDATORY,
    "call-id": _MANDATORY,
    "i": _MANDATORY,
    "cseq": _MANDATORY,
    "max-forwards": _MANDATORY,
    "route": _ROUTING,
    "record-route": _ROUTING,
    "content-length": _ROUTING,
    "l": _ROUTING,
    "authorization": _SECURITY,
    "www-authenticate": _SECURITY,
}


def _check_header(name: str) -> str:
    if reason := FORBIDDEN.get(name.lower()):
        raise ValueError(f"{name} cannot be changed by a rule: {reason}")
    return name


HeaderName = Annotated[Token, AfterValidator(_check_header)]


class HeaderValue(Section):
    """A header and the value that it gets."""

    header: HeaderName
    """Its name; compact forms are the same header."""
    value: Template
    """Its value; `${peer.to}` and the like are variables, `$$` is a dollar."""


class TextReplacement(Section):
    """What is looked for in a text, and what is put there, everywhere it matches."""

    model_config = ConfigDict(json_schema_extra=one_of_schema("pattern", "regex"))

    pattern: Annotated[Text, Field(min_length=1)] | None = None
    """The text to look for."""
    regex: Regex | None = None
    """The regular expression to look for (syntax of the Rust crate `regex`: linear time, so no look-around)."""
    with_: Annotated[Text, Field(alias="with")]
    """What to put there, with variables; with `regex`, `$1` and `${name}` are captures; `$$` is a dollar."""

    @field_validator("with_")
    @classmethod
    def check_references(cls, value: str, info: ValidationInfo) -> str:
        """Refuse a capture that the expression does not have, and a variable that nobody knows."""
        if "regex" not in info.data:
            return value  # told there
        return check_template(value, info.data["regex"])

    @model_validator(mode="after")
    def check_pattern(self) -> Self:
        """Refuse two patterns, or none."""
        exactly_one(self, "pattern", "regex")
        return self


class Replacement(TextReplacement):
    """A header and what is replaced in its value, everywhere it matches."""

    header: HeaderName
    """Its name; compact forms are the same header."""


class Copy(Section):
    """A header whose values another one gets too."""

    from_: Annotated[Token, Field(alias="from")]
    """The header that has them; compact forms are the same header."""
    to: HeaderName
    """The one that gets them, behind what it has."""
    which: Literal["all", "first"] = "all"
    """Every value, or only the first."""


class Rename(Section):
    """A header and its new name."""

    from_: Annotated[HeaderName, Field(alias="from")]
    """The header; compact forms are the same header."""
    to: HeaderName
    """Its new name."""


class ParameterEdit(Section):
    """A parameter of the values of a header."""

    model_config = ConfigDict(json_schema_extra=one_of_schema("add", "set", "remove", "replace"))

    header: HeaderName
    """Name of the header; compact forms are the same header."""
    name: Token
    """Name of the parameter."""
    in_: Annotated[Literal["header", "uri"], Field(alias="in")] = "header"
    """`header` is a parameter behind the value, `uri` one of the URI in it."""
    add: Template | None = None
    """Puts it behind the others with this value, unless it is there; an empty one is a parameter without a value."""
    set: Template | None = None
    """Leaves exactly one, with this value; an empty one is a parameter without a value."""
    remove: Literal[True] | None = None
    """Takes it away."""
    replace: TextReplacement | None = None
    """Replaces text in its value."""

    @model_validator(mode="after")
    def check_one(self) -> Self:
        """Refuse two changes, or none."""
        exactly_one(self, "add", "set", "remove", "replace")
        return self


class ValueTest(Section):
    """Which values of a header are meant."""

    model_config = ConfigDict(json_schema_extra=one_of_schema("equals", "regex"))

    equals: Annotated[tuple[Text, ...], Field(min_length=1), Unique, OneOrMany] | None = None
    """Those that are one of these, without regard to case."""
    regex: Regex | None = None
    """Those in which this expression matches."""

    @model_validator(mode="after")
    def check_one(self) -> Self:
        """Refuse two tests, or none."""
        exactly_one(self, "equals", "regex")
        return self


def parse_statuses(value: object) -> tuple[int, int]:
    """Return the first and the last status that *value* means.

    >>> parse_statuses("4xx"), parse_statuses(180)
    ((400, 499), (180, 180))
    """
    if isinstance(value, str) and re.fullmatch("[1-6]xx", value):
        return int(value[0]) * 100, int(value[0]) * 100 + 99
    if isinstance(value, bool) or not isinstance(value, int) or not 101 <= value <= 699:
        raise ValueError(f"must be a status or a class of them: 180, 4xx (got {shown(value)})")
    return value, value


Statuses = Annotated[
    tuple[int, int],
    Parsed(
        parse_statuses,
        {"anyOf": [{"type": "integer", "minimum": 101, "maximum": 699}, {"type": "string", "pattern": "^[1-6]xx$"}]},
    ),
]
EDITS = ("add", "set", "remove", "replace", "copy", "rename", "parameter")


class HeaderRule(Section):
    """One edit; rules run in order and each sees what the ones before it did."""

    model_config = ConfigDict(json_schema_extra=one_of_schema(*EDITS))

    id: Id
    """Stable name for `explain`, unique within its set."""
    on: Literal["any", "requests", "responses"] = "any"
    """Which messages it is for."""
    methods: Annotated[tuple[Method, ...], Unique, OneOrMany] = ()
    """Only for these methods (of the CSeq); all when left out."""
    statuses: Annotated[tuple[Statuses, ...], Unique, OneOrMany] = ()
    """Only for responses with one of these statuses: 180, 4xx."""
    values: ValueTest | None = None
    """Only for these values of the header, each of a list alone; of `copy`, those of the header that has them."""
    add: HeaderValue | None = None
    """Puts one more header of that name behind the others."""
    set: HeaderValue | None = None
    """Leaves exactly one header of that name."""
    remove: HeaderName | None = None
    """Takes out every header of that name."""
    replace: Replacement | None = None
    """Replaces text in each header of that name."""
    copy_: Annotated[Copy | None, Field(alias="copy")] = None
    """Gives the values of a header to another one too."""
    rename: Rename | None = None
    """Gives every header of that name another one, in its place."""
    parameter: ParameterEdit | None = None
    """Changes a parameter of each value."""

    @property
    def edited(self) -> str:
        """Return the name of the header that it looks at."""
        moved = self.copy_ or self.rename
        if moved is not None:
            return moved.from_
        edits = (self.add, self.set, self.replace, self.parameter)
        return self.remove or next(edit.header for edit in edits if edit is not None)

    @property
    def written(self) -> str | None:
        """Return the name of the header that there is more of behind it."""
        edit = self.add or self.set
        moved = self.copy_ or self.rename
        return edit.header if edit is not None else moved.to if moved is not None else None

    @model_validator(mode="after")
    def check_one(self) -> Self:
        """Refuse two edits in one rule, or none, and what such an edit or message does not have."""
        edit = exactly_one(self, *EDITS)
        if self.values is not None and edit in {"add", "set"}:
            raise ValueError(f"values mean nothing to {edit}")
        if self.statuses and self.on == "requests":
            raise ValueError("statuses are of responses, but on is requests")
        return self


class HeaderRuleSet(Section):
    """A named list of rules."""

    id: Id
    """Stable name for agreements and routes."""
    rules: Annotated[tuple[HeaderRule, ...], Field(min_length=1)]
    """The edits, in order."""
