"""Texts that rules write: variables (`${peer.to}`) and captures (`$1`, `${name}`) stand in them, `$$` is a dollar."""

from __future__ import annotations

import re
import warnings
from typing import Annotated

from pydantic import AfterValidator, Field

from ibcf.config.fault import unknown
from ibcf.config.values import Text

VARIABLES = (
    *("peer.from", "peer.to", "side.from", "side.to", "agreement.from", "agreement.to", "domain.from", "domain.to"),
    *("orig_ioi.from", "orig_ioi.to", "term_ioi.from", "term_ioi.to"),
    *("call.id", "call.method", "call.direction", "call.called", "call.calling"),
    *("request.uri", "request.user", "request.host"),
    *("enum.outcome", "enum.class", "enum.uri", "node.name", "node.domain"),
)
"""What a text may tell of the message and the call: `Variable` of the core has the same."""

REGEX_LENGTH_MAX = 1_000

_LOOK_AROUND = re.compile(r"(?<!\\)(?:\\\\)*\((?:\?=|\?!|\?<=|\?<!|\?>|\?P=|\?\()")
_BACK_REFERENCE = re.compile(r"(?<!\\)(?:\\\\)*\\[1-9]")
_REFERENCE = re.compile(r"\$(?:\$|\{(?P<braced>[^}]*)(?P<end>\}?)|(?P<bare>[0-9A-Za-z_]+))")


def as_python(pattern: str) -> str:
    """Return *pattern*, written for the Rust crate `regex`, in the words of Python's `re`.

    Only what is common in patterns for headers: the core compiles the pattern itself and has the last word.
    """
    pattern = re.sub(r"\(\?<(?![=!])", "(?P<", pattern)
    pattern = re.sub(r"\\x\{([0-9A-Fa-f]{1,6})\}", lambda match: rf"\u{int(match[1], 16) & 0xFFFF:04x}", pattern)
    return re.sub(r"\[\[:\^?\w+:\]\]", r"\\w", pattern).replace(r"\z", r"\Z")


def compiled(pattern: str) -> re.Pattern[str]:
    """Return *pattern*, which `check_regex` let pass, compiled by Python."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Python warns of (nested sets) is plain syntax for the core
        return re.compile(as_python(pattern))


def check_regex(value: str) -> str:
    """Refuse what cannot compile, as far as Python can tell."""
    if found := _LOOK_AROUND.search(value) or _BACK_REFERENCE.search(value):
        raise ValueError(f"{found[0]} is not supported: matching in linear time has no look-around, no back-reference")
    try:
        compiled(value)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"does not compile: {error}") from error
    return value


def check_template(value: str, regex: str | None = None) -> str:
    """Refuse a variable that nobody knows, and a capture that *regex* does not have."""
    expression = None if regex is None else compiled(regex)
    for match in _REFERENCE.finditer(value):
        name = match["braced"] if match["braced"] is not None else match["bare"]
        if match["braced"] is not None and not match["end"]:
            raise ValueError("${ has no }; write $$ for a dollar sign")
        if name is None or (expression is None and match["bare"] is not None):
            continue
        if expression is None or "." in name:
            if name not in VARIABLES:
                raise ValueError(unknown("variable", name, VARIABLES))
            continue
        known = int(name) <= expression.groups if name.isdecimal() else name in expression.groupindex
        if not known:
            digits = re.match(r"\d+", name)
            hint = f": write ${{{digits[0]}}}{name[digits.end() :]}" if digits and digits[0] != name else ""
            raise ValueError(f"the expression has no capture {name}{hint}")
    return value


Regex = Annotated[Text, Field(min_length=1, max_length=REGEX_LENGTH_MAX), AfterValidator(check_regex)]
Template = Annotated[Text, AfterValidator(check_template)]
