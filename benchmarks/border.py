"""Ourselves, run as an operator runs us: `ibcf run` with metrics, records, and the log in a file."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from benchmarks import certificates
from benchmarks.certificates import CALLEE_NAME, CALLER_NAME
from benchmarks.launch import Launch
from benchmarks.place import CALLEE, CALLER, PROXY

if TYPE_CHECKING:
    from benchmarks.certificates import Certificates
    from benchmarks.place import Place
    from benchmarks.subject import Subject

Document = dict[str, Any]
Change = Callable[[Document], Document]
POLICIES = Path(__file__).parent / "ibcf"
READY = '"border.ready"'


def launch(place: Place, subject: Subject, *, change: Change | None = None) -> Launch:
    """Run the border at a level; *change* may do something to its configuration."""
    document = prepare(policy(subject.level), place, subject)
    configuration = place.folder / "ibcf.yaml"
    configuration.write_text(json.dumps(change(document) if change else document), encoding="utf-8")
    command: list[str | Path] = [sys.executable, "-m", "ibcf.cli.main", "run", "--drain-timeout", "1s", configuration]
    environment = {"PYTHONPATH": str(Path(__file__).parents[1])}
    return Launch(command, lambda child: READY in child.text(), environment)


def policy(level: int) -> Document:
    """Return the shipped configuration of a level."""
    document: Document = YAML(typ="safe").load(POLICIES / f"l{level}.yaml")
    return document


def prepare(document: Document, place: Place, subject: Subject) -> Document:
    """Put the addresses of a run into a configuration."""
    document["admin"]["address"] = f"{PROXY}:0"
    document["charging"]["directory"] = str(place.folder / "cdr")
    ports = {"home": place.proxy_port, "peer": place.far_port}
    for listener in document["listeners"]:
        listener["address"] = f"{PROXY}:{ports[listener['side']]}"
        listener["transport"] = subject.transport
    for peer, address, target in zip(document["peers"], (CALLER, CALLEE), (place.caller, place.callee), strict=False):
        peer["sources"] = [f"{address}/32"]
        peer["targets"] = [{"id": "t1", "address": target, "transport": subject.transport}]
    if subject.transport == "tls":
        prove(document, certificates.issue(place.folder))
    for service in document.get("enum", ()):
        service["servers"] = [place.name_server]
    return document


def prove(document: Document, issued: Certificates) -> None:
    """Show a certificate, and ask both networks for theirs."""
    shown = issued.proxy
    document["tls"] = [{"id": "bench", "certificate": str(shown.certificate), "private_key": str(shown.private_key)}]
    for listener in document["listeners"]:
        listener["tls"] = "bench"
    for peer, name in zip(document["peers"], (CALLER_NAME, CALLEE_NAME), strict=False):
        peer["tls"] = {"identities": [f"sip:{name}"], "authorities": str(issued.authority)}
