"""TLS with certificates on both ends: SIPp behind stunnel, and every certificate that must not get in."""

import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.parts import missing
from tests.system.conftest import SetStage
from tests.system.support import stunnel
from tests.system.support.behind import Front, callee, caller
from tests.system.support.certificates import SIP_NAMES, Authority, Identities, Issued, Names, Validity, issue_all
from tests.system.support.children import wait_until
from tests.system.support.configuration import Carriers, Document, choose_carriers, connect, section, write
from tests.system.support.flow import Stage
from tests.system.support.sipp import Sipp
from tests.system.support.stunnel import Tunnel
from tests.system.support.tls_client import outcome, session

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]


@dataclass
class World:
    """A border that speaks TLS with both carriers, and the tunnels before their cores."""

    scene: Stage
    identities: Identities
    carriers: Carriers
    _ends: ExitStack

    def tunnel_of_a(self) -> Tunnel:
        """Start the way out of carrier A."""
        shown, authorities = self.identities.a, self.identities.authority.path
        border = self.scene.border.listeners["home_tls"]
        address = self.carriers.a.address
        return self._ends.enter_context(stunnel.client(address, border, shown, authorities, folder=self.scene.folder))

    def b(self, calls: int, shown: Issued | None = None) -> tuple[Sipp, Tunnel]:
        """Start carrier B, which shows its own certificate unless it is told to show another."""
        carrier = self.carriers.b
        front = Front(carrier.port, "TLS")
        core = callee(self.scene, front, calls=calls)
        tunnel = stunnel.server(
            (carrier.address, carrier.port),
            (core.address, core.port),
            shown or self.identities.b,
            self.identities.authority.path,
            folder=self.scene.folder,
        )
        return core, self._ends.enter_context(tunnel)

    def call(self, tunnel: Tunnel, calls: int, *, pause_ms: int = 100) -> Sipp:
        """Place calls from carrier A."""
        return caller(self.scene, Front(tunnel.port, "TLS"), tunnel.target, calls=calls, pause_ms=pause_ms)

    def knock(self, shown: Issued | None, authorities: Path | None = None) -> str:
        """Connect from carrier A's address and return what OPTIONS brings."""
        return outcome(
            self.scene.border.listeners["home_tls"],
            source=self.carriers.a.address,
            authorities=authorities or self.identities.authority.path,
            shown=shown,
        )

    def connections(self, peer: str, result: str) -> float:
        """Count the connections of a peer that ended up so."""
        return self.scene.grown("ibcf_connections_total", peer=peer, transport="tls", result=result)

    def reload(self, change: Callable[[Document], None] | None = None) -> None:
        """Change the configuration, and let the border read it and its certificates again."""
        if change is not None:
            document = json.loads(self.scene.border.configuration.read_text())
            change(document)
            write(document, self.scene.border.configuration)
        since = len(self.scene.border.child.lines)
        self.scene.border.reload()
        self.scene.border.wait_for_log("config.reloaded", since=since)


@pytest.fixture
def identities(tmp_path: Path) -> Identities:
    """Issue certificates for one test: some of them will be replaced or revoked."""
    folder = tmp_path / "certificates"
    folder.mkdir()
    return issue_all(folder)


@pytest.fixture
def world(set_stage: SetStage, identities: Identities) -> Iterator[World]:
    """Set a stage where everything between the border and carriers A and B is TLS."""
    if stunnel.program() is None:
        missing("stunnel", "apt-get install stunnel4")
    plain = choose_carriers()
    carriers = Carriers(a=replace(plain.a, listener="home_tls"), b=replace(plain.b, listener="peer_tls"), c=plain.c)
    scene = set_stage(lambda document: connect(document, "tls", identities), around=carriers)
    with ExitStack() as ends:
        yield World(scene, identities, carriers, ends)


