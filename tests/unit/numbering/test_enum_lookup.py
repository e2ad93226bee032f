"""The resolver around the walk (ENUM-04, ENUM-22, ENUM-45 to ENUM-50)."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

import pytest

from ibcf.dns.lookups import FAILURE_TTL_MS
from ibcf.dns.records import Class, Naptr, RecordSet
from ibcf.numbering.enum_lookup import EnumResolver, EnumSettings

NUMBER = "+441632960083"
NAME = "3.8.0.0.6.9.2.3.6.1.4.4.e164.arpa"
FOUND = RecordSet(Class.FOUND, (Naptr(1, 1, "u", "E2U+sip", "!^.*$!sip:a@b.example!", "", 300),))


@dataclass
class FakeSource:
    """Answers from a table; holds answers back while `gate` is closed."""

    answers: dict[str, RecordSet[Naptr]] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    gate: asyncio.Event | None = None
    under_way: int = 0
    most: int = 0
    closed: bool = False

    async def naptr(self, name: str) -> RecordSet[Naptr]:
        """Answer."""
        self.asked[name] += 1
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            if self.gate is not None:
                await self.gate.wait()
            return self.answers.get(name, RecordSet(Class.NXDOMAIN))
        finally:
            self.under_way -= 1

    async def close(self) -> None:
        """Close."""
        self.closed = True


def make(source: FakeSource, **settings: object) -> EnumResolver:
    """Make a resolver."""
    return EnumResolver(EnumSettings(id="e", **settings), source)  # type: ignore[arg-type]


async def test_found_number_has_candidates_and_a_ttl() -> None:
    """A number with a record is found, with the URI and the TTL of the record."""
    result = await make(FakeSource({NAME: FOUND})).resolve(NUMBER)
    assert (result.outcome, result.class_) == ("found", Class.FOUND)
    assert (result.candidates, result.ttl_ms) == (("sip:a@b.example",), 300_000)
    assert [step.name for step in result.steps] == [NAME]


async def test_ttl_is_clamped() -> None:
    """ENUM-45: no answer lives longer than the operator allows."""
    assert (await make(FakeSource({NAME: FOUND}), ttl_max_ms=1000).resolve(NUMBER)).ttl_ms == 1000


@pytest.mark.parametrize("number", ["+441632", "441632960083", "tel:+441632960083", "+1234567890123456", "sip:a@b", ""])
async def test_what_is_no_number_is_never_asked(number: str) -> None:
    """ENUM-04: short, local and impossible numbers never lead to a query."""
    source = FakeSource()
    result = await make(source, digits_min=7).resolve(number)
    assert (result.outcome, result.class_) == ("not_found", Class.NOT_E164)
    assert not source.asked


@pytest.mark.parametrize("class_", [Class.NXDOMAIN, Class.NODATA])
async def test_a_clear_no_is_kept_for_the_negative_ttl(class_: Class) -> None:
    """ENUM-45, ENUM-47: no such name and no data are authoritative, and are remembered as configured."""
    result = await make(FakeSource({NAME: RecordSet(class_)}), negative_ttl_ms=7).resolve(NUMBER)
    assert (result.outcome, result.class_, result.ttl_ms) == ("not_found", class_, 7)


@pytest.mark.parametrize(
    "class_", [Class.SERVFAIL, Class.REFUSED, Class.TIMEOUT, Class.UNREACHABLE, Class.ZONE_MISSING, Class.ZONE_INVALID]
)
async def test_a_failure_is_not_a_no(class_: Class) -> None:
    """ENUM-47: when nobody knows, the outcome is `failed`, kept only long enough to spare the servers."""
    result = await make(FakeSource({NAME: RecordSet(class_, detail="why")})).resolve(NUMBER)
    assert (result.outcome, result.class_, result.ttl_ms) == ("failed", class_, FAILURE_TTL_MS)
    assert result.detail == "why"


async def test_next_apex_is_tried_after_a_no_but_not_after_a_failure() -> None:
    """ENUM-03, ENUM-47: apexes are tried in order while the answer is a clear no."""
    other = NAME.replace("e164.arpa", "e164enum.net")
    source = FakeSource({other: FOUND})
    assert (await make(source, apexes=("e164.arpa", "e164enum.net")).resolve(NUMBER)).class_ is Class.FOUND
    assert list(source.asked) == [NAME, other]
    source = FakeSource({NAME: RecordSet(Class.SERVFAIL), other: FOUND})
    assert (await make(source, apexes=("e164.arpa", "e164enum.net")).resolve(NUMBER)).class_ is Class.SERVFAIL
    assert list(source.asked) == [NAME]


async def test_the_most_telling_no_of_all_apexes_is_reported() -> None:
    """ENUM-46: a record that could not be used says more than a name that does not exist."""
    useless = RecordSet(Class.FOUND, (Naptr(1, 1, "u", "E2U+x:y", "!a!b!", "", 1),))
    source = FakeSource({NAME: useless})
    result = await make(source, apexes=("e164.arpa", "e164enum.net")).resolve(NUMBER)
    assert (result.outcome, result.class_) == ("not_found", Class.NO_USABLE_RECORD)


async def test_one_deadline_covers_the_whole_resolution() -> None:
    """ENUM-22: when the deadline passes the outcome is `failed` with TIMEOUT, whatever is still under way."""
    source = FakeSource(gate=asyncio.Event())
    result = await make(source, deadline_ms=1).resolve(NUMBER)
    assert (result.outcome, result.class_) == ("failed", Class.TIMEOUT)
    assert source.under_way == 0


async def test_a_hundred_calls_to_one_number_ask_once() -> None:
    """ENUM-50: look-ups for the same number are one, and every caller gets its result."""
    source = FakeSource({NAME: FOUND}, gate=asyncio.Event())
    resolver = make(source)
    tasks = [asyncio.create_task(resolver.resolve(NUMBER)) for _ in range(100)]
    await asyncio.sleep(0)
    assert resolver.under_way == 1
    tasks[0].cancel()
    await asyncio.sleep(0)
    assert source.gate is not None
    source.gate.set()
    results = await asyncio.gather(*tasks[1:])
    assert {result.class_ for result in results} == {Class.FOUND}
    assert source.asked == {NAME: 1}
    await asyncio.sleep(0)
    assert resolver.under_way == 0


async def test_queries_under_way_are_bounded() -> None:
    """Of many numbers at once, only so many queries are on the wire; all are answered."""
    source = FakeSource(gate=asyncio.Event())
    resolver = EnumResolver(EnumSettings(id="e"), source, queries_max=3)
    tasks = [asyncio.create_task(resolver.resolve(f"+44163296{number:04}")) for number in range(20)]
    for _ in range(5):
        await asyncio.sleep(0)
    assert source.under_way == 3
    assert source.gate is not None
    source.gate.set()
    await asyncio.gather(*tasks)
    assert (source.most, len(source.asked)) == (3, 20)


async def test_each_query_is_counted_with_its_class() -> None:
    """Metrics learn type, result and time of every query."""
    seen: list[tuple[str, str, float]] = []
    ticks = iter([1.0, 1.5])
    resolver = EnumResolver(
        EnumSettings(id="e"),
        FakeSource({NAME: FOUND}),
        observe=lambda kind, result, seconds: seen.append((kind, result, seconds)),
        clock=lambda: next(ticks),
    )
    await resolver.resolve(NUMBER)
    assert seen == [("naptr", "found", 0.5)]


async def test_a_defect_costs_one_number(capsys: pytest.CaptureFixture[str]) -> None:
    """Should a source raise after all, the number fails with INTERNAL and the resolver goes on."""

    class Broken(FakeSource):
        async def naptr(self, name: str) -> RecordSet[Naptr]:
            raise ZeroDivisionError

    resolver = make(Broken())
    assert (await resolver.resolve(NUMBER)).class_ is Class.INTERNAL
    assert (await resolver.resolve(NUMBER)).outcome == "failed"


async def test_close_waits_for_what_is_under_way() -> None:
    """Closing lets running look-ups finish before it closes the source."""
    source = FakeSource({NAME: FOUND}, gate=asyncio.Event())
    resolver = make(source)
    task = asyncio.create_task(resolver.resolve(NUMBER))
    await asyncio.sleep(0)
    closing = asyncio.create_task(resolver.close())
    await asyncio.sleep(0)
    closed = [source.closed]
    assert source.gate is not None
    source.gate.set()
    await closing
    closed.append(source.closed)
    assert closed == [False, True]
    assert (await task).class_ is Class.FOUND
