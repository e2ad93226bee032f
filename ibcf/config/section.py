"""What all sections have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, JsonValue


class Section(BaseModel):
    """A mapping in the file: frozen, strict about types, and without a key that nobody reads."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)


def at_most_one(section: Section, *names: str) -> None:
    """Raise a `ValueError` that names them if more than one of *names* is set."""
    given = [name for name in names if getattr(section, name)]
    if len(given) > 1:
        *others, last = names
        raise ValueError(f"has at most one of {', '.join(others)} and {last} (got {' and '.join(given)})")


def exactly_one(section: Section, *names: str) -> str:
    """Return the one of *names* that is set, or raise a `ValueError` that lists them."""
    given = [name for name in names if _value(section, name) is not None]
    if len(given) != 1:
        *others, last = names
        choice = f"{', '.join(others)} or {last}"
        raise ValueError(f"needs exactly one of {choice} (got {' and '.join(given) or 'none'})")
    return given[0]


def _value(section: Section, name: str) -> object:
    """Return the value of the key *name*; one that is also a word of Python or pydantic has a `_` behind its field."""
    return getattr(section, f"{name}_" if f"{name}_" in type(section).model_fields else name)


def one_of_schema(*names: str) -> dict[str, JsonValue]:
    """Return the addition to a JSON Schema that says the same as `exactly_one`."""
    return {"oneOf": [{"required": [name]} for name in names]}
