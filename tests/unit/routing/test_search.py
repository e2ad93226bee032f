"""Location of SIP servers, rule by rule (LOC-01 to LOC-12; RFC 3263, RFC 2782, RFC 7984)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibcf.dns.records import Class, Host, Naptr, RecordSet, Srv
from ibcf.routing.location import Destination, Located, Preferences
from ibcf.routing.ranking import TARGETS_MAX
from ibcf.routing.search import (
    ADDRESSES_MAX,
    RECORDS_MAX,
    SERVERS_MAX,
    SERVICES_MAX,
    is_domain,
    is_usable_address,
    search,
)
from ibcf.routing.transports import Transport
from tests.unit.routing.zones import Answers, Zone, locate, shown

B = "b.example"
HOST_A: Zone = {"A b.example": ["192.0.2.9"]}
UDP: Zone = {"SRV _sip._udp.b.example": ["1 1 5060 s.b.example."], "A s.b.example": ["192.0.2.1"]}
TCP: Zone = {"SRV _sip._tcp.b.example": ["1 1 5062 t.b.example."], "A t.b.example": ["192.0.2.2"]}
TLS: Zone = {"SRV _sips._tcp.b.example": ["1 1 5061 x.b.example."], "A x.b.example": ["192.0.2.3"]}
NAPTR = "NAPTR b.example"
D2U = '10 20 "s" "SIP+D2U" "" _sip._udp.b.example.'
D2T = '10 10 "s" "SIP+D2T" "" _sip._tcp.b.example.'
S_D2T = '20 10 "s" "SIPS+D2T" "" _sips._tcp.b.example.'


@pytest.mark.parametrize(
    ("destination", "target"),
    [
        (Destination("192.0.2.1"), "udp 192.0.2.1:5060"),
        (Destination("192.0.2.1", sips=True), "tls 192.0.2.1:5061"),
        (Destination("192.0.2.1", 5080), "udp 192.0.2.1:5080"),
        (Destination("192.0.2.1", transport="tcp"), "tcp 192.0.2.1:5060"),
        (Destination("192.0.2.1", transport="tls"), "tls 192.0.2.1:5061"),
        (Destination("192.0.2.1", transport="tcp", sips=True), "tls 192.0.2.1:5061"),
        (Destination("[2001:DB8::1]", 5080), "udp [2001:db8::1]:5080"),
        (Destination("2001:db8::1"), "udp [2001:db8::1]:5060"),
    ],
)
def test_an_address_is_not_looked_up(destination: Destination, target: str) -> None:
    """LOC-02: an IP literal asks nothing; transport and port are those given, or the defaults of the scheme."""
    located, asked = locate({}, destination)
    assert (shown(located), asked) == ([f"0 1 {target}"], [])


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "0.1.2.3", "224.0.0.1", "255.255.255.255", "[::]", "[ff02::1]", "[fe80::1]", "[::ffff:192.0.2.1]"],
)
def test_an_address_of_no_host_is_refused(host: str) -> None:
    """Nothing is sent to an address that names no single host, from a URI or from DNS."""
    assert locate({}, Destination(host))[0].outcome == "not_found"
    zone: Zone = {f"{'AAAA' if ':' in host else 'A'} b.example": [host.strip("[]")]}
    located, _ = locate(zone, Destination(B, 5060))
    assert (located.outcome, located.class_) == ("not_found", Class.NO_USABLE_RECORD)
    assert located.steps[-1].judgements or located.steps[0].judgements


def test_a_port_skips_naptr_and_srv() -> None:
    """LOC-03: host and port ask for addresses only; UDP for sip, TLS for sips, unless a transport is given."""
    for destination, target in (
        (Destination(B, 5070), "udp 192.0.2.9:5070"),
        (Destination(B, 5070, sips=True), "tls 192.0.2.9:5070"),
        (Destination(B, 5070, "tcp"), "tcp 192.0.2.9:5070"),
    ):
        located, asked = locate(HOST_A, destination)
        assert shown(located) == [f"0 1 {target}"]
        assert asked == ["A b.example", "AAAA b.example"]


def test_a_transport_asks_for_its_one_srv_name() -> None:
    """LOC-04: host and transport skip NAPTR and ask for the one SRV name of that transport and scheme."""
    zone: Zone = {**UDP, **TCP, **TLS, NAPTR: [D2U]}
    for transport, sips, target, name in (
        ("udp", False, "udp 192.0.2.1:5060", "_sip._udp"),
        ("tcp", False, "tcp 192.0.2.2:5062", "_sip._tcp"),
        ("tls", False, "tls 192.0.2.3:5061", "_sips._tcp"),
        ("tcp", True, "tls 192.0.2.3:5061", "_sips._tcp"),
    ):
        wanted: Transport = transport  # type: ignore[assignment]
        located, asked = locate(zone, Destination(B, transport=wanted, sips=sips))
        assert shown(located) == [f"0 1 {target}"]
        assert asked[0] == f"SRV {name}.b.example"
        assert not any(query.startswith("NAPTR") for query in asked)


def test_a_transport_that_cannot_be_is_no_destination() -> None:
    """A sips URI never goes by UDP, and nothing goes by a transport that the peer's listeners do not speak."""
    assert locate(UDP, Destination(B, transport="udp", sips=True))[0].outcome == "not_found"
    assert locate(TCP, Destination(B, transport="tcp"), Preferences(("udp",)))[0].outcome == "not_found"
    located, asked = locate({**UDP, **TCP}, Destination(B, sips=True), Preferences(("udp", "tcp")))
    assert (located.outcome, asked) == ("not_found", [])
    assert located.detail


