"""The configuration of a test: the shipped one, with addresses of the test's own."""

import copy
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.system.support.certificates import SIP_NAMES, Identities
from tests.system.support.ports import free_port, host_port

Document = dict[str, Any]
POLICIES = Path(__file__).parents[3] / "policies"
SHIPPED = POLICIES / "demo.yaml"
ZONE = POLICIES / "demo.zone"
OURS = "border"
"""Id of the certificate that the border shows."""


@dataclass(frozen=True)
class Carrier:
    """One carrier's core: who it is, where it receives calls, and which listener of the border it talks to."""

    peer: str
    address: str
    port: int
    listener: str

    @property
    def target(self) -> str:
        """Where the border sends to."""
        return host_port(self.address, self.port)


@dataclass(frozen=True)
class Carriers:
    """The three cores around the border."""

    a: Carrier
    b: Carrier
    c: Carrier


def choose_carriers(a: str = "127.0.0.2", b: str = "127.0.0.3", c: str = "127.0.0.4") -> Carriers:
    """Give each carrier an address and a port that is free there."""
    return Carriers(
        a=Carrier("carrier_a", a, free_port(a), "home_udp"),
        b=Carrier("carrier_b", b, free_port(b), "peer_udp"),
        c=Carrier("carrier_c", c, free_port(c), "peer_udp"),
    )


def shipped() -> Document:
    """Return the configuration of the flows, as it is shipped."""
    document: Document = YAML(typ="safe").load(SHIPPED)
    return document


def prepare(carriers: Carriers, folder: Path, *, dns: list[str] | None) -> Document:
    """Return the shipped configuration with the test's addresses; *dns* replaces the zone file by servers."""
    document = copy.deepcopy(shipped())
    document["admin"]["address"] = "127.0.0.1:0"
    document["charging"]["directory"] = str(folder / "cdr")
    for listener in document["listeners"]:
        listener["address"] = "127.0.0.1:0"
    for peer in document["peers"]:
        carrier = next(one for one in (carriers.a, carriers.b, carriers.c) if one.peer == peer["id"])
        peer["sources"] = [f"{carrier.address}/{128 if ':' in carrier.address else 32}"]
        peer["targets"][0]["address"] = carrier.target
    [service] = document["enum"]
    if dns is None:
        service["zone_file"] = str(ZONE)
    else:
        del service["zone_file"]
        service["servers"] = dns
    return document


def offer(document: Document, side: str, transport: str) -> str:
    """Add a listener for *transport* on one side, let the peers of that side use it too, and return its id."""
    identifier = f"{side}_{transport}"
    if identifier in {listener["id"] for listener in document["listeners"]}:
        return identifier
    address = next(listener["address"] for listener in document["listeners"] if listener["side"] == side)
    listener = {"id": identifier, "side": side, "transport": transport, "address": address}
    if transport == "tls":
        listener["tls"] = OURS
    document["listeners"].append(listener)
    for peer in document["peers"]:
        if peer["side"] == side:
            held = peer["listeners"]
            peer["listeners"] = [*([held] if isinstance(held, str) else held), identifier]
    return identifier


def reach(document: Document, peer: str, transport: str) -> None:
    """Send to all targets of a peer over *transport*."""
    for target in section(document, "peers", peer)["targets"]:
        target["transport"] = transport


def connect(document: Document, transport: str, identities: Identities) -> None:
    """Carry everything between the border and carriers A and B over *transport*."""
    if transport == "udp":
        return
    if transport == "tls":
        prove(document, identities)
    for side in ("home", "peer"):
        offer(document, side, transport)
    for peer in ("carrier_a", "carrier_b"):
        reach(document, peer, transport)


def prove(document: Document, identities: Identities) -> None:
    """Show the border's certificate, and ask each peer for one that names its domain."""
    shown, authorities = identities.border, str(identities.authority.path)
    document["tls"] = [
        {"id": OURS, "certificate": str(shown.certificate), "private_key": str(shown.private_key)},
    ]
    for peer in document["peers"]:
        peer["tls"] = {"identities": [SIP_NAMES[peer["id"]]], "authorities": authorities}


def write(document: Document, path: Path) -> Path:
    """Write *document* (JSON is YAML too) and return its path."""
    path.write_text(json.dumps(document, indent=2))
    return path


def section(document: Document, name: str, identifier: str) -> Document:
    """Return the entry of a section that has the id given."""
    found: Document = next(entry for entry in document[name] if entry["id"] == identifier)
    return found
