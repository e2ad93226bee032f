# ruff: noqa: PYI021 - these docstrings are the documentation of a module that has no other source in Python
"""The boundary between Python and the Rust core: everything that crosses it.

What crosses is bytes: SIP, and JSON whose types are in `ibcf.boundary` (the snapshot's are in
`core/sip/src/snapshot/document.rs`, written by `ibcf.policy.compile`). Every call copies what it takes and gives; the
core keeps no Python object, and none of its threads ever waits for the interpreter.

Threads: every method of `Core` and `Engine` may be called from any thread, and several at once. Calls that may take
longer than a few microseconds release the GIL. None of them runs Python code.

Exceptions are those of `ibcf.errors`. Arguments of a wrong type raise `TypeError`, numbers out of range
`OverflowError`. SIP never raises: a message that is refused is an event.
"""

from collections.abc import Mapping
from typing import Final, final

__all__ = [
    "CDR_HEAD",
    "SNAPSHOT_VERSION",
    "Core",
    "Engine",
    "NumberList",
    "Outputs",
    "__version__",
    "check_snapshot",
    "hook_fault",
    "mask_numbers",
    "reasons",
]

CDR_HEAD: Final[bytes]
"""How the line of every CDR begins; its number follows, then what `Core.events` gave."""

SNAPSHOT_VERSION: Final[int]
"""The version of the snapshot document that this core reads; it refuses all others."""

__version__: Final[str]
"""The version of the core; the same as that of the package."""

def reasons() -> bytes:
    """Return the closed catalogue of reasons (JSON array of `ibcf.boundary.Reason`), in the order of the stages."""

@final
class NumberList:
    """A list of numbers or prefixes, read once and shared by every snapshot that names it. Never changes."""

    def __new__(cls, text: bytes) -> NumberList:
        """Read a list: a line an entry, `+` and up to 15 digits, behind a comma its class if it has one.

        Blanks around both, empty lines, and what stands behind a `#` do not count; a first line of words is a heading.
        Blocks for about a second for a million lines, with the GIL released.

        Raises:
            ListRefusedError: lines of it are wrong; the text is JSON of `ibcf.boundary.ListFaults`.
        """

    def __len__(self) -> int:
        """Return how many entries there are."""

    def classes(self) -> list[str]:
        """Return the names of the classes that its entries have."""

    def memory(self) -> int:
        """Return how many bytes it takes."""

    def longest(self, number: str) -> bytes:
        """Return the longest entry that *number* begins with, as JSON: its count of digits and its class; or null."""

def check_snapshot(snapshot: bytes, *, lists: Mapping[str, NumberList] = ...) -> None:
    """Load *snapshot* as the core would, and forget it. Nothing is bound and nothing starts.

    Blocks for as long as compiling takes, with the GIL released.

    Raises:
        SnapshotRefusedError: it cannot be loaded; the text says where and why.
    """

def hook_fault(verdict: bytes, uri_bytes_max: int) -> str | None:
    """Return what is wrong with the verdict of a hook (JSON of `ibcf.boundary.HookVerdict`), as the core would find it.

    Tags and peers are looked at where the policy is known. *uri_bytes_max* is that of section `limits`.
    """

def mask_numbers(text: str) -> str:
    """Hide the last four digits of every number in *text*: alone, in sip and tel URIs, and in ENUM names (ENUM-52).

    Numbers without `+` are known only by the URI they stand in; those of up to four digits (service numbers) stay.
    """

