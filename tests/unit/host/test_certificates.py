"""What the doctor says of certificates, authorities, revocation lists and keys."""

from datetime import timedelta
from pathlib import Path

import pytest

from ibcf.config import read_text
from ibcf.host.doctor import examine
from ibcf.host.finding import Finding
from tests.system.support.certificates import Authority, Names, Validity
from tests.unit.config.pairs import completed
from tests.unit.host.machine import FakeMachine

DAYS = {"soon": 20, "late": 300}


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """Make an authority with a certificate that ends soon, one that does not, and a list."""
    monkeypatch.chdir(tmp_path)
    made = Authority("b", tmp_path)
    for name, days in DAYS.items():
        made.issue(name, Names(uris=("sip:a.example",)), Validity(ends=days))
    made.revoke()
    return made


def findings(certificate: str, machine: FakeMachine) -> dict[str, Finding]:
    """Return what is found, by its first words."""
    config = read_text(
        completed(f"""\
tls:
  - {{id: own, certificate: {certificate}.pem, private_key: {certificate}.key}}
listeners:
  - {{id: home_udp, side: home, transport: udp, address: "127.0.0.1:5060"}}
  - {{id: peer_tls, side: peer, transport: tls, address: "127.0.0.1:5061", tls: own}}
peers:
  - {{id: carrier_a, side: home, agreement: own, listeners: home_udp, sources: 127.0.0.2}}
  - id: carrier_b
    side: peer
    agreement: with_b
    listeners: peer_tls
    sources: 127.0.0.3
    targets: [{{id: b1, address: "127.0.0.3:5061", transport: tls}}]
    tls: {{identities: "sip:b.example", authorities: b.authority.pem, revocations: b.revoked.pem}}
""")
    ).config
    found = [one.finding for one in examine(machine, config) if one.check == "certificates"]
    return {" ".join(one.found.replace(":", "").split()[:3]): one for one in found}


@pytest.mark.usefixtures("authority")
@pytest.mark.parametrize(
    ("certificate", "days_later", "said"),
    [
        ("late", 0, {"certificate own": "fine", "authorities of carrier_b": "fine", "revocation list": "fine"}),
        ("soon", 0, {"certificate own": "todo", "authorities of carrier_b": "fine", "revocation list": "fine"}),
        ("late", 2, {"certificate own": "fine", "authorities of carrier_b": "fine", "revocation list": "todo"}),
        ("late", 3640, {"certificate own": "todo", "authorities of carrier_b": "todo", "revocation list": "todo"}),
    ],
)
def test_what_ends_within_a_month_is_to_be_renewed(certificate: str, days_later: int, said: dict[str, str]) -> None:
    """Certificates and authorities are told a month ahead, a list when it is out of date; a reload takes new ones."""
    found = findings(certificate, FakeMachine(later=timedelta(days=days_later), modes={f"{certificate}.key": 0o600}))
    for what, state in said.items():
        [finding] = [one for words, one in found.items() if words.startswith(what)]
        assert finding.state == state, finding
        assert finding.commands == (("kill -HUP $(pgrep -f 'ibcf run')",) if state == "todo" else ())


@pytest.mark.usefixtures("authority")
@pytest.mark.parametrize(
    ("mode", "state", "command"),
    [(0o600, "fine", ()), (0o640, "fine", ()), (0o644, "todo", ("chmod 0600 late.key",)), (None, "unknown", ())],
)
def test_a_key_is_not_for_everybody(mode: int | None, state: str, command: tuple[str, ...]) -> None:
    """A key that others may read is to be closed; one that cannot be looked at is unknown."""
    machine = FakeMachine(modes={} if mode is None else {"late.key": mode})
    finding = findings("late", machine)["key of own"]
    assert (finding.state, finding.commands) == (state, command)
