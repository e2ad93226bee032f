"""Certificates, keys and revocation lists that the configuration names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ibcf.config import read_text
from ibcf.config.certificates import chain_ends, list_ends
from ibcf.errors import ConfigError
from ibcf.policy.compile import checked_snapshot, document
from ibcf.policy.lint import lint
from tests.system.support.certificates import Authority, Names, Validity
from tests.unit.config.pairs import KEY, KEY_VARIABLE, completed

if TYPE_CHECKING:
    from pathlib import Path

    from ibcf.config import Loaded

B = Names(uris=("sip:b.example",))


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """Make an authority whose files lie where the configuration looks for them."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    monkeypatch.chdir(tmp_path)
    return Authority("b", tmp_path)


def configured(*, key: str = "own.key", certificate: str = "own.pem", revocations: str = "") -> Loaded:
    """Return a configuration with a TLS listener and a peer behind it."""
    lists = f", revocations: {revocations}" if revocations else ""
    return read_text(
        completed(f"""\
tls:
  - {{id: own, certificate: {certificate}, private_key: {key}}}
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
    tls: {{identities: "sip:b.example", authorities: b.authority.pem{lists}}}
"""),
        file="x.yaml",
    )


def faults(loaded: Loaded) -> list[str]:
    """Return what the core says of a configuration whose models are right."""
    with pytest.raises(ConfigError) as refused:
        checked_snapshot(loaded)
    return [str(fault) for fault in refused.value.faults]


def test_files_cross_to_the_core_as_text_and_the_core_takes_them(authority: Authority) -> None:
    """The snapshot holds chain, key, authorities and lists, and the core can use them."""
    own = authority.issue("own", B)
    revoked = authority.revoke(authority.issue("other", B))
    loaded = configured(revocations=revoked.name)
    checked_snapshot(loaded)
    snapshot = document(loaded.config)
    assert snapshot["tls"] == [
        {"id": "own", "certificates": own.certificate.read_text(), "private_key": own.private_key.read_text()}
    ]
    assert snapshot["peers"][1]["tls"] == {
        "identities": ("sip:b.example",),
        "authorities": authority.path.read_text(),
        "revocations": revoked.read_text(),
    }


def test_a_key_of_another_certificate_is_refused_at_its_line(authority: Authority) -> None:
    """Key and chain must be a pair, and the fault stands where the key is named."""
    authority.issue("own", B)
    authority.issue("other", B)
    assert faults(configured(key="other.key")) == ["x.yaml:2:50 tls[0].private_key: is not the key of the certificate"]


def test_files_that_are_missing_or_no_pem_are_told_before_anything_starts(authority: Authority) -> None:
    """A missing file and one that holds something else are faults of the section that names them."""
    authority.issue("own", B)
    (authority.folder / "text.pem").write_text("hello")
    (authority.folder / "bytes.pem").write_bytes(b"\xff\xfe")
    for key, problem in (
        ("none.key", "file none.key cannot be read: no such file or directory"),
        ("text.pem", "file text.pem is not PEM: it has no line that starts with -----BEGIN"),
        ("bytes.pem", "file bytes.pem is not PEM"),
    ):
        with pytest.raises(ConfigError) as refused:
            configured(key=key)
        [fault] = refused.value.faults
        assert str(fault) == f"x.yaml:2:5 tls[0]: {problem}"


def test_what_ends_soon_is_warned_about(authority: Authority) -> None:
    """A certificate of ours that expires within thirty days, and one that has, are oddities of the policy."""
    authority.issue("own", B, Validity(ends=20))
    [soon] = [str(warning) for warning in lint(configured()) if "tls" in warning.key]
    assert soon.startswith("x.yaml:2:28 tls[0].certificate: expires on ")
    authority.issue("own", B, Validity(starts=-9, ends=-2))
    [over] = [str(warning) for warning in lint(configured()) if "tls" in warning.key]
    assert over.startswith("x.yaml:2:28 tls[0].certificate: expired on ")
    authority.issue("own", B, Validity(ends=40))
    assert [warning for warning in lint(configured()) if "tls" in warning.key] == []


def test_the_end_of_chains_and_lists_is_read(authority: Authority) -> None:
    """The first end of several counts, and what cannot be read has none."""
    early, late = authority.issue("early", B, Validity(ends=2)), authority.issue("late", B, Validity(ends=9))
    both = late.certificate.read_text() + early.certificate.read_text()
    assert chain_ends(both) == chain_ends(early.certificate.read_text())
    assert chain_ends("-----BEGIN nothing") is None
    revoked = authority.revoke(early).read_text()
    assert list_ends(revoked) is not None
    assert list_ends(both) is None
