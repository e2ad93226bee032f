"""The configuration of a test: the shipped one, with addresses of the test's own."""

import copy
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.system.support.ports import free_port, host_port

Document = dict[str, Any]
POLICIES = Path(__file__).parents[3] / "policies"
SHIPPED = POLICIES / "demo.yaml"
ZONE = POLICIES / "demo.zone"


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


def write(document: Document, path: Path) -> Path:
    """Write *document* (JSON is YAML too) and return its path."""
    path.write_text(json.dumps(document, indent=2))
    return path


def section(document: Document, name: str, identifier: str) -> Document:
    """Return the entry of a section that has the id given."""
    found: Document = next(entry for entry in document[name] if entry["id"] == identifier)
    return found
