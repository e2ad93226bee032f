"""What is to be reached, as a table; each row says which figures are divided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.figures import Key

if TYPE_CHECKING:
    from benchmarks.work import Generator

OURS, KAMAILIO, CACHED, FORWARDER = "ibcf", "kamailio", "kamailio-cache", "forwarder:L1"


@dataclass(frozen=True, slots=True)
class Target:
    """A figure of ours, against another or by itself, and the bound of the quotient or the figure."""

    what: str
    ours: Key
    bound: float
    against: Key | None = None
    unit: str = "µs"
    at_least: bool = False

    def is_met(self, value: float) -> bool:
        """Is a quotient, or a figure that stands by itself, on the right side of the bound?"""
        return value >= self.bound if self.at_least else value <= self.bound


def generator_at(rate: int) -> Generator:
    """Return who calls where the cost of a call is measured: SIPp as far as it goes."""
    return "sipp" if rate <= SIPP_RATE_MAX else "load"


def _cost(subject: str, rate: int, generator: str | None = None) -> Key:
    return Key("cost", subject, rate=rate, generator=generator or generator_at(rate))


def _cost_rows(level: int, rates: tuple[int, ...], bounds: dict[str, float]) -> list[Target]:
    return [
        Target(f"L{level} CPU a call, {rate:,}/s", _cost(f"{OURS}:L{level}", rate), bound, _cost(other, rate))
        for rate in rates
        for other, bound in bounds.items()
    ]


def _transit_rows(rates: tuple[int, ...]) -> list[Target]:
    def key(subject: str, rate: int, percentile: str) -> Key:
        return Key("transit", subject, f"invite_{percentile}", rate)

    return [
        Target(
            f"L3 transit of an INVITE, {percentile}, {rate:,}/s",
            key(f"{OURS}:L3", rate, percentile),
            bound,
            key(FORWARDER, rate, percentile),
        )
        for rate in rates
        for percentile, bound in (("p50", 1.5), ("p99", 3.0))
    ]


def _stream_rows(rate: int) -> list[Target]:
    return [
        Target(
            f"{transport.upper()} CPU a call, {rate:,}/s",
            _cost(f"{OURS}:L1:{transport}", rate, "load"),
            bound,
            _cost(f"{OURS}:L1", rate, "load"),
        )
        for transport, bound in (("tcp", 1.6), ("tls", 2.2))
    ]


RATES = (400, 1_500, 3_500)
SIPP_RATE_MAX = 2_000
"""From where on SIPp, on one core for both sides, may lose calls of its own."""
NUMBER_RATES = (400, 1_200)
"""Kamailio looks numbers up at 1,800 calls a second at most."""
TRANSIT_RATES = (100, 1_500)
STREAM_RATE = 1_500
GROWTH_RATE = 1_000
EMPTY, FULL, POLICY = "empty", "calls", "policy"
"""States of the runs that look for growth."""

TARGETS: tuple[Target, ...] = (
    *_cost_rows(1, RATES, {FORWARDER: 1.5, f"{KAMAILIO}:L1": 0.6}),
    *_cost_rows(2, RATES, {f"{KAMAILIO}:L2": 0.55}),
    *_cost_rows(3, NUMBER_RATES, {f"{KAMAILIO}:L3": 0.35, f"{CACHED}:L3": 0.45}),
    Target(
        "L3 highest clean rate on one core",
        Key("limit", f"{OURS}:L3", "rate"),
        4.0,
        Key("limit", f"{KAMAILIO}:L3", "rate"),
        unit="/s",
        at_least=True,
    ),
    *(
        Target(
            f"two workers against one, {title}",
            Key("workers", f"{OURS}:L2", "rate", state=state),
            1.7,
            Key("workers", f"{OURS}:L2", "rate", state="one"),
            unit="/s",
            at_least=True,
        )
        for title, state in (("each message at its owner", "two"), ("all from one address and port", "one flow"))
    ),
    *_transit_rows(TRANSIT_RATES),
    Target("memory of a ringing call", Key("memory", f"{OURS}:L2", "bytes", state="ringing"), 6 * 1024, unit="B"),
    Target("memory of an answered call", Key("memory", f"{OURS}:L2", "bytes", state="answered"), 1024, unit="B"),
    *(
        Target(
            f"growth: {title}",
            Key("growth", f"{OURS}:L2", state=state),
            1.15,
            Key("growth", f"{OURS}:L2", state=EMPTY),
        )
        for title, state in (
            ("100,000 calls in progress", FULL),
            ("1,000 peers and 10,000 rules", POLICY),
        )
    ),
    *_stream_rows(STREAM_RATE),
)
