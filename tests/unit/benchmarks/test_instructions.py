import json

import pytest

from benchmarks.instructions import COUNTED, MESSAGES, RECORD, STAGES, compare, has_shrunk, inclusive, shares

PROFILE = f"""\
events: Ir
fl=(1) calls.rs
fn=(1) instructions::main
cfn=(2) {COUNTED}ack
calls=2 10
5 900
fn=(3) ibcf_sip::border::Border::handle
12 700
+1 80
fn=(2)
10 40
+2 20
cfn=(3)
calls=2 12
* 780
cfn=(4) free
calls=2 1
-1 60
fn=(4)
1 60

totals: 900
"""


def test_a_function_is_charged_with_what_it_called_and_with_nothing_of_its_callers() -> None:
    """Its own lines and the lines behind `calls=` add up, whether positions are absolute, relative or the same."""
    assert inclusive(PROFILE) == {"ack": 40 + 20 + 780 + 60}


def test_a_whole_call_is_the_sum_of_its_messages_and_stages_have_no_sum() -> None:
    """Stages are parts of an INVITE, so their sum would say nothing."""
    costs = {row: 1_000 * nth for nth, row in enumerate(MESSAGES, 1)}
    assert shares(costs, MESSAGES, 10) == {row: 100 * nth for nth, row in enumerate(MESSAGES, 1)} | {"call": 3_600}
    assert "call" not in shares(dict.fromkeys(STAGES, 10), STAGES, 10)


def test_what_was_expected_and_not_counted_is_an_error() -> None:
    """A message that the profile does not know must not make the call look cheaper."""
    with pytest.raises(KeyError, match="invite"):
        shares({"ack": 10}, MESSAGES, 10)


@pytest.mark.parametrize(("now", "is_fault"), [(1_050, False), (1_051, True), (900, False)])
def test_a_whole_call_may_grow_by_five_percent(now: int, is_fault: bool) -> None:  # noqa: FBT001
    """The rule of CONTRIBUTING."""
    _, faults = compare({"L1": {"call": 1_000}}, {"L1": {"call": now}})
    assert bool(faults) is is_fault


def test_one_message_may_grow_when_the_call_does_not() -> None:
    """Work may move between messages; the table shows it."""
    lines, faults = compare({"L1": {"ack": 100, "call": 1_000}}, {"L1": {"ack": 150, "call": 1_000}})
    assert not faults
    assert lines[1].split() == ["L1", "ack", "100", "150", "+50.00%"]


def test_rows_come_and_go_only_with_the_record() -> None:
    """A row that is not counted any more can't be watched."""
    _, faults = compare({"L1": {"ack": 100}}, {"L1": {"bye": 100}})
    assert faults == ["L1 bye is not in the record", "L1 ack is in the record, but nothing counts it"]


@pytest.mark.parametrize(("now", "expected"), [(949, True), (951, False), (1_100, False)])
def test_a_gain_of_five_percent_asks_to_be_recorded(now: int, expected: bool) -> None:  # noqa: FBT001
    """Else the next change could lose it again unseen."""
    assert has_shrunk({"L1": {"call": 1_000}}, {"L1": {"call": now}, "stages": {"check": 1}}) is expected


def test_the_record_has_every_row() -> None:
    """It was written by the tool, whole."""
    recorded = json.loads(RECORD.read_text())["instructions"]
    assert {group: tuple(rows) for group, rows in recorded.items()} == {
        "L1": (*MESSAGES, "call"),
        "L2": (*MESSAGES, "call"),
        "L3": (*MESSAGES, "call"),
        "stages": STAGES,
    }
