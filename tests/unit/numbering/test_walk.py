"""One resolution as a conversation (ENUM-15 to ENUM-21)."""

from collections.abc import Mapping
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ibcf.dns.records import Class, Naptr, RecordSet
from ibcf.numbering.naptr import Rules, Skip
from ibcf.numbering.walk import HOPS_MAX, NAMES_MAX, Candidates, walk

NUMBER = "+441632960083"
Zone = Mapping[str, list[Naptr] | Class]


def uri(name: str, *, order: int = 1, pref: int = 1, ttl: int = 60, service: str = "E2U+sip") -> Naptr:
    """Make a terminal record."""
    return Naptr(order, pref, "u", service, f"!^.*$!sip:{name}@x.example!", "", ttl)


def to(name: str, *, order: int = 1, pref: int = 1, ttl: int = 60) -> Naptr:
    """Make a non-terminal record."""
    return Naptr(order, pref, "", "", "", name, ttl)


def run(zone: Zone, *, candidates_max: int = 3, rules: Rules | None = None) -> tuple[Candidates, list[str]]:
    """Answer a walk from *zone*; return the result and the names asked."""
    conversation = walk(NUMBER, "a", rules or Rules(), candidates_max=candidates_max)
    asked: list[str] = []
    name = next(conversation)
    while True:
        asked.append(name)
        answer = zone.get(name, Class.NXDOMAIN)
        found = RecordSet(answer) if isinstance(answer, Class) else RecordSet(Class.FOUND, tuple(answer))
        try:
            name = conversation.send(found)
        except StopIteration as end:
            return end.value, asked


def users(result: Candidates) -> list[str]:
    """Return the user parts of the candidates."""
    return [one.removeprefix("sip:").partition("@")[0] for one in result.uris]


@given(st.permutations([uri("c", order=2), uri("b", pref=20), uri("a", pref=10)]))
def test_order_of_the_answer_does_not_matter(records: list[Naptr]) -> None:
    """ENUM-15, ENUM-16: by ORDER, then PREFERENCE; a taken record closes the higher ORDERs of its set."""
    result, _ = run({"a": records})
    assert users(result) == ["a", "b"]


def test_a_skipped_record_does_not_end_processing() -> None:
    """ENUM-16: after a record that cannot be used, one of a higher ORDER is taken."""
    result, _ = run({"a": [uri("x", service="E2U+email:mailto"), uri("b", order=5)]})
    assert users(result) == ["b"]
    assert [one.skip for one in result.steps[0].judgements] == [Skip.SERVICE, None]


def test_candidates_are_bounded() -> None:
    """ENUM-17: there are as many candidates as configured, the best ones."""
    result, _ = run({"a": [uri(f"u{pref}", pref=pref) for pref in range(9)]}, candidates_max=2)
    assert users(result) == ["u0", "u1"]
    assert result.steps[0].judgements[-1].skip is Skip.ENOUGH


def test_equal_uris_are_one_candidate() -> None:
    """ENUM-17: trying the same URI twice helps nobody."""
    result, _ = run({"a": [uri("u"), uri("u", pref=2)]})
    assert users(result) == ["u"]


def test_non_terminal_is_followed_with_the_number() -> None:
    """ENUM-19: the next name is asked, and its expression is applied to the original number."""
    target = Naptr(1, 1, "u", "E2U+sip", r"!^(.*)$!sip:\1@x.example!", "", 60)
    result, asked = run({"a": [to("b")], "b": [target]})
    assert (users(result), asked) == ([NUMBER], ["a", "b"])


def test_hop_six_is_not_made() -> None:
    """ENUM-20: five non-terminal records are followed, the sixth is skipped without a query."""
    names = ["a", "b", "c", "d", "e", "f", "g"]
    zone = {name: [to(following)] for name, following in pairwise(names)}
    result, asked = run({**zone, "g": [uri("u")]})
    assert asked == names[: HOPS_MAX + 1]
    assert result.class_ is Class.LOOP
    result, asked = run({**zone, "f": [uri("u")]})
    assert (users(result), len(asked)) == (["u"], HOPS_MAX + 1)


def test_a_circle_costs_two_queries_and_a_later_record_wins() -> None:
    """ENUM-20: A to B to A asks twice, not five times, and what stands behind it in A is still found."""
    result, asked = run({"a": [to("b"), uri("u", order=9)], "b": [to("a")]})
    assert (users(result), asked) == (["u"], ["a", "b"])
    assert result.steps[1].judgements[0].skip is Skip.LOOP
    result, asked = run({"a": [to("b")], "b": [to("a")]})
    assert (result.class_, asked) == (Class.LOOP, ["a", "b"])


def test_a_bush_of_names_is_cut() -> None:
    """A tree of non-terminal records leads to a bounded number of queries."""
    zone: Zone = {"a": [to(f"n{number}", pref=number) for number in range(60)]}
    result, asked = run(zone)
    assert len(asked) == NAMES_MAX
    assert result.class_ is Class.LOOP


def test_a_dead_end_falls_back_to_the_next_record() -> None:
    """ENUM-21: terminal and non-terminal records are taken in one order; a dead end goes on with the next."""
    result, asked = run({"a": [to("nowhere"), uri("u", pref=2), to("b", pref=3)], "b": [uri("v")]})
    assert (users(result), asked) == (["u", "v"], ["a", "nowhere", "b"])


def test_order_counts_inside_one_set_only() -> None:
    """ENUM-15: a high ORDER behind a non-terminal record is no worse than a low one beside it."""
    result, _ = run({"a": [to("b", pref=1), uri("u", pref=2)], "b": [uri("v", order=9999)]})
    assert users(result) == ["v", "u"]


def test_the_smallest_ttl_of_the_chain_counts() -> None:
    """ENUM-45: an answer lives as long as the shortest of the records that led to it."""
    result, _ = run({"a": [to("b", ttl=10), uri("x", order=9, ttl=1)], "b": [uri("v", ttl=300)]})
    assert result.ttl_s == 10


def test_classes_are_kept_apart() -> None:
    """ENUM-46: no name, no data, no usable record and each failure are different outcomes."""
    assert run({})[0].class_ is Class.NXDOMAIN
    assert run({"a": Class.NODATA})[0].class_ is Class.NODATA
    assert run({"a": [uri("u", service="E2U+x:y")]})[0].class_ is Class.NO_USABLE_RECORD
    assert run({"a": Class.SERVFAIL})[0].class_ is Class.SERVFAIL


def test_a_failure_behind_a_non_terminal_is_no_authoritative_no() -> None:
    """ENUM-47: when a name on the way could not be asked, nobody knows, unless another record answers."""
    assert run({"a": [to("b")], "b": Class.TIMEOUT})[0].class_ is Class.TIMEOUT
    assert run({"a": [to("b"), uri("u", pref=2)], "b": Class.TIMEOUT})[0].class_ is Class.FOUND
    assert run({"a": [to("b")]})[0].class_ is Class.NO_USABLE_RECORD
