"""Where records come from: DNS and a zone file (ENUM-46, ENUM-49; field notes on c-ares)."""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiodns  # noqa: TID251 - its errors are what the wrapper translates
import pycares  # noqa: TID251 - the same for its records
import pytest

from ibcf.numbering.naptr import Naptr
from ibcf.numbering.sources import AiodnsSource, ZoneSource, open_channel
from ibcf.numbering.walk import Class

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

    def query_dns(self, host: str, qtype: str) -> asyncio.Future[pycares.DNSResult]:
        """Ask."""
        assert qtype == "NAPTR"
        assert not self.closed
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
    assert await ask(source, opener, [alias]) is Class.NODATA
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


ZONE = '$ORIGIN e164.arpa.\n$TTL 300\n1 NAPTR 1 1 "u" "E2U+sip" "!^.*$!sip:{user}@b.example!" .\n'


async def test_missing_zone_file_is_an_answer_and_may_come_later(tmp_path: Path) -> None:
    """A zone file that is not there fails look-ups with `ZONE_MISSING`; once it is there they go on."""
    clock, path = Clock(), tmp_path / "demo.zone"
    source = ZoneSource(path, clock=clock)
    missing = await source.naptr("1.e164.arpa")
    assert missing.class_ is Class.ZONE_MISSING
    assert "demo.zone" in missing.detail
    path.write_text(ZONE.format(user="a"))
    assert (await source.naptr("1.e164.arpa")).class_ is Class.ZONE_MISSING, "the disk is asked once a second"
    clock.now = 1.0
    assert (await source.naptr("1.e164.arpa")).class_ is Class.FOUND
    await source.close()


async def test_changed_zone_file_is_read_again(tmp_path: Path) -> None:
    """A new version of the file is in use a second later, without a reload of the border."""
    clock, path = Clock(), tmp_path / "demo.zone"
    path.write_text(ZONE.format(user="a"))
    source = ZoneSource(path, clock=clock)
    assert "sip:a@" in (await source.naptr("1.e164.arpa")).records[0].regexp
    path.write_text(ZONE.format(user="bb"))
    clock.now = 2.0
    assert "sip:bb@" in (await source.naptr("1.e164.arpa")).records[0].regexp


async def test_broken_zone_file_leaves_the_old_one_serving(tmp_path: Path) -> None:
    """A new version with a fault, or none at all, changes nothing for the calls."""
    clock, path = Clock(), tmp_path / "demo.zone"
    path.write_text(ZONE.format(user="a"))
    source = ZoneSource(path, clock=clock)
    assert (await source.naptr("1.e164.arpa")).class_ is Class.FOUND
    path.write_text("x NAPTR")
    clock.now = 1.0
    assert (await source.naptr("1.e164.arpa")).class_ is Class.FOUND
    path.unlink()
    clock.now = 2.0
    assert (await source.naptr("1.e164.arpa")).class_ is Class.FOUND


async def test_broken_zone_file_at_start_is_named(tmp_path: Path) -> None:
    """A zone file with a fault fails look-ups with `ZONE_INVALID`, and the words name file and line."""
    path = tmp_path / "demo.zone"
    path.write_text("x NAPTR\n")
    answer = await ZoneSource(path).naptr("1.e164.arpa")
    assert answer.class_ is Class.ZONE_INVALID
    assert "demo.zone:1:" in answer.detail


async def test_unreadable_zone_file_counts_as_missing(tmp_path: Path) -> None:
    """A zone file that is a folder, or no text, is missing, not a crash."""
    assert (await ZoneSource(tmp_path).naptr("1.e164.arpa")).class_ is Class.ZONE_MISSING
    path = tmp_path / "binary.zone"
    path.write_bytes(b"\xff\xfe" + os.urandom(10))
    assert (await ZoneSource(path).naptr("1.e164.arpa")).class_ is Class.ZONE_MISSING
