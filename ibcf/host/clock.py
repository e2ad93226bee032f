"""Whether somebody keeps the clock of this host: adjtimex(2), which the standard library does not offer."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Final

_STA_UNSYNC: Final = 0x0040
_TIME_ERROR: Final = 5


@dataclass(frozen=True, slots=True)
class ClockState:
    """What the kernel knows of its clock."""

    is_synchronised: bool
    error_us_max: int
    """By how much it may be wrong, as whoever keeps it says; grows while nobody does."""


class _Timex(ctypes.Structure):
    """The first fields of `struct timex`; the rest is room for what the kernel writes behind them."""

    _fields_ = (
        ("modes", ctypes.c_uint),  # 0: nothing is set
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 256),
    )


def state() -> ClockState | None:
    """Ask the kernel; `None` when it does not say."""
    try:
        ask = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):
        return None
    timex = _Timex()
    answer = ask(ctypes.byref(timex))
    if answer < 0:
        return None
    is_synchronised = answer != _TIME_ERROR and not timex.status & _STA_UNSYNC
    return ClockState(is_synchronised, timex.maxerror)
