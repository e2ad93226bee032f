"""What a network does to datagrams, from a seed: the same datagrams in the same order suffer the same again."""

import random
from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Weather:
    """How bad a network is; each share is between 0 and 1."""

    loss: float = 0
    duplication: float = 0
    reordering: float = 0
    """The share of datagrams that are held back until others have overtaken them."""
    delay_s: float = 0
    jitter_s: float = 0
    overtaken_s: float = 0.02
    """How long a datagram that is to be overtaken is held back."""


@dataclass
class Forecast:
    """The weather of one direction as it comes."""

    weather: Weather
    seed: int
    counted: Counter[str] = field(default_factory=Counter)
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        """Start where the seed says."""
        self._random = random.Random(self.seed)  # noqa: S311 - faults are to be repeatable, not secret

    def copies(self) -> list[float]:
        """Return after how many seconds each copy of the next datagram arrives: none when it is lost."""
        weather = self.weather
        # every question is asked each time, so that one setting does not shift the answers of another
        lost, doubled, held, spread = (self._random.random() for _ in range(4))
        self.counted["seen"] += 1
        if lost < weather.loss:
            self.counted["lost"] += 1
            return []
        first = weather.delay_s + weather.jitter_s * spread
        if held < weather.reordering:
            self.counted["held back"] += 1
            first += weather.overtaken_s
        if doubled < weather.duplication:
            self.counted["doubled"] += 1
            return [first, first + weather.jitter_s]
        return [first]
