"""What a check of the host finds: how it is, how it should be and why, and the commands that make it so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ibcf.config import Config
    from ibcf.host.machine import Machine

State = Literal["fine", "todo", "unknown"]

SYSCTL_FILE: Final = "/etc/sysctl.d/90-ibcf.conf"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. What could not be read is unknown, never fine."""

    state: State
    found: str
    wanted: str = ""
    """What it should be, and why; empty when it is."""
    commands: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """A row of the table of checks."""

    id: str
    examine: Callable[[Machine, Config], Iterable[Finding]]
    of_host: bool = True
    """Does it mean something without a configuration?"""


def fine(found: str) -> Finding:
    """Return that nothing is to be done."""
    return Finding("fine", found)


def todo(found: str, wanted: str, *commands: str) -> Finding:
    """Return that something is to be done."""
    return Finding("todo", found, wanted, commands)


def unknown(found: str, wanted: str = "", *commands: str) -> Finding:
    """Return that it cannot be told from here."""
    return Finding("unknown", found, wanted, commands)


def unreadable(*paths: str) -> Finding:
    """Return that files of the kernel cannot be read."""
    return unknown(
        f"{' and '.join(paths)} cannot be read here",
        "in a container the kernel hides some of it: run ibcf doctor on the host too",
    )


def sysctl(name: str, value: int | str) -> tuple[str, str]:
    """Return the commands that set a variable of the kernel now, and at each boot.

    >>> sysctl("net.core.rmem_max", 8388608)[0]
    'sysctl -w net.core.rmem_max=8388608'
    """
    written = f"'{value}'" if " " in str(value) else value
    return f"sysctl -w {name}={written}", f"echo '{name} = {value}' >> {SYSCTL_FILE}"


def sysctl_path(name: str) -> str:
    """Return where the kernel shows a variable.

    >>> sysctl_path("net.core.rmem_max")
    '/proc/sys/net/core/rmem_max'
    """
    return f"/proc/sys/{name.replace('.', '/')}"