def test_naptr_is_taken_by_order_then_preference() -> None:
    """LOC-05, LOC-10: every supported NAPTR record counts, the first one's servers first, whatever we would prefer."""
    located, asked = locate({**UDP, **TCP, **TLS, NAPTR: [S_D2T, D2U, D2T]}, Destination(B))
    assert shown(located) == ["0 1 tcp 192.0.2.2:5062", "1 1 udp 192.0.2.1:5060", "2 1 tls 192.0.2.3:5061"]
    assert asked[:4] == [NAPTR, "SRV _sip._tcp.b.example", "SRV _sip._udp.b.example", "SRV _sips._tcp.b.example"]


def test_records_of_equal_order_and_preference_follow_our_own_preference() -> None:
    """Where the records leave the choice open, ours decides, and it is the same each time."""
    equals = [D2U.replace("10 20", "1 1"), D2T.replace("10 10", "1 1")]
    zone: Zone = {**UDP, **TCP, NAPTR: equals}
    assert [target.transport for target in locate(zone, Destination(B))[0].targets] == ["udp", "tcp"]
    mine = Preferences(("tcp", "udp"))
    assert [target.transport for target in locate(zone, Destination(B), mine)[0].targets] == ["tcp", "udp"]


def test_a_sips_uri_drops_every_service_without_tls() -> None:
    """LOC-05: sips uses the SIPS services alone; a sip URI keeps them where we do TLS."""
    zone: Zone = {**UDP, **TCP, **TLS, NAPTR: [S_D2T, D2U, D2T]}
    located, _ = locate(zone, Destination(B, sips=True))
    assert shown(located) == ["0 1 tls 192.0.2.3:5061"]
    assert [judgement.skipped for judgement in located.steps[0].judgements] == [
        "a sips URI goes by TLS only",
        "a sips URI goes by TLS only",
        "",
    ]
    located, _ = locate(zone, Destination(B), Preferences(("udp", "tcp")))
    assert [target.transport for target in located.targets] == ["tcp", "udp"]


def test_a_replacement_may_be_in_another_domain() -> None:
    """LOC-05: the replacement is the SRV name, wherever it is."""
    zone: Zone = {
        NAPTR: ['1 1 "S" "sip+d2u" "" _sip._udp.Carrier.Example.'],
        "SRV _sip._udp.carrier.example": ["1 1 5090 h.host.example."],
        "A h.host.example": ["198.51.100.1"],
    }
    assert shown(locate(zone, Destination(B))[0]) == ["0 1 udp 198.51.100.1:5090"]


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ('1 1 "s" "SIP+D2S" "" _sip._sctp.b.example.', "none of ours"),
        ('1 1 "s" "AAA+D2T" "" _diameter._tcp.b.example.', "none of ours"),
        ('1 1 "a" "SIP+D2U" "" s.b.example.', 'flags "a"'),
        ('1 1 "" "SIP+D2U" "" s.b.example.', 'flags ""'),
        ('1 1 "s" "SIP+D2U" "!.*!x!" .', "the expression empty"),
        ('1 1 "s" "SIP+D2U" "" a..b.', "must be a domain name"),
    ],
)
def test_records_of_no_use_are_skipped_with_the_reason(record: str, words: str) -> None:
    """A NAPTR record that is not about our transports, or is malformed, is passed over, and the search goes on."""
    located, _ = locate({**UDP, NAPTR: [record, D2U]}, Destination(B))
    assert shown(located) == ["0 1 udp 192.0.2.1:5060"]
    assert words in located.steps[0].judgements[0].skipped


