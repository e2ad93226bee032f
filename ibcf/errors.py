"""Every exception of the project.

Exceptions never carry SIP traffic: a rejected call is a decision, not a raise. What the Rust core raises is defined
here too and imported by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class IbcfError(Exception):
    """Base of all."""


class ConfigError(IbcfError):
    """A configuration that cannot be used; carries every fault, not the first."""

    def __init__(self, faults: Sequence[object]) -> None:
        """Keep *faults*; each one's ``str()`` is ``file:line:column key: what is wrong``."""
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = tuple(faults)


class PolicyError(IbcfError):
    """A policy that cannot be compiled or run."""


class NumberingError(IbcfError):
    """A number or an ENUM record that breaks its grammar."""


class CoreError(IbcfError):
    """The Rust core refused something."""


class SnapshotRefusedError(CoreError):
    """A snapshot that the core cannot load; the one in force goes on serving."""


class ListRefusedError(CoreError):
    """A list of numbers with lines that are wrong; the text is JSON of `ibcf.boundary.ListFaults`."""


class ListenError(CoreError):
    """A listener that cannot be bound, or that a reload tried to change."""
