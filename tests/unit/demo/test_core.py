import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from ibcf.demo import core as core_module
from ibcf.demo.core import Address, Plan, Profile, ToyCore
from ibcf.demo.message import Message
from ibcf.demo.wire import Wire

T1 = 0.02
Drop = Callable[[bytes], bool]


class Middle(asyncio.DatagramProtocol):
    """A stateless hop between two cores, in the place of the border; it may lose datagrams."""

    def __init__(self) -> None:
        """Make a hop that loses nothing and knows nobody yet."""
        self.ends: dict[Address, Address] = {}
        self.lose: Drop = lambda _data: False
        self.transport: asyncio.DatagramTransport | None = None

    async def open(self) -> Address:
        """Bind, and return where."""
        loop = asyncio.get_running_loop()
        self.transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        host, port = self.transport.get_extra_info("sockname")[:2]
        return host, port

    def datagram_received(self, data: bytes, addr: Address) -> None:
        """Pass on to the other end; a Record-Route names this hop."""
        if self.transport is None or self.lose(data):
            return
        if data.startswith(b"INVITE"):
            host, port = self.transport.get_extra_info("sockname")[:2]
            line, _, rest = data.partition(b"\r\n")
            data = line + f"\r\nRecord-Route: <sip:{host}:{port};lr>\r\n".encode() + rest
        self.transport.sendto(data, self.ends[addr])


class Table:
    """Two cores with a hop between them."""

    def __init__(self, a: ToyCore, b: ToyCore, middle: Middle, hop: Address) -> None:
        """Keep who is there."""
        self.a, self.b, self.middle, self.hop = a, b, middle, hop
        self.wire = a.wire

    def lose_first(self, start: bytes) -> None:
        """Lose the first datagram that begins so."""
        left = [start]

        def lose(data: bytes) -> bool:
            if left and data.startswith(left[0]):
                left.clear()
                return True
            return False

        self.middle.lose = lose


@pytest.fixture
async def table() -> AsyncIterator[Table]:
    """Set two cores and the hop on loopback."""
    wire, middle = Wire(), Middle()
    a, b = (ToyCore(Profile(name, name, f"{name}.example"), wire, t1=T1) for name in "ab")
    hop = await middle.open()
    await a.open("127.0.0.1")
    await b.open("127.0.0.1")
    middle.ends = {a.address: b.address, b.address: a.address}
    yield Table(a, b, middle, hop)
    a.close()
    b.close()
    if middle.transport is not None:
        middle.transport.close()


async def test_call_is_answered_and_ended(table: Table) -> None:
    """A call rings, is answered, acknowledged along the Record-Route, and ended by a BYE."""
    call = await table.a.call("tel:+441632960083", through=table.hop, call_id="one")
    assert call.statuses == [180, 200]
    ended = await call.hang_up()
    assert ended.status == 200
    assert [message.method for message in table.wire.requests("b")] == ["INVITE", "ACK", "BYE"]
    bye = table.wire.requests("b", "BYE")[0]
    assert bye.lines("Route") == (f"<sip:{table.hop[0]}:{table.hop[1]};lr>",)
    assert bye.request_uri == f"sip:ue@{table.b.where}"
    assert bye.number == 2
    assert bye.first("To") == call.final.first("To")
    assert not table.wire.unreadable


@pytest.mark.parametrize("start", [b"INVITE", b"SIP/2.0 200", b"ACK", b"BYE"])
async def test_what_is_lost_is_sent_again(table: Table, start: bytes) -> None:
    """A lost request, a lost answer and a lost ACK do not end a call, and each message counts once."""
    table.lose_first(start)
    call = await table.a.call("tel:+441632960083", through=table.hop, call_id="one")
    assert call.final.status == 200
    await _until(lambda: len(table.wire.requests("b", "ACK")) == 1)
    assert (await call.hang_up()).status == 200
    assert [message.method for message in table.wire.requests("b")] == ["INVITE", "ACK", "BYE"]


async def test_refusal_is_acknowledged_in_its_transaction(table: Table) -> None:
    """A failure is passed up, and its ACK has the branch of the INVITE (RFC 3261 §17.1.1.3)."""
    table.b.plan = Plan(503, "Service Unavailable")
    call = await table.a.call("tel:+441632960083", through=table.hop, call_id="one")
    assert (call.final.status, call.final.phrase) == (503, "Service Unavailable")
    await _until(lambda: bool(table.wire.requests("b", "ACK")))
    invite, ack = table.wire.requests("b")
    assert ack.branch == invite.branch
    assert ack.first("To") == call.final.first("To")


async def test_lost_ack_of_a_refusal_is_repeated(table: Table) -> None:
    """A callee that hears no ACK says no again, and is heard."""
    table.b.plan = Plan(486, "Busy Here")
    table.lose_first(b"ACK")
    await table.a.call("tel:+441632960083", through=table.hop, call_id="one")
    await _until(lambda: bool(table.wire.requests("b", "ACK")))
    assert len(table.wire.requests("b", "ACK")) == 1


async def test_anonymous_caller_names_himself_nowhere(table: Table) -> None:
    """From of an anonymous call says nothing, and Privacy asks the network to say no more."""
    await table.a.call("tel:+441632960083", through=table.hop, call_id="one", is_anonymous=True)
    invite = table.wire.requests("b", "INVITE")[0]
    assert invite.first("From").startswith('"Anonymous" <sip:anonymous@anonymous.invalid>;tag=')
    assert invite.first("Privacy") == "id"


async def test_silence_ends_a_call_in_time(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that nobody answers is given up, and nothing is sent after that."""
    monkeypatch.setattr(core_module, "ANSWER_SECONDS_MAX", T1 * 3)
    table.middle.lose = lambda _data: True
    with pytest.raises(TimeoutError):
        await table.a.call("tel:+441632960083", through=table.hop, call_id="one")
    table.a.forget()
    assert not table.wire.requests("b")


@pytest.mark.parametrize(
    ("method", "status"), [("OPTIONS", 200), ("BYE", 481), ("MESSAGE", 481)]
)  # fmt: skip
async def test_other_requests_have_an_answer(table: Table, method: str, status: int) -> None:
    """A ping is answered; what belongs to a call that is not there is refused."""
    request = Message(
        f"{method} sip:ue@b.example SIP/2.0",
        (
            ("Via", f"SIP/2.0/UDP {table.a.where};branch=z9hG4bK-other"),
            ("From", "<sip:a@a.example>;tag=1"),
            ("To", "<sip:b@b.example>"),
            ("Call-ID", "other"),
            ("CSeq", f"1 {method}"),
        ),
    )
    table.a.send(request.encode(), table.b.address)
    await _until(lambda: bool(table.wire.at("a", "received")))
    assert [message.status for message in table.wire.at("a", "received")] == [status]


async def _until(holds: Callable[[], bool]) -> None:
    """Let the loop turn until *holds*."""
    async with asyncio.timeout(2):
        while True:
            if holds():
                return
            await asyncio.sleep(0)
