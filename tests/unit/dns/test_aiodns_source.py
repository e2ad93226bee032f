"""Records out of DNS (ENUM-46, ENUM-49; field notes on c-ares)."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address

import aiodns  # noqa: TID251 - its errors are what the wrapper translates
import pycares  # noqa: TID251 - the same for its records
import pytest

from ibcf.dns.aiodns_source import ALIASES_MAX, AiodnsSource, open_channel
from ibcf.dns.records import Class, Host, Naptr, Srv

ERRORS = pycares.errno


def dns_record(data: object, *, ttl: int = 60) -> pycares.DNSRecord:
    """Make a record as pycares hands it out."""
    kind = pycares.QUERY_TYPE_NAPTR if isinstance(data, pycares.NAPTRRecordData) else pycares.QUERY_TYPE_CNAME
    return pycares.DNSRecord(name="n", type=kind, record_class=1, ttl=ttl, data=data)  # type: ignore[arg-type]


def naptr(regexp: object = "!^.*$!sip:a@b!") -> pycares.NAPTRRecordData:
    """Make NAPTR data."""
    return pycares.NAPTRRecordData(1, 2, "u", "E2U+sip", regexp, "")  # type: ignore[arg-type]


@dataclass
class FakeChannel:
    """A channel that answers what it is told to, when it is told to."""

    servers: Sequence[str]
    closed: bool = False
    futures: list[asyncio.Future[pycares.DNSResult]] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def query_dns(self, host: str, qtype: str) -> asyncio.Future[pycares.DNSResult]:
        """Ask."""
        assert not self.closed
        self.asked.append((host, qtype))
        future = asyncio.get_running_loop().create_future()
        self.futures.append(future)
        return future

    async def close(self) -> None:
        """Close."""
        assert not self.closed
        self.closed = True


class Opener:
    """Opens fake channels and remembers them."""

    def __init__(self) -> None:
        """Begin without any."""
        self.channels: list[FakeChannel] = []

    def __call__(self, servers: Sequence[str], timeout_s: float, tries: int) -> FakeChannel:
        """Open one."""
        self.channels.append(FakeChannel(servers))
        return self.channels[-1]


class Clock:
    """A clock that stands still until told."""

    def __init__(self) -> None:
        """Begin at nought."""
        self.now = 0.0

    def __call__(self) -> float:
        """Read it."""
        return self.now


async def ask(source: AiodnsSource, opener: Opener, outcome: object) -> Class:
    """Ask once and let the newest channel answer."""
    task = asyncio.create_task(source.naptr("n"))
    await asyncio.sleep(0)
    future = opener.channels[-1].futures[-1]
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(pycares.DNSResult(answer=outcome, authority=[], additional=[]))  # type: ignore[arg-type]
    return (await task).class_


@pytest.mark.parametrize(
    ("code", "class_"),
    [
        (ERRORS.ARES_ENOTFOUND, Class.NXDOMAIN),
        (ERRORS.ARES_ENODATA, Class.NODATA),
        (ERRORS.ARES_ESERVFAIL, Class.SERVFAIL),
        (ERRORS.ARES_EREFUSED, Class.REFUSED),
        (ERRORS.ARES_ETIMEOUT, Class.TIMEOUT),
        (ERRORS.ARES_ECONNREFUSED, Class.UNREACHABLE),
        (ERRORS.ARES_EBADRESP, Class.BAD_RESPONSE),
        (ERRORS.ARES_EBADNAME, Class.BAD_RESPONSE),
    ],
)
async def test_error_codes_become_classes(code: int, class_: Class) -> None:
    """ENUM-46: every error of c-ares ends in the outcome class that routing and metrics know."""
    opener = Opener()
    source = AiodnsSource(["127.0.0.1:53"], opener=opener)
    assert await ask(source, opener, aiodns.error.DNSError(code, "text")) is class_
    await source.close()


async def test_records_are_picked_out_of_an_alias_chain() -> None:
    """A CNAME before the records is stepped over, its TTL counts; bytes outside ASCII reach the rules as they are."""
    opener = Opener()
    source = AiodnsSource(["127.0.0.1:53"], opener=opener)
    task = asyncio.create_task(source.naptr("n"))
    await asyncio.sleep(0)
    alias = dns_record(pycares.CNAMERecordData("m"), ttl=5)
    answer = [alias, dns_record(naptr()), dns_record(naptr(b"!\xff!"), ttl=3)]
    opener.channels[0].futures[0].set_result(pycares.DNSResult(answer=answer, authority=[], additional=[]))
    assert (await task).records == (
        Naptr(1, 2, "u", "E2U+sip", "!^.*$!sip:a@b!", "", 5),
        Naptr(1, 2, "u", "E2U+sip", "!\xff!", "", 3),
    )
    await source.close()
    assert opener.channels[0].closed


async def test_channel_is_rotated_by_names_and_by_age() -> None:
    """After so many names or minutes a new channel takes over, because c-ares never forgets an answer."""
    opener, clock = Opener(), Clock()
    source = AiodnsSource(["s"], rotate_names=3, rotate_seconds=10, opener=opener, clock=clock)
    for _ in range(4):
        await ask(source, opener, [dns_record(naptr())])
    assert [channel.closed for channel in opener.channels] == [True, False]
    clock.now = 10.0
    await ask(source, opener, [dns_record(naptr())])
    assert [channel.closed for channel in opener.channels] == [True, True, False]
    await source.close()
    assert opener.channels[-1].closed


async def test_old_channel_finishes_its_queries_before_it_is_closed() -> None:
    """A query under way on the old channel is answered; only then is that channel closed."""
    opener = Opener()
    source = AiodnsSource(["s"], rotate_names=1, opener=opener)
    first = asyncio.create_task(source.naptr("slow"))
    await asyncio.sleep(0)
    assert await ask(source, opener, [dns_record(naptr())]) is Class.FOUND
    old = opener.channels[0]
    assert (len(opener.channels), old.closed) == (2, False)
    old.futures[0].set_result(pycares.DNSResult(answer=[dns_record(naptr())], authority=[], additional=[]))
    assert (await first).class_ is Class.FOUND
    assert old.closed
    await source.close()


async def test_a_hanging_library_ends_in_a_timeout() -> None:
    """When c-ares itself never answers, the outer limit does."""
    source = AiodnsSource(["s"], timeout_s=0.001, tries=1, opener=Opener())
    assert (await source.naptr("n")).class_ is Class.TIMEOUT
    await source.close()


async def test_a_real_channel_tells_a_closed_port() -> None:
    """A server whose port is closed is `UNREACHABLE` or times out at once, and the channel closes."""
    channel = open_channel(["127.0.0.1:1"], 0.1, 1)
    with pytest.raises(aiodns.error.DNSError):
        await channel.query_dns("3.8.e164.arpa", "NAPTR")
    await channel.close()


class ScriptedChannel(FakeChannel):
    """A channel that answers at once, from a table."""

    table: dict[tuple[str, str], pycares.DNSResult]

    def query_dns(self, host: str, qtype: str) -> asyncio.Future[pycares.DNSResult]:
        """Answer, or say that there is no such name."""
        future = super().query_dns(host, qtype)
        found = self.table.get((host, qtype))
        if found is None:
            future.set_exception(aiodns.error.DNSError(ERRORS.ARES_ENOTFOUND, "no such name"))
        else:
            future.set_result(found)
        return future


def scripted(table: dict[tuple[str, str], list[pycares.DNSRecord]]) -> tuple[AiodnsSource, ScriptedChannel]:
    """Return a source over a table of answers, and its channel."""
    channel = ScriptedChannel(["s"])
    channel.table = {key: result(*records) for key, records in table.items()}
    return AiodnsSource(["s"], opener=lambda *_: channel), channel


def result(*answer: pycares.DNSRecord, additional: tuple[pycares.DNSRecord, ...] = ()) -> pycares.DNSResult:
    """Make an answer."""
    return pycares.DNSResult(answer=list(answer), authority=[], additional=list(additional))


def alias(owner: str, name: str, *, ttl: int = 60) -> pycares.DNSRecord:
    """Make a CNAME record."""
    data = pycares.CNAMERecordData(name)
    return pycares.DNSRecord(name=owner, type=pycares.QUERY_TYPE_CNAME, record_class=1, ttl=ttl, data=data)


def server(owner: str, target: str, *, ttl: int = 60) -> pycares.DNSRecord:
    """Make an SRV record."""
    data = pycares.SRVRecordData(1, 2, 5060, target)
    return pycares.DNSRecord(name=owner, type=pycares.QUERY_TYPE_SRV, record_class=1, ttl=ttl, data=data)


def address(owner: str, text: str, *, ttl: int = 60) -> pycares.DNSRecord:
    """Make an A or AAAA record."""
    six = ":" in text
    data = pycares.AAAARecordData(text) if six else pycares.ARecordData(text)
    kind = pycares.QUERY_TYPE_AAAA if six else pycares.QUERY_TYPE_A
    return pycares.DNSRecord(name=owner, type=kind, record_class=1, ttl=ttl, data=data)


async def test_servers_and_addresses_become_plain_values() -> None:
    """SRV, A and AAAA records are read with their TTL, names in lower case without the final dot, "." as nothing."""
    source, channel = scripted({("h.example", "A"): [address("H.example.", "192.0.2.1")]})
    channel.table["h.example", "AAAA"] = result(address("h.example", "2001:db8::1", ttl=9))
    glue = (address("S.b.example", "192.0.2.7"), server("x", "y"))
    channel.table["_sip._udp.b.example", "SRV"] = result(server("o", "S.b.example."), server("o", ""), additional=glue)
    assert (await source.a("h.example")).records == (Host("h.example", IPv4Address("192.0.2.1"), 60),)
    assert (await source.aaaa("h.example")).records == (Host("h.example", IPv6Address("2001:db8::1"), 9),)
    found = await source.srv("_sip._udp.b.example")
    assert found.records == (Srv(1, 2, 5060, "s.b.example", 60), Srv(1, 2, 5060, "", 60))
    assert found.additional == (Host("s.b.example", IPv4Address("192.0.2.7"), 60),)
    await source.close()


async def test_an_alias_that_a_server_left_open_is_followed() -> None:
    """A server that is no resolver gives the CNAME alone; the name behind it is asked for, the smallest TTL counts."""
    source, channel = scripted({("a.example", "A"): [alias("a.example", "b.example", ttl=5)]})
    channel.table["b.example", "A"] = result(alias("b.example", "c.example"), alias("c.example", "D.example."))
    channel.table["d.example", "A"] = result(address("d.example", "192.0.2.1"))
    found = await source.a("A.example.")
    assert [(str(record), record.ttl_s) for record in found.records] == [("192.0.2.1", 5)]
    assert [name for name, _ in channel.asked] == ["a.example", "b.example", "d.example"]
    channel.table["e.example", "A"] = result(alias("e.example", "gone.example"))
    assert (await source.a("e.example")).class_ is Class.NXDOMAIN
    channel.table["gone.example", "A"] = result()
    assert (await source.a("e.example")).class_ is Class.NODATA
    await source.close()


async def test_aliases_that_go_round_end() -> None:
    """A CNAME loop, in one answer or over several, and a chain without end are told as `LOOP` after few queries."""
    inside = [alias("a.example", "b.example"), alias("b.example", "a.example")]
    source, channel = scripted(
        {("a.example", "A"): inside, ("self.example", "A"): [alias("self.example", "self.example")]}
    )
    channel.table["x.example", "A"] = result(alias("x.example", "y.example"))
    channel.table["y.example", "A"] = result(alias("y.example", "x.example"))
    for name in ("a.example", "self.example", "x.example"):
        assert (await source.a(name)).class_ is Class.LOOP
    assert len(channel.asked) == 4
    for number in range(50):
        channel.table[f"n{number}.example", "A"] = result(alias(f"n{number}.example", f"n{number + 1}.example"))
    before = len(channel.asked)
    assert (await source.a("n0.example")).class_ is Class.LOOP
    assert len(channel.asked) - before == ALIASES_MAX + 1
    await source.close()
