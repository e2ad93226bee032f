"""Section `logs`: what is written, and how much of a number it may show."""

from __future__ import annotations

from typing import Literal

from ibcf.config.section import Section


class Logs(Section):
    """What is written, and how much of a number it may show."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least level that is written."""
    numbers: Literal["masked", "full"] = "masked"
    """`masked` hides the last digits of every number."""
