"""The locator around the search: deadline, sharing, bounds, TTLs, and the last good answer (RFC 8767, RFC 9520)."""

import asyncio
from dataclasses import dataclass, field

import pytest

from ibcf.dns.lookups import FAILURE_TTL_MS, QUERIES_MAX
from ibcf.dns.records import Class, Host, Naptr, RecordSet, Srv
from ibcf.routing.location import Destination, Preferences, Query
from ibcf.routing.locator import STALE_TTL_MS, Locator, LocatorSettings
from tests.unit.routing.zones import Answers, Zone, shown

B = Destination("b.example")
ANY = Preferences()
GOOD: Zone = {"SRV _sip._udp.b.example": ["1 1 5060 s.b.example."], "A s.b.example": ["192.0.2.1"]}
DOWN: Zone = {
    **{f"SRV {name}.b.example": Class.SERVFAIL for name in ("_sip._udp", "_sip._tcp", "_sips._tcp")},
    "NAPTR b.example": Class.TIMEOUT,
}


@dataclass
class Source:
    """Answers from a zone; what is named in `silent` is never answered, everything waits for `gate`."""

    answers: Answers
    silent: set[str] = field(default_factory=set)
    gate: asyncio.Event | None = None
    defect: bool = False
    under_way: int = 0
    most: int = 0
    closed: bool = False

    async def _hold(self, query: Query) -> None:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            if self.gate is not None:
                await self.gate.wait()
            if f"{query.kind} {query.name}" in self.silent:
                await asyncio.Event().wait()
            if self.defect:
                raise RuntimeError("defect")
        finally:
            self.under_way -= 1

    async def naptr(self, name: str) -> RecordSet[Naptr]:
        """Answer."""
        await self._hold(Query("NAPTR", name))
        return self.answers.answer(Query("NAPTR", name))  # type: ignore[return-value]

    async def srv(self, name: str) -> RecordSet[Srv]:
        """Answer."""
        await self._hold(Query("SRV", name))
        return self.answers.answer(Query("SRV", name))  # type: ignore[return-value]

    async def a(self, name: str) -> RecordSet[Host]:
        """Answer."""
        await self._hold(Query("A", name))
        return self.answers.answer(Query("A", name))  # type: ignore[return-value]

    async def aaaa(self, name: str) -> RecordSet[Host]:
        """Answer."""
        await self._hold(Query("AAAA", name))
        return self.answers.answer(Query("AAAA", name))  # type: ignore[return-value]

    async def close(self) -> None:
        """Close."""
        self.closed = True


class Bench:
    """A locator over a zone that a test may change, and a clock that only the test moves."""

    def __init__(self, zone: Zone, **settings: object) -> None:
        """Make it."""
        self.now = 0.0
        self.seen: list[tuple[str, str]] = []
        self.source = Source(Answers(zone))
        self.locator = Locator(
            LocatorSettings(**settings),  # type: ignore[arg-type]
            self.source,
            observe=lambda kind, result, _seconds: self.seen.append((kind, result)),
            clock=lambda: self.now,
        )

    def turn(self, zone: Zone) -> None:
        """Let DNS say something else."""
        self.source.answers.zone = zone


async def test_a_domain_is_located_and_each_query_counted() -> None:
    """What DNS has is found, with its TTL; each query is told with its type and result."""
    bench = Bench(GOOD)
    located = await bench.locator.locate(B, ANY)
    assert (located.outcome, shown(located), located.ttl_ms) == ("found", ["0 1 udp 192.0.2.1:5060"], 300_000)
    assert sorted(bench.seen) == [
        ("a", "found"),
        ("aaaa", "nxdomain"),
        ("naptr", "nxdomain"),
        ("srv", "found"),
        ("srv", "nxdomain"),
        ("srv", "nxdomain"),
    ]
    await bench.locator.close()
    assert bench.source.closed


@pytest.mark.parametrize(("ttl_s", "kept_ms"), [(0, 5_000), (4, 5_000), (60, 60_000), (100_000, 3_600_000)])
async def test_a_ttl_is_kept_between_its_bounds(ttl_s: int, kept_ms: int) -> None:
    """A TTL of nought does not make us ask for each call, and one of a week does not make us deaf for a week."""
    bench = Bench(GOOD)
    bench.source.answers.ttl_s = ttl_s
    assert (await bench.locator.locate(B, ANY)).ttl_ms == kept_ms


