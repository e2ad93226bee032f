"""A bad network between a core and the border: a TCP relay that cuts a stream into pieces, stalls, and breaks off.

Like the relay for datagrams it stands at the core's address and looks into no message.

    core <-> inner | relay | outer <-> border
"""

import asyncio
import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from tests.system.support.loop import Loop, running_loop

Address = tuple[str, int]
CHUNK = 65536


@dataclass(frozen=True)
class Manner:
    """How a stream is carried."""

    piece_max: int = CHUNK
    """Bytes are written in pieces of a seeded size up to this many; 1 is byte by byte."""
    stall_s: float = 0
    """How long the relay waits between two pieces."""
    cut_after: int | None = None
    """After this many bytes towards the border the connection breaks, wherever in a message that is."""


class StreamRelay:
    """A running relay: it listens at an address and connects to where it was told from that same address."""

    def __init__(self, loop: Loop, address: str, manner: Manner, seed: int) -> None:
        """Listen on a port that the system chooses."""
        self.address = address
        self.manner = manner
        self.towards: Address | None = None
        self.opened = 0
        self.cut = 0
        self._random = random.Random(seed)  # noqa: S311 - faults are to be repeatable, not secret
        self._loop = loop
        self._writers: list[asyncio.StreamWriter] = []
        self._server = loop.run(self._listen())
        self.port = int(self._server.sockets[0].getsockname()[1])

    def close(self) -> None:
        """Let go of everything."""
        self._loop.run(self._close())

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, self.address, 0)

    async def _close(self) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.sleep(0)

    async def _serve(self, near_in: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        if self.towards is None:
            near_out.transport.abort()
            return
        try:
            far_in, far_out = await asyncio.open_connection(*self.towards, local_addr=(self.address, 0))
        except OSError:
            near_out.transport.abort()
            return
        self.opened += 1
        self._writers += [near_out, far_out]
        for writer in (near_out, far_out):
            # without this the kernel would join our pieces again
            writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.gather(self._carry(near_in, far_out, self.manner.cut_after), self._carry(far_in, near_out, None))
        near_out.transport.abort()
        far_out.transport.abort()

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, left: int | None) -> None:
        with suppress(ConnectionError):
            while data := await source.read(CHUNK):
                at = 0
                while at < len(data):
                    piece = data[at : at + self._random.randint(1, self.manner.piece_max)]
                    if left is not None and (left := left - len(piece)) <= 0:
                        self.cut += 1
                        self._break()
                        return
                    sink.write(piece)
                    await sink.drain()
                    at += len(piece)
                    # also without a stall: the pieces shall leave one by one
                    await asyncio.sleep(self.manner.stall_s)
            if sink.can_write_eof():
                sink.write_eof()

    def _break(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()


@contextmanager
def stream_relays(manner: Manner, *, addresses: list[str], seed: int) -> Iterator[list[StreamRelay]]:
    """Yield one relay for each address."""
    with running_loop() as loop:
        relays = [StreamRelay(loop, address, manner, seed + nth) for nth, address in enumerate(addresses)]
        try:
            yield relays
        finally:
            for relay in relays:
                relay.close()
