"""Section `trace`: where the messages of calls go that a rule mirrors."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ibcf.config.section import Section
from ibcf.config.values import FilePath, Size, SizeBytes, Within


class Trace(Section):
    """Captures (pcap) of the calls that rules with `mirror` mark. They hold whole messages, numbers and all."""

    directory: FilePath
    """Folder of the captures, made when it is missing; relative to this configuration file."""
    size_max: Annotated[SizeBytes, Within(Size(64 * 1024), Size(1 << 30))] = Size(16 * 1024 * 1024)
    """A capture is closed before it is longer."""
    files_kept: Annotated[int, Field(ge=1, le=10_000)] = 10
    """How many captures stay, the open one included; the oldest goes."""
