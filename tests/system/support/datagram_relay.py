"""A bad network between a core and the border: a UDP relay that loses, doubles, delays and reorders by a seed.

The relay stands at the core's own address, so the border takes it for the core. It looks into no message: the core
names the relay's outer port in its Via and its Contact, and so everything crosses the relay both ways.

    core <-> inner | relay | outer <-> border
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Self

from tests.system.support.loop import running_loop
from tests.system.support.weather import Forecast, Weather

Address = tuple[str, int]


class Side(asyncio.DatagramProtocol):
    """One socket of the relay; what it gets goes on through the other one."""

    def __init__(self, forecast: Forecast, learn: Callable[[Address], None]) -> None:
        """Know the weather behind this socket."""
        self.forecast = forecast
        self.transport: asyncio.DatagramTransport | None = None
        self.other: Side | None = None
        self.towards: Address | None = None
        self._learn = learn

    def datagram_received(self, data: bytes, addr: Address) -> None:
        """Let the weather decide."""
        self._learn(addr)
        loop = asyncio.get_running_loop()
        for after_s in self.forecast.copies():
            if after_s:
                loop.call_later(after_s, self._pass_on, data)
            else:
                self._pass_on(data)

    def error_received(self, exc: Exception) -> None:
        """Take no notice of an ICMP error: a bad network swallows those too."""

    def _pass_on(self, data: bytes) -> None:
        other = self.other
        if other is None or other.transport is None or other.transport.is_closing() or other.towards is None:
            return
        other.transport.sendto(data, other.towards)

    def port(self) -> int:
        """Return the port that the system chose."""
        assert self.transport is not None
        return int(self.transport.get_extra_info("sockname")[1])


class DatagramRelay:
    """A running relay at one address."""

    def __init__(self, inner: Side, outer: Side) -> None:
        """Join the two sockets."""
        self._inner, self._outer = inner, outer
        inner.other, outer.other = outer, inner
        self.inner_port, self.outer_port = inner.port(), outer.port()

    @classmethod
    async def open(cls, address: str, weather: Weather, seed: int) -> Self:
        """Bind both sockets at *address*."""
        loop = asyncio.get_running_loop()
        inner = Side(Forecast(weather, seed), lambda source: setattr(inner, "towards", source))
        outer = Side(Forecast(weather, seed + 1), lambda _: None)
        for side in (inner, outer):
            side.transport, _ = await loop.create_datagram_endpoint(partial(same, side), local_addr=(address, 0))
        return cls(inner, outer)

    def join(self, *, border: Address, core: Address | None = None) -> None:
        """Say where the border is; a core that never speaks first must be named too."""
        self._outer.towards = border
        if core is not None:
            self._inner.towards = core

    def counted(self, what: str) -> int:
        """Return how many datagrams of both directions were `seen`, `lost`, `doubled` or `held back`."""
        return self._inner.forecast.counted[what] + self._outer.forecast.counted[what]

    def close(self) -> None:
        """Close both sockets; on the loop's thread."""
        for side in (self._inner, self._outer):
            if side.transport is not None:
                side.transport.close()


def same(side: Side) -> Side:
    """Return the protocol that is there already: asyncio wants a function that makes one."""
    return side


@contextmanager
def datagram_relays(weather: Weather, *, addresses: list[str], seed: int) -> Iterator[list[DatagramRelay]]:
    """Yield one relay for each address, each with weather of its own."""
    with running_loop() as loop:
        relays = [loop.run(DatagramRelay.open(at, weather, seed + 2 * nth)) for nth, at in enumerate(addresses)]
        try:
            yield relays
        finally:
            loop.run(close(relays))


async def close(relays: list[DatagramRelay]) -> None:
    """Close them all, and let the loop see it."""
    for relay in relays:
        relay.close()
    await asyncio.sleep(0)