def test_without_naptr_every_transport_is_tried_and_the_first_is_taken() -> None:
    """LOC-06: no NAPTR leads to the SRV name of each supported transport; the first that exists is used."""
    located, asked = locate({**TCP, **TLS}, Destination(B))
    assert shown(located) == ["0 1 tcp 192.0.2.2:5062"]
    assert asked[:4] == [NAPTR, "SRV _sip._udp.b.example", "SRV _sip._tcp.b.example", "SRV _sips._tcp.b.example"]
    located, _ = locate({**UDP, **TCP, **TLS}, Destination(B), Preferences(("tls", "udp")))
    assert shown(located) == ["0 1 tls 192.0.2.3:5061"]


@pytest.mark.parametrize("class_", [Class.SERVFAIL, Class.TIMEOUT, Class.REFUSED, Class.LOOP])
def test_a_failing_name_does_not_end_the_search(class_: Class) -> None:
    """LOC-06: when the SRV name of UDP fails, or NAPTR does, the one of TCP is still found; the result says so."""
    located, _ = locate({**TCP, "SRV _sip._udp.b.example": class_}, Destination(B))
    assert (shown(located), located.is_partial) == (["0 1 tcp 192.0.2.2:5062"], True)
    located, _ = locate({**TCP, NAPTR: class_}, Destination(B))
    assert (shown(located), located.is_partial) == (["0 1 tcp 192.0.2.2:5062"], True)


def test_the_first_set_without_an_address_gives_way_to_the_next() -> None:
    """LOC-06: an SRV set none of whose servers has an address is as good as none."""
    zone: Zone = {**TCP, "SRV _sip._udp.b.example": ["1 1 5060 gone.b.example."]}
    assert shown(locate(zone, Destination(B))[0]) == ["0 1 tcp 192.0.2.2:5062"]


def test_the_host_itself_is_tried_only_where_there_is_no_srv() -> None:
    """LOC-07: without NAPTR and SRV the addresses of the host serve; an SRV record next to them hides them."""
    located, _ = locate(HOST_A, Destination(B))
    assert shown(located) == ["0 1 udp 192.0.2.9:5060"]
    assert shown(locate(HOST_A, Destination(B, sips=True))[0]) == ["0 1 tls 192.0.2.9:5061"]
    assert shown(locate(HOST_A, Destination(B, transport="tcp"))[0]) == ["0 1 tcp 192.0.2.9:5060"]
    assert shown(locate(HOST_A, Destination(B), Preferences(("tcp",)))[0]) == ["0 1 tcp 192.0.2.9:5060"]
    located, asked = locate({**HOST_A, "SRV _sip._tcp.b.example": ["1 1 5060 gone.example."]}, Destination(B))
    assert (located.outcome, located.targets) == ("not_found", ())
    assert "A b.example" not in asked


def test_a_failure_is_not_taken_for_an_absence() -> None:
    """LOC-07: where nobody knows whether there is an SRV record, the host is not guessed: the result is a failure."""
    for key in ("SRV _sip._udp.b.example", NAPTR):
        located, asked = locate({**HOST_A, key: Class.SERVFAIL}, Destination(B))
        assert (located.outcome, located.class_, located.detail) == ("failed", Class.SERVFAIL, "why")
        assert "A b.example" not in asked


def test_naptr_that_leads_nowhere_ends_at_the_host() -> None:
    """RFC 3263 §4.2: no SRV record behind the NAPTR ones leads to the host, with the transport that they name first."""
    assert shown(locate({**HOST_A, NAPTR: [D2T, D2U]}, Destination(B))[0]) == ["0 1 tcp 192.0.2.9:5060"]


def test_a_domain_that_offers_only_other_sip_transports_is_not_guessed_at() -> None:
    """NAPTR records for SCTP only: there may be SRV records of ours, but the host is not tried behind them."""
    sctp = ['1 1 "s" "SIP+D2S" "" _sip._sctp.b.example.']
    assert shown(locate({**UDP, NAPTR: sctp}, Destination(B))[0]) == ["0 1 udp 192.0.2.1:5060"]
    assert locate({**HOST_A, NAPTR: sctp}, Destination(B))[0].outcome == "not_found"
    diameter = ['1 1 "s" "AAA+D2T" "" _diameter._tcp.b.example.']
    assert shown(locate({**HOST_A, NAPTR: diameter}, Destination(B))[0]) == ["0 1 udp 192.0.2.9:5060"]


