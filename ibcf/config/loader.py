"""Loads a configuration file: all of it, or all of its faults."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from ibcf.config.configuration import Config
from ibcf.config.extends import extend
from ibcf.config.fault import unknown
from ibcf.config.problems import faults_of
from ibcf.config.references import check_references, known_reasons
from ibcf.config.sets import expanded
from ibcf.config.tree import parse, parse_file
from ibcf.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from ibcf.config.fault import Fault
    from ibcf.config.tree import Tree


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration without faults, and the file it came from for whoever finds more to say about it."""

    config: Config
    tree: Tree


def load(path: Path | str, overrides: Mapping[str, object] | None = None) -> Config:
    """Return the configuration in the file at *path*; see `read` for *overrides* and errors."""
    return read(path, overrides).config


def read(path: Path | str, overrides: Mapping[str, object] | None = None) -> Loaded:
    """Read and check the file at *path*.

    *overrides* replaces single values before anything is checked. Items of lists are named by their id, and what is not
    in the file yet is added: `{"listeners.home_udp.address": "127.0.0.1:0", "admin.address": "127.0.0.1:0"}`.

    Raises:
        ConfigError: with every fault of the file, in the order of its lines.
    """
    path = Path(path)
    return _checked(parse_file(path), path.parent, overrides, known_reasons())


def read_text(
    text: str,
    *,
    file: str = "<text>",
    directory: Path | None = None,
    overrides: Mapping[str, object] | None = None,
) -> Loaded:
    """Do the same for *text*, whose relative paths start at *directory*."""
    return _checked(parse(text, file=file), directory or Path(), overrides, known_reasons())


def _checked(
    tree: Tree, directory: Path, overrides: Mapping[str, object] | None, reasons: Collection[str] | None
) -> Loaded:
    faults = list(tree.faults)
    if tree.root is None:  # nothing that could be looked at further
        raise ConfigError(faults or [tree.fault((), "is empty")])
    for dotted, value in (overrides or {}).items():
        faults += _override(tree, dotted, value)
    faults += extend(tree)
    config = None
    try:
        config = Config.model_validate(tree.root, context={"directory": directory})
    except ValidationError as error:
        faults += faults_of(error, tree, Config)
    told = {(fault.line, fault.column, fault.key) for fault in faults}
    related = check_references(tree, reasons=reasons)
    faults += [fault for fault in related if (fault.line, fault.column, fault.key) not in told]
    if faults or config is None:
        raise ConfigError(sorted(set(faults)))
    return Loaded(expanded(config), tree)


def _override(tree: Tree, dotted: str, value: object) -> list[Fault]:
    *above, last = dotted.split(".")
    here = tree.root
    for part in above:
        if isinstance(here, dict):
            here = here.setdefault(part, {})
        elif isinstance(here, tuple):
            items = {item.get("id"): item for item in here if isinstance(item, dict)}
            if part not in items:
                problem = f"override: {unknown('id', part, [str(name) for name in items])}"
                return [tree.fault((dotted,), problem)]
            here = items[part]
    if not isinstance(here, dict):
        return [tree.fault((dotted,), "override: names nothing that has keys")]
    here[last] = _frozen(value)
    return []


def _frozen(value: object) -> object:
    if isinstance(value, dict):
        return {key: _frozen(item) for key, item in value.items()}
    return tuple(_frozen(item) for item in value) if isinstance(value, list | tuple) else value
