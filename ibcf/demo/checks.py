"""What a story claims beside what was seen: the demonstration is worth something only if it can fail."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Check:
    """One claim."""

    what: str
    told: object
    seen: object

    @property
    def holds(self) -> bool:
        """Tell whether it was as told."""
        return self.told == self.seen

    def __str__(self) -> str:
        """Say it in one line."""
        if self.holds:
            return f"{self.what}: {self.seen}"
        return f"{self.what}: expected {self.told!r}, saw {self.seen!r}"


@dataclass(slots=True)
class Checks:
    """The claims of one story."""

    items: list[Check] = field(default_factory=list)

    def equal(self, what: str, seen: object, told: object) -> None:
        """Claim that *what* is *told*."""
        self.items.append(Check(what, told, seen))

    @property
    def hold(self) -> bool:
        """Tell whether all of it was as told."""
        return all(check.holds for check in self.items)

    def __iter__(self) -> Iterator[Check]:
        """Go through all of them."""
        return iter(self.items)

    def broken(self) -> list[Check]:
        """Return those that were not as told."""
        return [check for check in self.items if not check.holds]