def test_a_dot_says_that_the_service_is_not_there() -> None:
    """LOC-08: the SRV target "." excludes a transport, and the host is not tried behind it."""
    absent: Zone = {"SRV _sip._udp.b.example": ["0 0 0 ."]}
    assert locate({**HOST_A, **absent}, Destination(B, transport="udp"))[0].outcome == "not_found"
    assert locate({**HOST_A, **absent}, Destination(B))[0].outcome == "not_found"
    assert shown(locate({**TCP, **absent}, Destination(B))[0]) == ["0 1 tcp 192.0.2.2:5062"]


def test_srv_priorities_and_weights_become_those_of_the_targets() -> None:
    """LOC-09: a lower SRV priority is a lower priority, weights stay in proportion, 0 included."""
    zone: Zone = {
        "SRV _sip._udp.b.example": [
            "20 0 5060 d.b.example.",
            "10 60 5060 a.b.example.",
            "10 30 5060 b.b.example.",
            "10 10 5060 c.b.example.",
            "10 0 5061 c.b.example.",
        ],
        **{f"A {name}.b.example": [f"192.0.2.{at}"] for at, name in enumerate("abcd", start=1)},
    }
    assert sorted(shown(locate(zone, Destination(B))[0])) == [
        "0 0 udp 192.0.2.3:5061",
        "0 10 udp 192.0.2.3:5060",
        "0 30 udp 192.0.2.2:5060",
        "0 60 udp 192.0.2.1:5060",
        "1 0 udp 192.0.2.4:5060",
    ]


def test_two_addresses_of_a_server_share_its_weight() -> None:
    """RFC 2782: the weight is that of the server; an address more must not draw more calls."""
    zone: Zone = {
        "SRV _sip._udp.b.example": ["1 50 5060 a.b.example.", "1 50 5060 b.b.example."],
        "A a.b.example": ["192.0.2.2", "192.0.2.1"],
        "A b.b.example": ["192.0.2.3"],
    }
    located, _ = locate(zone, Destination(B))
    assert sorted(shown(located)) == ["0 100 udp 192.0.2.3:5060", "0 50 udp 192.0.2.1:5060", "0 50 udp 192.0.2.2:5060"]
    turned = {key: list(reversed(data)) if isinstance(data, list) else data for key, data in zone.items()}
    assert locate(turned, Destination(B))[0].targets == located.targets, "records in another order are the same targets"
    heavy: Zone = {**zone, "SRV _sip._udp.b.example": ["1 65535 5060 a.b.example.", "1 1 5060 b.b.example."]}
    assert [target.weight for target in locate(heavy, Destination(B))[0].targets] == [65_535, 65_535, 2]


def test_both_families_are_asked_and_ranked_as_configured() -> None:
    """LOC-12: A and AAAA are asked for each server; the family that stands first in the configuration goes first."""
    zone: Zone = {
        "SRV _sip._udp.b.example": ["1 1 5060 s.b.example.", "2 1 5060 t.b.example."],
        "A s.b.example": ["192.0.2.1"],
        "AAAA s.b.example": ["2001:db8::1"],
        "A t.b.example": ["192.0.2.2"],
    }
    located, asked = locate(zone, Destination(B), Preferences(families=("ipv6", "ipv4")))
    assert shown(located) == ["0 1 udp [2001:db8::1]:5060", "1 1 udp 192.0.2.1:5060", "2 1 udp 192.0.2.2:5060"]
    assert {"A s.b.example", "AAAA s.b.example", "A t.b.example", "AAAA t.b.example"} <= set(asked)
    assert [target.server for target in located.targets] == [0, 0, 1], "who belongs together, for the core"
    located, asked = locate(zone, Destination(B), Preferences(families=("ipv4",)))
    assert shown(located) == ["0 1 udp 192.0.2.1:5060", "1 1 udp 192.0.2.2:5060"]
    assert not any(query.startswith("AAAA") for query in asked)
    assert locate(zone, Destination("2001:db8::1"), Preferences(families=("ipv4",)))[0].outcome == "not_found"


