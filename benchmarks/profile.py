"""Where the CPU of a call goes: samples of the whole proxy (`perf record`) while SIPp calls, sorted into a few parts.

A sample of a worker belongs to the system call that it was in, or to the folder of `core/*/src` whose line it was at;
inlined code counts where it was written. Everything that Python's threads do is two parts: theirs, and the kernel's for
them.
"""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import sipp
from benchmarks.children import Child, program
from benchmarks.record import record
from benchmarks.stage import stage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from benchmarks.place import Place
    from benchmarks.results import Run
    from benchmarks.subject import Subject
    from benchmarks.work import Work

HERTZ = 4_999
"""Not a divisor of the system's tick."""
PACKET_THREADS = "ibcf-"
"""How the threads that carry messages are called, of the border and of the forwarder."""
KERNEL = "[kernel.kallsyms]"
CORE = "_core.abi3.so"
LIBRARIES = "core: libraries"
"""Search, hashes, AES, allocation and copies: functions of others that were not inlined."""
_SYSTEM_CALL = re.compile(r"__(?:x64|arm64)_sys_(\w+)")
_SOURCE = re.compile(r"core/(sip|net|python)/src/(\w+)")
_FRAME = re.compile(r"\s+([0-9a-f]+) (.+) \((.+)\)$")


@dataclass(frozen=True, slots=True)
class Frame:
    """One level of a call stack."""

    address: int
    """As an offset in the file, where it is of one."""
    symbol: str
    binary: str


@dataclass(frozen=True, slots=True)
class Sample:
    """Where a thread was, innermost first."""

    thread: str
    frames: tuple[Frame, ...]


def profile(subject: Subject, work: Work, place: Place) -> Run:
    """Measure as for the cost of a call, and sort what the proxy did meanwhile."""
    with stage(subject, place) as up:
        sipp.prove(up, work)
        assert up.proxy is not None  # noqa: S101 - `direct` has no cost
        data = place.folder / "perf.data"
        outcome = sipp.measure(up, work, during=_recorder(up.proxy.pid, data, place))
        run = record(up, work, outcome, generator="sipp", kind="profile")
    found = list(samples(_script(data)))
    counts = Counter(parts(found, Sources.of(found)))
    whole = counts.total() or 1
    run.parts_us = {part: round((run.proxy_us or 0.0) * count / whole, 2) for part, count in counts.most_common()}
    return run


@contextlib.contextmanager
def _recorder(pid: int, data: Path, place: Place) -> Iterator[None]:
    command: list[str | Path] = [program("perf", remedy="apt-get install linux-perf"), "record", "--quiet", "-g"]
    command += ["-e", "cpu-clock", "-F", str(HERTZ), "-p", str(pid), "-o", data]
    with Child(command, folder=place.folder, name="perf", cpus=place.cores.others) as recorder:
        recorder.wait_for(data.exists, deadline_s=10, what="samples are taken")
        try:
            yield
        finally:
            recorder.stop(by=signal.SIGINT, grace_s=20)


def _script(data: Path) -> Iterable[str]:
    command = [program("perf", remedy=""), "script", "-i", str(data), "-F", "comm,ip,sym,dso", "--no-inline"]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)  # noqa: S603
    return told.stdout.decode(errors="replace").splitlines()


def samples(lines: Iterable[str]) -> Iterator[Sample]:
    r"""Read what `perf script` tells.

    >>> list(samples(["ibcf-worker-0 ", "\t  ffff81 __x64_sys_sendmmsg ([kernel.kallsyms])", ""]))[0].thread
    'ibcf-worker-0'
    """
    thread, frames = "", list[Frame]()
    for line in lines:
        if found := _FRAME.match(line):
            address, symbol, binary = found.groups()
            frames.append(Frame(int(address, 16), symbol, binary))
            continue
        if frames:
            yield Sample(thread, tuple(frames))
            frames = []
        thread = line.strip() or thread
    if frames:
        yield Sample(thread, tuple(frames))


class Sources:
    """The folder of the core that an address was written in."""

    def __init__(self, folders: dict[int, str]) -> None:
        """Know what was found."""
        self._folders = folders

    @classmethod
    def of(cls, found: Iterable[Sample]) -> Sources:
        """Look up every place in the core that a sample begins with."""
        leaves = (sample.frames[0] for sample in found)
        places = sorted({(leaf.binary, leaf.address) for leaf in leaves if leaf.binary.endswith(CORE)})
        if not places:
            return cls({})
        library = Path(places[0][0])
        command = [program("addr2line", remedy="apt-get install binutils"), "-a", "-i", "-e", str(library)]
        shift = _shift(library)
        asked = "".join(f"{offset + shift:#x}\n" for _, offset in places)
        told = subprocess.run(command, check=True, input=asked, stdout=subprocess.PIPE, text=True)  # noqa: S603
        answers = re.split(r"^0x[0-9a-f]+\n", told.stdout, flags=re.MULTILINE)[1:]
        return cls({offset: folder_of(answer) for (_, offset), answer in zip(places, answers, strict=True)})

    def __getitem__(self, address: int) -> str:
        """Return the part of an address in the core."""
        return self._folders.get(address, LIBRARIES)


def folder_of(lines: str) -> str:
    r"""Return the part that the innermost line of ours belongs to, of the lines that were inlined into one another.

    >>> folder_of("/rustc/0/library/core/src/slice/iter.rs:9\n/x/core/sip/src/parse/check.rs:3\n")
    'core: parse'
    """
    found = _SOURCE.search(lines)
    if found is None:
        return LIBRARIES
    crate, folder = found.groups()
    return f"core: {folder}" if crate == "sip" else "core: transport"


def _shift(library: Path) -> int:
    """Return what to add to an offset in the file, which `perf` tells, for an address that its line table speaks of."""
    command = [program("readelf", remedy="apt-get install binutils"), "-lW", str(library)]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout  # noqa: S603
    for line in told.splitlines():
        words = line.split()
        if words[:1] == ["LOAD"] and "E" in words[6:-1]:
            return int(words[2], 16) - int(words[1], 16)
    raise LookupError(f"{library} has no executable segment")


def parts(found: Iterable[Sample], sources: Sources) -> Iterator[str]:
    """Name the part of each sample."""
    for sample in found:
        leaf = sample.frames[0]
        carries = sample.thread.startswith(PACKET_THREADS)
        if leaf.binary == KERNEL:
            yield f"kernel: {_system_call(sample)}" if carries else "Python's threads: kernel"
        elif not carries:
            yield "Python's threads"
        else:
            yield sources[leaf.address]


def _system_call(sample: Sample) -> str:
    for frame in sample.frames:
        if found := _SYSTEM_CALL.match(frame.symbol):
            return found[1]
    return "between calls"
