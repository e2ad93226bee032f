"""The figures of every run as they were measured, one JSON object a line; nothing is thrown away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

Verdict = Literal["good", "disturbed", "generator", "failed", "missing"]
"""`disturbed`: others used the machine; `generator`: its limit, not the peer's; `failed`: calls failed: no figure;
`missing`: something that the peer needs is not installed."""
Kind = Literal["cost", "step", "limit", "transit", "memory", "growth", "storm", "profile", "workers"]
"""`step` is one rate on the way to a limit, `limit` the highest of them at which no call failed."""


class Percentiles(msgspec.Struct, frozen=True):
    """Of a duration, in microseconds."""

    p50: float
    p99: float


class Sitting(msgspec.Struct, frozen=True, kw_only=True, tag="sitting", tag_field="record"):
    """What all runs of one start of the rig have in common."""

    started: str
    """UTC."""
    commit: str
    cpu: str
    cores: int
    kernel: str
    memory_gib: int
    versions: dict[str, str]
    proxy_alone: bool
    """Had the proxy a core to itself?"""
    quick: bool = False


class Run(msgspec.Struct, kw_only=True, omit_defaults=True, tag="run", tag_field="record"):
    """One run."""

    kind: Kind
    peer: str
    level: int
    transport: str
    generator: str
    scenario: str
    rate: int
    verdict: Verdict = "good"
    at: str = ""
    calls: int = 0
    ok: int = 0
    failed: int = 0
    retransmissions: int = 0
    causes: dict[str, int] = {}
    seconds: float = 0.0
    proxy_us: float | None = None
    """CPU of the peer for each call that went well."""
    threads_us: dict[str, float] = {}
    """The same by name of its threads."""
    parts_us: dict[str, float] = {}
    """The same by what it was spent on, of a profile."""
    cpu_us: dict[str, float] = {}
    """The same of all others that took part: caller, callee, name server."""
    others_cpu: float = 0.0
    """Cores that processes outside the measurement used meanwhile."""
    lag_us: Percentiles | None = None
    """How late the generator was."""
    invite_us: Percentiles | None = None
    """From the caller to the called side through the peer."""
    answer_us: Percentiles | None = None
    """The 200 on its way back."""
    memory_kib: int | None = None
    """Share of the system's memory at the end (PSS)."""
    state: str = ""
    """Of a memory or growth run: what fills the peer."""
    in_progress: int = 0
    """Calls that were in progress."""
    problem: str = ""
    """Why there is no figure."""
    call_bytes: float | None = None
    """Memory for each of them."""


Record = Sitting | Run


def encode(record: Record) -> bytes:
    """Return a line."""
    return msgspec.json.encode(record) + b"\n"


def append(path: Path, record: Record) -> None:
    """Add a line to a file of results."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as lines:
        lines.write(encode(record))


def read(path: Path) -> list[Record]:
    """Return all lines of a file of results."""
    return decode(path.read_bytes().splitlines())


def decode(lines: Iterable[bytes]) -> list[Record]:
    """Return lines as records."""
    decoder: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Sitting | Run)
    return [decoder.decode(line) for line in lines if line.strip()]