def test_one_family_that_fails_leaves_the_other() -> None:
    """A server whose AAAA query fails is reached by its IPv4 address, and the result says that it may be incomplete."""
    located, _ = locate({**UDP, "AAAA s.b.example": Class.TIMEOUT}, Destination(B))
    assert (shown(located), located.is_partial) == (["0 1 udp 192.0.2.1:5060"], True)
    zone: Zone = {**UDP, "A s.b.example": Class.TIMEOUT, "AAAA s.b.example": Class.TIMEOUT}
    assert locate(zone, Destination(B))[0].class_ is Class.TIMEOUT


def test_addresses_that_come_along_are_not_asked_for_again() -> None:
    """RFC 2782: an address in the additional section saves the query, but is believed only within the domain asked."""
    answers = Answers({**UDP, "A h.host.example": ["192.0.2.4"]})
    answers.zone = {**answers.zone, "SRV _sip._udp.b.example": ["1 1 5060 s.b.example.", "2 1 5060 h.host.example."]}
    glue = [("s.b.example", "192.0.2.77"), ("h.host.example", "203.0.113.66"), ("s.b.example", "0.0.0.0")]
    answers.glue["SRV _sip._udp.b.example"] = glue
    located, asked = locate(answers, Destination(B))
    assert shown(located) == ["0 1 udp 192.0.2.77:5060", "1 1 udp 192.0.2.4:5060"]
    assert "A s.b.example" not in asked
    assert "AAAA s.b.example" in asked, "one family in the answer says nothing of the other"


def test_the_smallest_ttl_on_the_way_counts() -> None:
    """The result lives as long as the shortest of the records that led to it; those that were not used do not count."""
    zone: Zone = {
        NAPTR: [f"{D2U} @40", f"{S_D2T} @1"],
        "SRV _sip._udp.b.example": ["1 1 5060 s.b.example. @30", "1 1 5060 gone.b.example. @2"],
        "A s.b.example": ["192.0.2.1 @50"],
    }
    assert locate(zone, Destination(B))[0].ttl_ms == 30_000
    assert locate({"A b.example": ["192.0.2.1 @0"]}, Destination(B))[0].ttl_ms == 0


def test_outcomes_are_kept_apart() -> None:
    """No such name, no data, records of no use and each failure are different classes."""
    assert locate({}, Destination(B))[0].class_ is Class.NXDOMAIN
    empty = {f"{kind} b.example": Class.NODATA for kind in ("NAPTR", "A", "AAAA")}
    assert locate(empty, Destination(B))[0].class_ is Class.NODATA
    located, _ = locate({"SRV _sip._udp.b.example": ["1 1 5060 192.0.2.1."]}, Destination(B))
    assert (located.outcome, located.class_) == ("not_found", Class.NO_USABLE_RECORD)
    assert locate({"A b.example": Class.REFUSED}, Destination(B, 5060))[0].class_ is Class.REFUSED


@pytest.mark.parametrize("host", ["", ".", "a..b", "x" * 64, ".".join(["x" * 60] * 5), "b_\x00.example", "ä.example"])
def test_what_is_no_name_is_not_asked_for(host: str) -> None:
    """A host that can stand in no query ends at once, as found nowhere."""
    located, asked = locate({}, Destination(host))
    assert (located.outcome, located.class_, asked) == ("not_found", Class.NO_USABLE_RECORD, [])


def test_everything_is_bounded() -> None:
    """However many records there are, the queries, the servers and the targets are few."""
    services = [f'1 {at} "s" "SIP+D2U" "" _sip._udp.n{at}.example.' for at in range(50)]
    servers = [f"{at} 1 5060 s{at}.b.example." for at in range(100)]
    many = [f"192.0.2.{at}" for at in range(1, 100)]
    zone: Zone = {
        NAPTR: services,
        **{f"SRV _sip._udp.n{at}.example": servers for at in range(50)},
        **{f"A s{at}.b.example": [f"10.{at}.0.{host}" for host in range(99)] for at in range(100)},
    }
    located, asked = locate(zone, Destination(B))
    assert len(located.targets) == TARGETS_MAX
    assert sum(query.startswith("SRV") for query in asked) == SERVICES_MAX
    assert len(asked) == 1 + SERVICES_MAX + 2 * SERVERS_MAX
    srv_step = located.steps[1]
    assert sum(not judgement.skipped for judgement in srv_step.judgements) == RECORDS_MAX
    located, _ = locate({"A b.example": many}, Destination(B, 5060))
    assert len(located.targets) == ADDRESSES_MAX
    assert [target.priority for target in located.targets] == [0] * ADDRESSES_MAX