async def test_a_ttl_of_nought_may_be_obeyed() -> None:
    """With `ttl_min` at nought, records with a TTL of nought serve one question only (RFC 1035 §3.2.1)."""
    bench = Bench(GOOD, ttl_min_ms=0)
    bench.source.answers.ttl_s = 0
    assert (await bench.locator.locate(B, ANY)).ttl_ms == 0


async def test_an_address_is_kept_for_the_longest_time() -> None:
    """An IP literal has no TTL; the longest allowed one serves."""
    located = await Bench({}).locator.locate(Destination("192.0.2.1"), ANY)
    assert located.ttl_ms == LocatorSettings().ttl_max_ms


async def test_a_no_and_a_failure_have_times_of_their_own() -> None:
    """An authoritative no is kept as configured, a failure for a second, part of an answer for half a minute."""
    assert (await Bench({}, negative_ttl_ms=7).locator.locate(B, ANY)).ttl_ms == 7
    assert (await Bench(DOWN).locator.locate(B, ANY)).ttl_ms == FAILURE_TTL_MS
    part = await Bench({**GOOD, "AAAA s.b.example": Class.SERVFAIL}).locator.locate(B, ANY)
    assert (part.outcome, part.is_partial, part.ttl_ms) == ("found", True, STALE_TTL_MS)


async def test_the_last_good_answer_serves_while_dns_fails() -> None:
    """RFC 8767: when DNS fails the answer from before is used, says so, and ends after `stale_max`."""
    bench = Bench(GOOD, stale_max_ms=100_000)
    good = await bench.locator.locate(B, ANY)
    bench.turn(DOWN)
    bench.now = 100.0
    stale = await bench.locator.locate(B, ANY)
    assert (stale.outcome, stale.targets, stale.is_stale, stale.ttl_ms) == ("found", good.targets, True, STALE_TTL_MS)
    assert stale.detail == "TIMEOUT: why; the answer of 100 s ago stays in use"
    bench.now = 101.0
    assert (await bench.locator.locate(B, ANY)).outcome == "failed"
    assert bench.locator.kept == 0
    bench.turn(GOOD)
    assert not (await bench.locator.locate(B, ANY)).is_stale


async def test_silence_about_one_service_moves_no_calls() -> None:
    """When NAPTR or an SRV name fails, what is found without it does not replace what was found with it."""
    naptr: Zone = {
        "NAPTR b.example": ['1 1 "s" "SIPS+D2T" "" _sips._tcp.b.example.'],
        "SRV _sips._tcp.b.example": ["1 1 5061 s.b.example."],
    }
    bench = Bench({**GOOD, **naptr}, stale_max_ms=100_000)
    for broken in ("NAPTR b.example", "SRV _sips._tcp.b.example"):
        bench.turn({**GOOD, **naptr})
        assert shown(await bench.locator.locate(B, ANY)) == ["0 1 tls 192.0.2.1:5061"]
        bench.turn({**GOOD, **naptr, broken: Class.TIMEOUT})
        located = await bench.locator.locate(B, ANY)
        assert (shown(located), located.is_stale) == (["0 1 tls 192.0.2.1:5061"], True)
    bench.now = 101.0
    bench.turn({**GOOD, "NAPTR b.example": Class.TIMEOUT})
    assert shown(await bench.locator.locate(B, ANY)) == ["0 1 udp 192.0.2.1:5060"], "but not for ever"


async def test_an_address_less_is_taken_as_it_is() -> None:
    """When only the address of one server fails, the other servers are the answer: their records may have changed."""
    bench = Bench({**GOOD, "AAAA s.b.example": ["2001:db8::1"]})
    assert len((await bench.locator.locate(B, ANY)).targets) == 2
    bench.turn({**GOOD, "AAAA s.b.example": Class.SERVFAIL})
    located = await bench.locator.locate(B, ANY)
    assert (shown(located), located.is_stale, located.is_partial) == (["0 1 udp 192.0.2.1:5060"], False, True)


