"""Section `node`: who this node is."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ibcf.config.section import Section
from ibcf.config.values import Domain, Id


class Node(Section):
    """Who this node is."""

    name: Id
    """Name for logs, charging records and `icid-generated-at`."""
    domain: Domain
    """Domain of the home network; a Request-URI or Route that names it is ours."""
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    """Worker threads; one for each core of the machine is a good start."""
    pin_workers: bool = False
    """Keeps each worker on a CPU of its own: for a machine that serves nothing else."""
