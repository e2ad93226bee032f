"""At most one line a second about the same thing: what fails may fail for every call."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(slots=True)
class Pace:
    """Keeps when it was last written about each thing, and how often it was not."""

    clock: Callable[[], float]
    _last: dict[str, tuple[float, int]] = field(default_factory=dict)

    def suppressed(self, about: str) -> int | None:
        """Return how many lines were left out since the last one; nothing when this one is to be left out too.

        >>> now = iter([10.0, 10.5, 11.0])
        >>> pace = Pace(lambda: next(now))
        >>> pace.suppressed("a"), pace.suppressed("a"), pace.suppressed("a")
        (0, None, 1)
        """
        now = self.clock()
        last, suppressed = self._last.get(about, (-1.0, 0))
        if now - last < 1.0:
            self._last[about] = (last, suppressed + 1)
            return None
        self._last[about] = (now, 0)
        return suppressed
