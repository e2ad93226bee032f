"""Is the process alive, and may new calls be sent to it?

Ready means: listeners bound and a policy loaded, and not draining. A peer, DNS or the disk being down does not make the
border unready, or one outage would become two.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """Life of the service."""

    STARTING = "starting"
    SERVING = "serving"
    DRAINING = "draining"
    STOPPED = "stopped"


@dataclass(slots=True)
class Health:
    """What the health endpoints answer from."""

    state: State = State.STARTING
    fault: str | None = None
    """Why the process cannot go on, when that is so."""

    @property
    def is_live(self) -> bool:
        """Tell whether a restart would not help."""
        return self.fault is None and self.state is not State.STOPPED

    @property
    def is_ready(self) -> bool:
        """Tell whether new calls are welcome."""
        return self.fault is None and self.state is State.SERVING
