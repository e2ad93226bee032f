"""Section `reload`: when a changed configuration takes effect, and what it has to pass first."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from ibcf.config.section import Section
from ibcf.config.values import Duration, Within


class Reload(Section):
    """When a changed configuration takes effect, besides on SIGHUP and by `ibcf policy reload`."""

    on_change: bool = False
    """Also when the file, or one that it names, has changed and then stays the same for a moment; a ConfigMap of
    Kubernetes, whose files are swapped by a symbolic link, is seen too."""
    check_interval: Annotated[Duration, Within(timedelta(milliseconds=100), timedelta(hours=1))] = timedelta(seconds=2)
    """How often the files are looked at."""
    run_tests: bool = True
    """The cases beside the file (`NAME_test.yaml`) have to pass."""
    generations_kept: Annotated[int, Field(ge=1, le=100)] = 5
    """So many generations can be gone back to."""
