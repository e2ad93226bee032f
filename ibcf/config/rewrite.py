"""`rewrite` of a rule of `routes`: what is changed in the request before the next rule looks at it."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from ibcf.config.section import Section
from ibcf.config.templates import Regex, check_template
from ibcf.config.values import Domain, Grammar, Id, OneOrMany, Text, Token, Unique

NumberStart = Annotated[str, Grammar(r"\+?[0-9*#]{0,15}", 'the beginning of a number: "+", "+44", "00"', 16)]
UriText = Annotated[
    str, Grammar(r"[A-Za-z0-9\-_.!~*'()\[\]/:&+$%]*", "what may stand in a parameter of a URI (RFC 3261 §25.1)")
]


def _check_parameter(name: str) -> str:
    if name.lower() == "method":
        raise ValueError("a Request-URI has no parameter method (RFC 3261 §19.1.1)")
    return name


Parameter = Annotated[Token, AfterValidator(_check_parameter)]


class NumberEdit(Section):
    """The front of a number. Its `+` and visual separators go; a prefix with `+` makes it a global one."""

    strip: Annotated[int, Field(ge=0, le=15)] = 0
    """So many digits go."""
    prefix: NumberStart = ""
    """What comes in front of the others."""

    @model_validator(mode="after")
    def check_change(self) -> Self:
        """Refuse an edit of nothing."""
        if not self.strip and not self.prefix:
            raise ValueError("needs strip, prefix or both")
        return self


class UserEdit(Section):
    """What an expression matches in the user part."""

    regex: Regex
    """The expression (syntax of the Rust crate `regex`); where it does not match, the user part stays."""
    with_: Annotated[Text, Field(alias="with")]
    """What comes there: `$1` and `${name}` are captures, `$$` is a dollar."""

    @field_validator("with_")
    @classmethod
    def check_captures(cls, value: str, info: ValidationInfo) -> str:
        """Refuse a capture that the expression does not have, and every variable."""
        if re.search(r"\$\{\w+\.\w+\}", value):
            raise ValueError("variables are for headers: a Request-URI is made of captures")
        return check_template(value, info.data["regex"]) if "regex" in info.data else value


class UriParameters(Section):
    """Parameters of the URI; those of the number in a sip URI are of its user part."""

    remove: Annotated[tuple[Parameter, ...], Unique, OneOrMany] = ()
    """These go."""
    set: Annotated[dict[Parameter, UriText], Field(max_length=20)] = Field(default_factory=dict)
    """These get this value; an empty one is a parameter without a value."""

    @model_validator(mode="after")
    def check_change(self) -> Self:
        """Refuse an edit of nothing."""
        if not self.remove and not self.set:
            raise ValueError("needs set, remove or both")
        return self


class Rewrite(Section):
    """Changes of a request: of its Request-URI in this order, then, where it leaves, of its headers."""

    number: NumberEdit | None = None
    """The number in the Request-URI: of a tel URI, or of a sip URI with user=phone."""
    user: UserEdit | None = None
    """The user part of the Request-URI; of a tel URI, its number."""
    form: Literal["tel", "sip"] | None = None
    """Another form of the number in it (RFC 3261 §19.1.6): a tel URI, or a sip URI with user=phone at `host`."""
    host: Domain | None = None
    """The host of a sip Request-URI; a port goes."""
    parameters: UriParameters | None = None
    """Parameters of the Request-URI."""
    calling: NumberEdit | None = None
    """The number in P-Asserted-Identity of the request that leaves."""
    headers: Annotated[tuple[Id, ...], Field(min_length=1), Unique, OneOrMany] | None = None
    """Sets of `header_rules` for the request that leaves, before those of the peer that it goes to."""

    @property
    def changes_uri(self) -> bool:
        """Does it change the Request-URI, which later rules look at?"""
        edits = (self.number, self.user, self.form, self.host, self.parameters)
        return any(edit is not None for edit in edits)

    @model_validator(mode="after")
    def check_changes(self) -> Self:
        """Refuse a rewrite of nothing, and a sip URI without a host."""
        if not self.changes_uri and self.calling is None and self.headers is None:
            raise ValueError(f"needs one of {', '.join(type(self).model_fields)}")
        if self.form == "sip" and self.host is None:
            raise ValueError("form: sip needs a host")
        return self
