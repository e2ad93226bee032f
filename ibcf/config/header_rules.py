"""Section `header_rules`: named lists of edits, and the headers that no edit may touch (SC-02, SC-04)."""

from __future__ import annotations

import re
import warnings
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from ibcf.config.section import Section, exactly_one, one_of_schema
from ibcf.config.values import Id, Method, OneOrMany, Text, Token, Unique

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

_REGEX_LENGTH_MAX = 1_000
_LOOK_AROUND = re.compile(r"(?<!\\)(?:\\\\)*\((?:\?=|\?!|\?<=|\?<!|\?>|\?P=|\?\()")
_BACK_REFERENCE = re.compile(r"(?<!\\)(?:\\\\)*\\[1-9]")
_REFERENCE = re.compile(r"\$(?:\$|\{(?P<braced>[^}]*)\}|(?P<bare>[0-9A-Za-z_]+))")


def _check_header(name: str) -> str:
    if reason := FORBIDDEN.get(name.lower()):
        raise ValueError(f"{name} cannot be changed by a rule: {reason}")
    return name


HeaderName = Annotated[Token, AfterValidator(_check_header)]


def as_python(pattern: str) -> str:
    """Return *pattern*, written for the Rust crate `regex`, in the words of Python's `re`.

    Only what is common in patterns for headers: the core compiles the pattern itself and has the last word.
    """
    pattern = re.sub(r"\(\?<(?![=!])", "(?P<", pattern)
    pattern = re.sub(r"\\x\{([0-9A-Fa-f]{1,6})\}", lambda match: rf"\u{int(match[1], 16) & 0xFFFF:04x}", pattern)
    return re.sub(r"\[\[:\^?\w+:\]\]", r"\\w", pattern).replace(r"\z", r"\Z")


class HeaderValue(Section):
    """A header and the value that it gets."""

    header: HeaderName
    """Its name; compact forms are the same header."""
    value: Text
    """Its value."""


class Replacement(Section):
    """A header and what is replaced in its value, everywhere it matches."""

    model_config = ConfigDict(json_schema_extra=one_of_schema("pattern", "regex"))

    header: HeaderName
    """Its name; compact forms are the same header."""
    pattern: Annotated[Text, Field(min_length=1)] | None = None
    """The text to look for."""
    regex: Annotated[Text, Field(min_length=1, max_length=_REGEX_LENGTH_MAX)] | None = None
    """The regular expression to look for (syntax of the Rust crate `regex`: linear time, so no look-around)."""
    with_: Annotated[Text, Field(alias="with")]
    """What to put there; with `regex`, `$1` and `${name}` are captures and `$$` is a dollar."""

    @field_validator("regex")
    @classmethod
    def check_regex(cls, value: str | None) -> str | None:
        """Refuse what cannot compile, as far as Python can tell."""
        if value is None:
            return None
        if found := _LOOK_AROUND.search(value) or _BACK_REFERENCE.search(value):
            raise ValueError(
                f"{found[0]} is not supported: matching in linear time has no look-around, no back-reference"
            )
        try:
            _compiled(value)
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError(f"does not compile: {error}") from error
        return value

    @field_validator("with_")
    @classmethod
    def check_captures(cls, value: str, info: ValidationInfo) -> str:
        """Refuse a capture that the expression does not have: the core would put nothing there."""
        regex: str | None = info.data.get("regex")
        if regex is None:
            return value
        expression = _compiled(regex)
        for match in _REFERENCE.finditer(value):
            name = match["braced"] if match["braced"] is not None else match["bare"]
            if name is None:
                continue
            known = int(name) <= expression.groups if name.isdecimal() else name in expression.groupindex
            if not known:
                digits = re.match(r"\d+", name)
                hint = f": write ${{{digits[0]}}}{name[digits.end() :]}" if digits and digits[0] != name else ""
                raise ValueError(f"the expression has no capture {name}{hint}")
        return value

    @model_validator(mode="after")
    def check_one(self) -> Self:
        """Refuse two patterns, or none."""
        exactly_one(self, "pattern", "regex")
        return self


def _compiled(pattern: str) -> re.Pattern[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Python warns of (nested sets) is plain syntax for the core
        return re.compile(as_python(pattern))


class HeaderRule(Section):
    """One edit; rules run in order and each sees what the ones before it did."""

    model_config = ConfigDict(json_schema_extra=one_of_schema("add", "set", "remove", "replace"))

    id: Id
    """Stable name for `explain`, unique within its set."""
    on: Literal["any", "requests", "responses"] = "any"
    """Which messages it is for."""
    methods: Annotated[tuple[Method, ...], Unique, OneOrMany] = ()
    """Only for these methods (of the CSeq); all when left out."""
    add: HeaderValue | None = None
    """Puts one more header of that name behind the others."""
    set: HeaderValue | None = None
    """Leaves exactly one header of that name."""
    remove: HeaderName | None = None
    """Takes out every header of that name."""
    replace: Replacement | None = None
    """Replaces text in each header of that name."""

    @model_validator(mode="after")
    def check_one(self) -> Self:
        """Refuse two edits in one rule, or none."""
        exactly_one(self, "add", "set", "remove", "replace")
        return self


class HeaderRuleSet(Section):
    """A named list of rules."""

    id: Id
    """Stable name for agreements."""
    rules: Annotated[tuple[HeaderRule, ...], Field(min_length=1)]
    """The edits, in order."""