def test_one_place_is_one_target() -> None:
    """Two records that come to the same address, port and transport are one target, at the better priority."""
    zone: Zone = {
        "SRV _sip._udp.b.example": ["1 1 5060 s.b.example.", "2 1 5060 t.b.example.", "3 1 5060 u.b.example."],
        "A s.b.example": ["192.0.2.1"],
        "A t.b.example": ["192.0.2.1"],
        "A u.b.example": ["192.0.2.2"],
    }
    assert shown(locate(zone, Destination(B))[0]) == ["0 1 udp 192.0.2.1:5060", "1 1 udp 192.0.2.2:5060"]


KEYS = st.sampled_from(
    [
        f"{kind} {name}"
        for kind, name in (
            ("NAPTR", B),
            ("SRV", "_sip._udp.b.example"),
            ("SRV", "_sip._tcp.b.example"),
            ("SRV", "_sips._tcp.b.example"),
            ("A", B),
            ("AAAA", B),
            ("A", "s.b.example"),
            ("AAAA", "s.b.example"),
        )
    ]
)


@given(
    zone=st.dictionaries(KEYS, st.sampled_from(list(Class))),
    transport=st.sampled_from(["udp", "tcp", "tls", None]),
    sips=st.booleans(),
    rich=st.integers(0, 3),
)
def test_whatever_dns_says_there_is_an_outcome(
    *, zone: dict[str, Class], transport: Transport | None, sips: bool, rich: int
) -> None:
    """Any mixture of failures, absences and records ends in an outcome that fits its class; sips never leaves TLS."""
    base: dict[str, list[str] | Class] = {}
    for part in (UDP, TCP, TLS)[:rich]:
        base.update(part)
    located, _ = locate({**base, **zone}, Destination(B, transport=transport, sips=sips))
    assert (located.outcome == "found") == bool(located.targets)
    if located.outcome == "not_found":
        assert located.class_ in {Class.NXDOMAIN, Class.NODATA, Class.NO_USABLE_RECORD}
    if sips:
        assert {target.transport for target in located.targets} <= {"tls"}


NAMES = st.one_of(
    st.sampled_from(
        [B, "s.b.example", "_sip._udp.b.example", "_sips._tcp.b.example", "192.0.2.1", "", "a..b", "x" * 300]
    ),
    st.text(max_size=12),
)
NUMBERS = st.integers(0, 65_535)
TTLS = st.integers(-1, 2**31 - 1)
NAPTRS = st.builds(
    Naptr,
    NUMBERS,
    NUMBERS,
    st.sampled_from(["s", "S", "a", "u", ""]),
    st.sampled_from(["SIP+D2U", "sip+d2t", "SIPS+D2T", "SIP+D2S", "E2U+sip", "", "\xff"]),
    st.sampled_from(["", "!.*!x!"]),
    NAMES,
    TTLS,
)
SRVS = st.builds(Srv, NUMBERS, NUMBERS, NUMBERS, NAMES, TTLS)
HOSTS = st.builds(Host, NAMES, st.ip_addresses(), TTLS)


@given(data=st.data(), destination=st.builds(Destination, NAMES, st.sampled_from([None, 0, 5060]), sips=st.booleans()))
def test_no_record_breaks_the_search(data: st.DataObject, destination: Destination) -> None:
    """Whatever stands in the records, the search ends after few queries with targets that can be sent to."""
    kinds: dict[str, st.SearchStrategy[Any]] = {"NAPTR": NAPTRS, "SRV": SRVS, "A": HOSTS, "AAAA": HOSTS}
    conversation = search(destination, Preferences())
    asked = 0
    try:
        queries = next(conversation)
        while True:
            asked += len(queries)
            assert all(is_domain(query.name) for query in queries)
            sets: list[Any] = [data.draw(st.lists(kinds[query.kind], max_size=5)) for query in queries]
            glue = tuple(data.draw(st.lists(HOSTS, max_size=3)))
            queries = conversation.send(tuple(RecordSet(Class.FOUND, tuple(one), additional=glue) for one in sets))
    except StopIteration as end:
        located: Located = end.value
    assert asked <= 1 + SERVICES_MAX + 2 * SERVERS_MAX + 2
    assert located.ttl_ms >= 0
    for target in located.targets:
        assert is_usable_address(target.address)
        assert 0 < target.port <= 65_535
        assert target.transport == "tls" or not destination.sips
    places = [(target.address, target.port, target.transport) for target in located.targets]
    assert len(places) == len(set(places)) <= TARGETS_MAX
    assert [target.priority for target in located.targets] == sorted(target.priority for target in located.targets)
