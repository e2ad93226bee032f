"""What pydantic found, in the words of an operator and at the place in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

from ibcf.config.fault import Fault, suggestion
from ibcf.config.values import shown

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

    from ibcf.config.tree import Path, Tree


def faults_of(error: ValidationError, tree: Tree, model: type[BaseModel]) -> list[Fault]:
    """Return a fault for each thing in *error* of *model*; a misspelt key hides that the right one is missing."""
    details = error.errors(include_url=False)
    broken = {(fault.line, fault.column) for fault in tree.faults}  # already told why nothing can be read there
    meant: set[Path] = set()
    faults: list[Fault] = []
    for detail in details:
        if detail["type"] == "extra_forbidden":
            path = _as_written(detail["loc"], tree)
            name = path[-1]
            known = _keys_at(model, path[:-1])
            likely = suggestion(str(name), [key for key in known if tree.get((*path[:-1], key)) is None])
            if likely:
                meant.add((*path[:-1], likely))
            hint = f'did you mean "{likely}"?' if likely else f"known here: {', '.join(known)}"
            faults.append(tree.fault(path, f"unknown key; {hint}", at_key=True))
    for detail in details:
        path = _as_written(detail["loc"], tree)
        kind = detail["type"]
        if kind == "extra_forbidden" or (kind == "missing" and path in meant):
            continue
        if kind == "too_short" and tree.get(path) != ():
            continue  # pydantic counts only the good items, and the bad ones have faults of their own
        faults.append(tree.fault(path, _problem(detail, tree.written.get(path))))
    return [fault for fault in faults if (fault.line, fault.column) not in broken]


def _as_written(path: Path, tree: Tree) -> Path:
    """Return *path* as it is written: a lone value stands for a list of one, and a name needs no mark of pydantic."""
    written: Path = ()
    for part in path:
        if part == "[key]":  # the name itself is wrong, which stands where its value does
            continue
        if not isinstance(part, int) or (*written, part) in tree.values:
            written += (part,)
    return written


_PROBLEMS: dict[str, str] = {
    "missing": "missing",
    "string_type": "must be text {kind}",
    "int_type": "must be a whole number {got}",
    "int_from_float": "must be a whole number {got}",
    "bool_type": "must be true or false {got}",
    "tuple_type": "must be a list {kind}",
    "model_type": "must be a mapping of keys {kind}",
    "greater_than_equal": "must be ≥ {ge} {got}",
    "less_than_equal": "must be ≤ {le} {got}",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
    "too_long": "must have at most {max_length} entries (has {actual_length})",
    "string_too_long": "must have at most {max_length} characters",
}


def _problem(detail: ErrorDetails, as_written: str | None) -> str:
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    got = f"(got {as_written or shown(value)})"
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        return _choice(context["expected"], value, got)
    if kind == "string_type" and as_written and value is not None:
        return f'must be text: put it in quotes: "{as_written}"'
    template = _PROBLEMS.get(kind)
    if template is None:
        return f"{detail['msg'][:1].lower()}{detail['msg'][1:]} {got}"
    return template.format(got=got, kind=f"(got {shown(value)})", **context)


def _choice(expected: str, value: object, got: str) -> str:
    if expected in {"1", "True"}:
        return f"must be {expected.lower()} {got}"
    names = [name.strip("' ") for name in expected.replace(" or ", ", ").split(",")]
    likely = suggestion(value, names) if isinstance(value, str) else None
    hint = f'; did you mean "{likely}"?' if likely else ""
    return f"must be {expected.replace(chr(39), '')} {got}{hint}"


def _keys_at(model: Any, path: Path) -> list[str]:
    """Return the keys that the mapping at *path* in *model* may have."""
    for part in path:
        if isinstance(part, int):
            continue
        fields = {field.alias or name: field for name, field in model.model_fields.items()}
        if part in fields:  # else a name in a mapping of names
            model = _model_in(fields[part].annotation)
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the model that *annotation* holds: itself, or one inside of a tuple or an optional."""
    if arguments := get_args(annotation):
        return next((model for argument in arguments if (model := _model_in(argument))), None)
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
