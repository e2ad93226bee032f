"""Section `charging`: where charging records go."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from ibcf.config.section import Section
from ibcf.config.values import Duration, FilePath, Size, SizeBytes, Within


class Charging(Section):
    """Where charging records go, and when a new file begins."""

    directory: FilePath
    """Folder of the record files, made when it is missing; relative to this configuration file."""
    rotate_size: Annotated[SizeBytes, Within(Size(4096), Size(1 << 40))] = Size(64 * 1024 * 1024)
    """A file is closed when it is this long."""
    rotate_interval: Annotated[Duration, Within(timedelta(seconds=1), timedelta(days=31))] = timedelta(hours=1)
    """A file is closed when it is this old."""
    files_kept: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """How many closed files stay; 0 keeps all of them."""
