"""What the system accounts to processes: CPU by thread, memory, and what everybody else used meanwhile.

CPU time is the run time of each thread in nanoseconds (`schedstat`), not the ticks of `stat`: at 10 µs a message a tick
of 10 ms is a thousand messages.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TICK_US = 1_000_000 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU time of a process and all that it started, in microseconds by thread."""

    threads: dict[tuple[int, int, str], float]
    """By process, thread and name of the thread."""

    @property
    def total_us(self) -> float:
        """All of it."""
        return sum(self.threads.values())

    def since(self, earlier: Usage) -> Usage:
        """Return what was used after *earlier*."""
        return Usage({key: spent - earlier.threads.get(key, 0.0) for key, spent in self.threads.items()})

    def by_name(self) -> dict[str, float]:
        """Return the time by name of the thread, most first; threads of one name are one line."""
        names: dict[str, float] = {}
        for (_, _, name), spent in self.threads.items():
            names[name] = names.get(name, 0.0) + spent
        return dict(sorted(names.items(), key=lambda entry: -entry[1]))


def tree(pid: int) -> list[int]:
    """Return *pid* and all that descend from it; those that end meanwhile are left out."""
    found, waiting = [], [pid]
    while waiting:
        process = waiting.pop()
        found.append(process)
        for children in sorted((PROC / str(process) / "task").glob("*/children")):
            waiting += [int(child) for child in _text(children).split()]
    return found


def usage(pid: int) -> Usage:
    """Return the CPU time that *pid* and its descendants have used."""
    threads = {}
    for process in tree(pid):
        for thread in sorted((PROC / str(process) / "task").glob("*")):
            spent = _text(thread / "schedstat").split()
            if spent:
                threads[process, int(thread.name), _text(thread / "comm").strip()] = int(spent[0]) / 1000
    return Usage(threads)


def memory_kib(pid: int) -> int:
    """Return the proportional share of memory (PSS) of *pid* and its descendants."""
    shares = 0
    for process in tree(pid):
        for line in _text(PROC / str(process) / "smaps_rollup").splitlines():
            name, _, value = line.partition(":")
            if name == "Pss":
                shares += int(value.split()[0])
    return shares


def busy_us() -> float:
    """Return the CPU time that this machine has spent on anything since it started."""
    return busy_of(_text(PROC / "stat"))


def busy_of(stat: str) -> float:
    """Return the time that the first line of `/proc/stat` calls neither idle nor waiting for a disk.

    >>> busy_of("cpu  10 0 5 1000 7 0 1 0 0 0") / TICK_US
    16.0
    """
    ticks = [int(value) for value in stat.split("\n", 1)[0].split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) * TICK_US


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:  # the process has ended
        return ""
