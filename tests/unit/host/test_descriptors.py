import resource

import pytest

from ibcf.config import read_text
from ibcf.host.descriptors import OTHERS, DescriptorLimit, descriptors_needed, raise_descriptor_limit
from tests.unit.config.pairs import KEY, KEY_VARIABLE, sound

STREAMS = """\
listeners:
  - {id: home_udp, side: home, transport: udp, address: "127.0.0.1:5060"}
  - {id: peer_udp, side: peer, transport: udp, address: "127.0.0.1:5070"}
  - {id: peer_tcp, side: peer, transport: tcp, address: "127.0.0.1:5070"}
"""


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the configuration its key."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)


def test_connections_count_only_where_there_may_be_some() -> None:
    """A border of datagrams needs few descriptors, one with a stream listener as many as it may have connections."""
    four = "node: {name: n, domain: a.example, workers: 4}\n"
    datagrams = read_text(sound(node=four)).config
    assert descriptors_needed(datagrams) == 2 * 4 * 2 + 1 + 4 * 4 + OTHERS
    streams = read_text(sound(node=four, listeners=STREAMS, limits="limits: {connections_max: 5000}\n")).config
    assert descriptors_needed(streams) == 5000 + 3 * 4 * 2 + 1 + 4 * 4 + OTHERS


@pytest.mark.parametrize(
    ("limit", "needed", "after", "is_enough"),
    [
        ((1_024, 4_096), 1_000, (1_024, 4_096), True),
        ((1_024, 4_096), 3_000, (3_000, 4_096), True),
        ((1_024, 4_096), 9_000, (4_096, 4_096), False),
        ((1_024, -1), 9_000, (9_000, -1), True),
        ((-1, -1), 9_000, (-1, -1), True),
        ((4_096, 4_096), 9_000, (4_096, 4_096), False),
    ],
)
def test_the_soft_limit_is_raised_as_far_as_needed_and_allowed(
    monkeypatch: pytest.MonkeyPatch, *, limit: tuple[int, int], needed: int, after: tuple[int, int], is_enough: bool
) -> None:
    """What is enough stays, what is too little grows to what is needed or to the hard limit, and nothing shrinks."""
    set_to = [limit]
    monkeypatch.setattr(resource, "getrlimit", lambda _: limit)
    monkeypatch.setattr(resource, "setrlimit", lambda _, wanted: set_to.append(wanted))
    assert raise_descriptor_limit(needed) == DescriptorLimit(needed, *after)
    assert set_to[-1] == after
    assert DescriptorLimit(needed, *after).is_enough is is_enough
