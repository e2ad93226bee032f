"""Imports what rules call, and looks whether it can be called.

A module is the file of that name below the folder of the configuration, else one that is installed. It is imported
once: a reload of the configuration does not execute it again, unless somebody asks for that.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import itertools
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from ibcf.errors import ConfigError
from ibcf.hooks.failure import described

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from ibcf.config import Loaded
    from ibcf.config.fault import Fault
    from ibcf.hooks.request import Request

    HookFunction = Callable[[Request], Awaitable[object]]

HOOKS_MAX = 64
"""Rules with a hook in one policy: each function has a thread of its own."""

_numbers = itertools.count(1)


class HookModules:
    """The modules that are imported, by their file or name."""

    def __init__(self) -> None:
        """Know none yet."""
        self._imported: dict[Path | str, ModuleType] = {}

    def load(self, loaded: Loaded, *, again: bool = False) -> dict[str, HookFunction]:
        """Return the functions that the rules of *loaded* call, by what they write; *again* imports their modules anew.

        Raises:
            ConfigError: a module cannot be imported, or has no such function, or one that no hook can be.
        """
        faults: list[Fault] = []
        known = dict[Path | str, ModuleType]() if again else dict(self._imported)
        functions: dict[str, HookFunction] = {}
        folder = Path(loaded.tree.file).parent
        calls = [(at, route.hook.call) for at, route in enumerate(loaded.config.routes) if route.hook is not None]
        for at, call in calls[:HOOKS_MAX]:
            try:
                functions[call] = _function(call, folder, known, again=again)
            except _UnfitError as unfit:
                faults.append(loaded.tree.fault(("routes", at, "hook", "call"), str(unfit)))
        for at, _ in calls[HOOKS_MAX:]:
            faults.append(loaded.tree.fault(("routes", at, "hook"), f"more than {HOOKS_MAX} rules with a hook"))
        if faults:
            raise ConfigError(faults)
        self._imported = known
        return functions


class NoModules(HookModules):
    """For whoever compiles a policy and calls none of its hooks: no code of theirs runs."""

    def load(self, loaded: Loaded, *, again: bool = False) -> dict[str, HookFunction]:  # noqa: ARG002 - as above
        """Import nothing."""
        return {}


class _SourceLoader(SourceFileLoader):
    """Compiles what stands in the file now, and leaves nothing beside it."""

    def path_stats(self, path: str) -> Mapping[str, object]:
        """Tell that nothing is known by which a compiled file could be found."""
        raise OSError(path)


class _UnfitError(Exception):
    """What a rule calls cannot be called."""


def _function(call: str, folder: Path, known: dict[Path | str, ModuleType], *, again: bool) -> HookFunction:
    name, _, attribute = call.partition(":")
    module = _module(name, folder, known, again=again)
    function = getattr(module, attribute, None)
    if function is None:
        raise _UnfitError(f'module "{name}" ({_origin(module)}) has no "{attribute}"')
    if not inspect.iscoroutinefunction(function):
        raise _UnfitError(f'"{attribute}" of {_origin(module)} is no async function')
    signature = inspect.signature(function)
    try:
        signature.bind(object())
    except TypeError as error:
        text = f'"{attribute}{signature}" of {_origin(module)} cannot be called with one request: {error}'
        raise _UnfitError(text) from error
    return function  # type: ignore[no-any-return]


def _module(name: str, folder: Path, known: dict[Path | str, ModuleType], *, again: bool) -> ModuleType:
    file = folder.joinpath(*name.split(".")).with_suffix(".py").resolve()
    key: Path | str = file if file.is_file() else name
    if key not in known:
        try:
            known[key] = _execute(file, name) if isinstance(key, Path) else _import(name, again=again)
        except (Exception, SystemExit) as error:
            raise _UnfitError(f'cannot import "{name}": {described(error)}') from error
    return known[key]


def _execute(file: Path, name: str) -> ModuleType:
    """Import a file under a name of its own: two policies may have a `hooks/roaming.py` each."""
    unique = f"ibcf_hook_{next(_numbers)}_{name.replace('.', '_')}"
    spec = importlib.util.spec_from_file_location(unique, file, loader=_SourceLoader(unique, str(file)))
    assert spec is not None  # noqa: S101 - it ends with .py
    assert spec.loader is not None  # noqa: S101
    module = importlib.util.module_from_spec(spec)
    sys.modules[unique] = module  # dataclasses look themselves up there
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[unique]
        raise
    return module


def _import(name: str, *, again: bool) -> ModuleType:
    module = sys.modules.get(name)
    if module is None:
        return importlib.import_module(name)
    return importlib.reload(module) if again else module


def _origin(module: ModuleType) -> str:
    return getattr(module, "__file__", None) or module.__name__