def test_calls_cross_over_tls_with_certificates_on_both_ends(world: World) -> None:
    """All calls share one TLS session on each side, both ends of which were proved, and leave one CDR each."""
    calls = 50
    _, tunnel_b = world.b(calls)
    tunnel_a = world.tunnel_of_a()
    world.call(tunnel_a, calls).expect(calls, deadline_s=60)

    records = world.scene.border.wait_for_records(calls)
    assert {(record["outcome"], record["peer_out"]) for record in records} == {("answered", "carrier_b")}
    assert (tunnel_a.connections(), tunnel_b.connections()) == (1, 1)
    assert world.connections("carrier_a", "accepted") == 1
    assert world.connections("carrier_b", "connected") == 1
    assert world.scene.grown("ibcf_parse_errors_total") == 0
    assert world.scene.border.metrics().value("ibcf_calls_active") == 0


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_versions_of_tls_are_spoken(world: World, newest: ssl.TLSVersion) -> None:
    """TLS 1.2 and 1.3 both lead to an answer, and the border shows its certificate (TS 33.210 §6.2)."""
    with session(
        world.scene.border.listeners["home_tls"],
        source=world.carriers.a.address,
        authorities=world.identities.authority.path,
        shown=world.identities.a,
        newest=newest,
    ) as found:
        assert found.ask() == "SIP/2.0 200 OK"
        assert found.version.replace(".", "_") == newest.name
        assert found.serial == world.identities.border.serial


def none(_: Identities) -> None:
    """Show nothing."""


def of_another_domain(identities: Identities) -> Issued:
    """Show a good certificate of somebody else."""
    return identities.authority.issue("somebody", Names(uris=("sip:somebody.example",), hosts=("a.example",)))


def of_a_user(identities: Identities) -> Issued:
    """Show a certificate for a user of the domain, which is no SIP domain (RFC 5922 §7.1)."""
    return identities.authority.issue("user", Names(uris=("sip:alice@a.example",)))


def expired(identities: Identities) -> Issued:
    """Show one that was good until yesterday."""
    return identities.authority.issue("old", Names(uris=("sip:a.example",)), Validity(starts=-30, ends=-1))


def not_yet(identities: Identities) -> Issued:
    """Show one that will be good from tomorrow on."""
    return identities.authority.issue("young", Names(uris=("sip:a.example",)), Validity(starts=1, ends=30))


def self_signed(identities: Identities) -> Issued:
    """Show one that nobody stands for."""
    return identities.authority.self_signed("itself", Names(uris=("sip:a.example",)))


def of_another_authority(identities: Identities) -> Issued:
    """Show one with the right name, from an authority of which nobody told us."""
    return Authority("stranger", identities.authority.folder).issue("a-of-stranger", Names(uris=("sip:a.example",)))


WRONG: list[Callable[[Identities], Issued | None]] = [
    none,
    of_another_domain,
    of_a_user,
    expired,
    not_yet,
    self_signed,
    of_another_authority,
]


@pytest.mark.parametrize("shown", WRONG, ids=lambda kind: kind.__name__)
def test_wrong_certificate_does_not_get_in(world: World, shown: Callable[[Identities], Issued | None]) -> None:
    """A connection with such a certificate is refused and counted; the right one still gets in right after."""
    assert world.knock(shown(world.identities)) == ""
    wait_until(
        lambda: world.connections("carrier_a", "handshake_failed") == 1, deadline_s=5, what="the refusal is counted"
    )
    assert world.connections("carrier_a", "accepted") == 0
    assert world.knock(world.identities.a) == "SIP/2.0 200 OK"
    assert world.connections("carrier_a", "accepted") == 1
    assert world.scene.border.records() == []