async def test_an_authoritative_no_is_believed() -> None:
    """RFC 8767 §4: a name that is gone is gone; its last good answer is forgotten too."""
    bench = Bench(GOOD)
    await bench.locator.locate(B, ANY)
    bench.turn({})
    assert (await bench.locator.locate(B, ANY)).outcome == "not_found"
    bench.turn(DOWN)
    assert (await bench.locator.locate(B, ANY)).outcome == "failed"


async def test_few_last_good_answers_are_kept() -> None:
    """At most `names_max` answers are remembered, those used last."""
    bench = Bench({f"A {name}.example": ["192.0.2.1"] for name in "abc"}, names_max=2)
    for name in "abac":
        await bench.locator.locate(Destination(f"{name}.example", 5060), ANY)
    assert bench.locator.kept == 2
    bench.turn({f"A {name}.example": Class.SERVFAIL for name in "abc"})
    outcomes = [(await bench.locator.locate(Destination(f"{name}.example", 5060), ANY)).outcome for name in "abc"]
    assert outcomes == ["found", "failed", "found"]


async def test_many_who_ask_for_one_destination_share_one_search() -> None:
    """A search under way answers everybody who asks for the same; one who goes away takes nobody along."""
    bench = Bench(GOOD)
    bench.source.gate = asyncio.Event()
    asking = [asyncio.create_task(bench.locator.locate(B, ANY)) for _ in range(50)]
    other = asyncio.create_task(bench.locator.locate(B, Preferences(("tcp",))))
    await asyncio.sleep(0)
    assert bench.locator.under_way == 2
    asking[0].cancel()
    bench.source.gate.set()
    assert {(await task).outcome for task in asking[1:]} == {"found"}
    assert (await other).outcome == "not_found"
    assert bench.source.answers.asked.count("NAPTR b.example") == 2
    await asyncio.sleep(0)
    assert bench.locator.under_way == 0


async def test_what_is_silent_at_the_deadline_counts_as_timed_out() -> None:
    """The deadline ends the search with what is known: a silent AAAA leaves the address that did come."""
    bench = Bench(GOOD, deadline_ms=20)
    bench.source.silent = {"AAAA s.b.example"}
    located = await bench.locator.locate(B, ANY)
    assert (located.outcome, located.is_partial, shown(located)) == ("found", True, ["0 1 udp 192.0.2.1:5060"])
    assert ("aaaa", "timeout") in bench.seen
    bench.source.silent = {"A s.b.example", "AAAA s.b.example"}
    failed = await Locator(LocatorSettings(deadline_ms=20), bench.source, clock=lambda: 0.0).locate(B, ANY)
    assert (failed.outcome, failed.class_, failed.detail) == ("failed", Class.TIMEOUT, "no answer within the deadline")
    assert bench.source.under_way == 0, "nothing is left hanging"


async def test_queries_under_way_are_bounded() -> None:
    """However many destinations are asked for at once, few queries are under way."""
    bench = Bench({f"A h{at}.example": ["192.0.2.1"] for at in range(300)})
    bench.source.gate = asyncio.Event()
    tasks = [asyncio.create_task(bench.locator.locate(Destination(f"h{at}.example", 5060), ANY)) for at in range(300)]
    for _ in range(5):
        await asyncio.sleep(0)
    assert bench.source.most == QUERIES_MAX
    bench.source.gate.set()
    assert {located.outcome for located in await asyncio.gather(*tasks)} == {"found"}
    assert bench.source.most == QUERIES_MAX


async def test_a_defect_costs_one_destination() -> None:
    """An exception in the source ends one search as a failure, not the service."""
    bench = Bench(GOOD)
    bench.source.defect = True
    assert (await bench.locator.locate(B, ANY)).class_ is Class.INTERNAL
    bench.source.defect = False
    assert (await bench.locator.locate(B, ANY)).outcome == "found"


async def test_closing_lets_a_search_finish() -> None:
    """What is under way when the locator closes is answered first."""
    bench = Bench(GOOD)
    bench.source.gate = asyncio.Event()
    asking = asyncio.create_task(bench.locator.locate(B, ANY))
    await asyncio.sleep(0)
    closing = asyncio.create_task(bench.locator.close())
    await asyncio.sleep(0)
    assert not bench.source.closed
    bench.source.gate.set()
    assert (await asking).outcome == "found"
    await closing
    assert bench.source.closed