@final
class Core:
    """The running border: worker threads and sockets.

    Life: make it (binds), `start`, serve, `drain`, `stop`. It cannot be started again. Dropping the last
    reference stops it.

    Whoever serves it watches `fileno` and, when that is readable, calls `questions` and `events` until both give
    less than their limit, or once each: the descriptor stays readable while anything is left.
    """

    def __new__(
        cls,
        snapshot: bytes,
        *,
        lists: Mapping[str, NumberList] = ...,
        workers: int = 1,
        pin_workers: bool = False,
    ) -> Core:
        """Load *snapshot* and bind its listeners, one socket for each of the *workers* (1 to 64).

        With *pin_workers*, worker n stays on the nth CPU that this process may use, counted round when there are fewer.

        Blocks for as long as compiling takes, with the GIL released. From then on the system keeps datagrams in the
        sockets; they are served after `start`. With port 0 the system chooses, see `listeners`.

        Raises:
            SnapshotRefusedError: the snapshot cannot be loaded.
            ListenError: an address cannot be bound; the text names listener, address and cause.
            CoreError: *workers* is out of range, or the system gives no descriptors.
        """

    def start(self) -> None:
        """Start the worker threads. Does not wait for them.

        Raises:
            CoreError: it runs already, was stopped, or the system gives no thread.
        """

    def listeners(self) -> list[tuple[str, str]]:
        """Return id and bound address (`ip:port`, `[ip]:port`) of each listener, in the order of the snapshot."""

    def apply(self, snapshot: bytes, *, lists: Mapping[str, NumberList] = ...) -> None:
        """Put *snapshot* in force, for all that begins from now on; what is in progress keeps its own.

        Returns when every worker serves it: blocks for as long as compiling and one turn of each worker take, with the
        GIL released. On any exception but the last one, the snapshot in force goes on serving.

        Raises:
            SnapshotRefusedError: it cannot be loaded.
            ListenError: its listeners are not the ones that are bound; that takes a restart.
            CoreError: the core was stopped; or a worker did not carry it out within 5 s, and will when it can.
        """

    def set_targets(self, sets: bytes) -> None:
        """Tell where peers were located (JSON array of `ibcf.boundary.TargetSet`); each set replaces the one before.

        Returns when every worker knows. Has no effect before `start`; a set for a peer that lists its targets itself,
        or that is not there, is ignored. The sets outlive `apply` as long as the peer does.

        Raises:
            CoreError: not such an array, none of it was taken; or a worker did not carry it out within 5 s.
        """

    def fileno(self) -> int:
        """Return a descriptor that is readable while questions or events wait.

        It belongs to the core and is the same for its whole life: watch it (`loop.add_reader`), never read or close it.
        """

    def questions(self, limit: int = 256) -> bytes:
        """Take up to *limit* questions, oldest first (JSON array of `ibcf.boundary.Question`). Never blocks.

        A question ends by its own deadline, answered or not; one that found no room in the queue (the snapshot's
        `questions_max`) was never seen here and is counted.
        """

    def answer(self, answers: bytes) -> None:
        """Give answers (JSON array of `ibcf.boundary.Answer`) to the workers that asked. Never blocks.

        One that comes too late, or to a question that nobody asked, is counted and dropped.

        Raises:
            CoreError: not such an array; none of it was taken.
        """

    def mirrored(self, limit: int = 256) -> bytes:
        """Take up to *limit* messages of calls that a rule mirrors (JSON array of `ibcf.boundary.MirroredMessage`).

        Oldest first; may be empty. Nothing becomes readable when there are some: come from time to time. At most 2,048
        wait; what finds no room is counted as `ibcf_queue_dropped_total{queue="trace"}`.
        """

    def sample(self, share: int) -> None:
        """Keep from now on *share* of 10,000 requests that begin something for `samples`, by Call-ID; none with 0.

        Raises:
            OverflowError: *share* is negative or above 65,535.
        """

    def samples(self, limit: int = 64) -> bytes:
        """Take up to *limit* sampled requests (JSON array of `ibcf.boundary.SampledRequest`), oldest first.

        Nothing becomes readable when there are some: come from time to time. At most 256 wait; what finds no room is
        counted as `ibcf_queue_dropped_total{queue="samples"}`.
        """

    def events(self, limit: int = 1024, *, masked: bool = True, level: str = "info") -> tuple[bytes, bytes, bytes]:
        """Take up to *limit* events, oldest first. Never blocks; writes what it gives with the GIL released.

        Returns three things, each in the order in which it happened:

        - what happened beside calls (JSON array of `ibcf.boundary.Event`),
        - the CDR of each finished call or standalone transaction, a line each: what follows `CDR_HEAD` and its number.
          A number is given where the record is written, so that a gap shows what was lost on the way,
        - its log line, unless that is below *level* (`debug`, `info`, `warning`, `error`), as a JSON object with the
          time of now; *masked* hides the numbers in it as `mask_numbers` does.

        What the lines have is documented where they are written: `core/sip/src/event/cdr.rs` and `call_line.rs`. Each
        ends with a newline and has no other. Name and address of the node in them are those that the core began with.

        Patterns look at the calls that are fetched, and at the time: what they tell stands among the events, also when
        no call is there, so whoever has patterns calls this about once a second.

        When nobody takes events, they are dropped and counted, except the charging ones, which wait in the workers.
        After `stop`, call it until there are neither: records of calls that were still up are among them.

        Raises:
            CoreError: *level* is none.
        """

    def statistics(self) -> bytes:
        """Return all counters since the start (JSON array of `ibcf.boundary.Family`). Never blocks the workers."""

    def held(self) -> bytes:
        """Return the keys that patterns found and that are not let go yet (JSON array of `ibcf.boundary.Held`)."""

    def lift(self, pattern: str | None = None, key: str | None = None) -> bytes:
        """Let go what patterns hold, of one pattern or of all, one key or all (JSON array of `ibcf.boundary.Event`)."""

    def drain(self) -> None:
        """Take no new calls (503) from now on; what is in progress goes on. There is no way back.

        Returns when every worker refuses new calls: blocks for one turn of each, with the GIL released. Has no effect
        before `start`.

        Raises:
            CoreError: a worker did not carry it out within 5 s, and will when it can.
        """

    def is_idle(self) -> bool:
        """Tell whether every request has its final response and no message waits. True before `start` and after `stop`.

        Transactions that only absorb repetitions (RFC 3261 §17: Timers I, J, L) do not count.
        """

    def stop(self) -> None:
        """End the workers and close the sockets, now; calls that are still up get their records.

        Blocks until the threads are gone (milliseconds), with the GIL released. More than once does no harm.
        """