def wrong_of_b(identities: Identities, kind: str) -> Issued:
    """Make a certificate that carrier B must not get through with."""
    right = Names(uris=(SIP_NAMES["carrier_b"],))
    if kind == "other domain":
        return identities.authority.issue("b-other", Names(uris=("sip:somebody.example",), hosts=("b.example",)))
    if kind == "expired":
        return identities.authority.issue("b-old", right, Validity(starts=-30, ends=-1))
    if kind == "self signed":
        return identities.authority.self_signed("b-itself", right)
    assert kind == "other authority"
    return Authority("stranger", identities.authority.folder).issue("b-of-stranger", right)


@pytest.mark.parametrize("kind", ["other domain", "expired", "self signed", "other authority"])
def test_wrong_certificate_of_the_called_side_sends_the_call_elsewhere(world: World, kind: str) -> None:
    """The border does not talk to a server that is not who it should be: the call goes to the next target at once."""
    core, _ = world.b(1, wrong_of_b(world.identities, kind))
    plain = world.carriers.c
    c = callee(world.scene, Front(plain.port, "UDP"), calls=1, port=plain.port, address=plain.address)
    world.call(world.tunnel_of_a(), 1).expect(deadline_s=20)
    c.expect()

    record = world.scene.record()
    assert [one["peer"] for one in record["attempts"]] == ["carrier_b", "carrier_c"]
    assert record["attempts"][0]["status"] is None
    assert record["setup_s"] < 2, "a refused certificate is no silence"
    assert world.connections("carrier_b", "handshake_failed") == 1
    assert world.connections("carrier_b", "connected") == 0
    assert "INVITE" not in core.messages()


def test_renewed_certificate_takes_effect_and_no_call_is_dropped(world: World) -> None:
    """SIGHUP brings a renewed certificate to new connections; a call on an old one goes on and ends on it."""
    core, tunnel_b = world.b(1)
    tunnel_a = world.tunnel_of_a()
    call = world.call(tunnel_a, 1, pause_ms=3000)
    wait_until(
        lambda: world.scene.border.metrics().value("ibcf_calls_active") == 1, deadline_s=10, what="the call is up"
    )
    old = world.identities.border.serial
    names = Names(uris=("sip:ibcf.a.example",), hosts=("ibcf.a.example",))
    renewed = world.identities.authority.issue("border", names)  # the same files
    world.reload()
    with session(
        world.scene.border.listeners["home_tls"],
        source=world.carriers.a.address,
        authorities=world.identities.authority.path,
        shown=world.identities.a,
    ) as found:
        assert found.ask() == "SIP/2.0 200 OK"
        assert found.serial == renewed.serial != old
    call.expect()

    assert world.scene.record()["released_by"] == "upstream"
    assert (tunnel_a.connections(), tunnel_b.connections()) == (1, 1), "both connections lived on"
    assert "BYE sip:" in core.messages()


def test_certificate_that_was_revoked_does_not_get_in_after_a_reload(world: World) -> None:
    """A revocation list that arrives with SIGHUP shuts out the certificate it names, and no other."""
    names = Names(uris=(SIP_NAMES["carrier_a"],))
    lost = world.identities.authority.issue("lost", names)
    assert world.knock(lost) == "SIP/2.0 200 OK"
    revocations = world.identities.authority.revoke(lost)

    def revoke(document: Document) -> None:
        section(document, "peers", "carrier_a")["tls"]["revocations"] = str(revocations)

    world.reload(revoke)
    assert world.knock(lost) == ""
    wait_until(
        lambda: world.connections("carrier_a", "handshake_failed") == 1, deadline_s=5, what="the refusal is counted"
    )
    assert world.knock(world.identities.a) == "SIP/2.0 200 OK"


def test_wrong_renewal_is_refused_whole(world: World) -> None:
    """A key that does not fit its certificate is a fault of the file: the old one goes on being shown."""
    other = world.identities.authority.issue("other", Names(uris=("sip:ibcf.a.example",)))
    world.identities.border.private_key.write_bytes(other.private_key.read_bytes())
    world.scene.border.reload()
    world.scene.border.wait_for_log("config.refused")
    assert world.knock(world.identities.a) == "SIP/2.0 200 OK"