@final
class Engine:
    """One border without sockets, threads and clock: the same code that the workers of a `Core` run.

    For `ibcf explain`, policy tests and property tests. Time is what the caller says (*now_ms*: milliseconds since
    1970, never less than before). Two engines with the same snapshot, seed and calls give the same bytes.
    Listeners with port 0 have port 5060 here. Calls wait for each other, with the GIL released.

    A defect of the core shows as `pyo3_runtime.PanicException`, which is no `Exception`.
    """

    def __new__(
        cls,
        snapshot: bytes,
        *,
        lists: Mapping[str, NumberList] = ...,
        seed: int = 0,
        trace: bool = False,
    ) -> Engine:
        """Load *snapshot*. With *trace*, `Outputs.trace` tells what each stage did.

        Raises:
            SnapshotRefusedError: it cannot be loaded.
        """

    def receive(self, listener: str, source: str, data: bytes, *, now_ms: int, peer: str | None = None) -> Outputs:
        """Handle a message that came from *source* (`ip:port`) to the listener of that id. Due timers fire first.

        To a TLS listener, *peer* is the id of the peer that a certificate proved; elsewhere the address tells.

        Raises:
            CoreError: there is no such listener, or *source* is not an address with a port.
        """

    def answer(self, answers: bytes, *, now_ms: int) -> Outputs:
        """Handle answers to questions (JSON array of `ibcf.boundary.Answer`). Due timers fire first.

        Raises:
            CoreError: not such an array.
        """

    def set_targets(self, sets: bytes, *, now_ms: int) -> Outputs:
        """Tell where peers were located (JSON array of `ibcf.boundary.TargetSet`). Due timers fire first.

        Raises:
            CoreError: not such an array.
        """

    def advance(self, *, now_ms: int) -> Outputs:
        """Let time pass until *now_ms*: each timer fires at its own time, in order."""

@final
class Outputs:
    """What came of one call of an `Engine`."""

    @property
    def sends(self) -> list[tuple[str, str, bytes]]:
        """Datagrams in the order in which they leave: id of the listener, destination (`ip:port`), bytes."""

    @property
    def questions(self) -> bytes:
        """Questions (JSON array of `ibcf.boundary.Question`)."""

    @property
    def events(self) -> bytes:
        """What happened beside calls (JSON array of `ibcf.boundary.Event`)."""

    @property
    def cdrs(self) -> bytes:
        """The whole CDR of each call that is over, a line each, numbered on from 1 for the engine."""

    @property
    def trace(self) -> bytes:
        """What the stages did, in order (JSON array, see `core/sip/src/trace.rs`); empty unless asked for."""
