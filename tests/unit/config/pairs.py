"""Pairs of YAML and what is said of it, kept as text: the sections of interest above a line of dashes, the lines below.

A case names only the sections it is about; they stand first, so its line numbers are those of the case, and the other
sections of a small sound configuration follow. `ok` below the dashes means that nothing is said.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

KEY = "00112233445566778899aabbccddeeff" * 2
KEY_VARIABLE = "IBCF_TEST_KEY"

SECTIONS = {
    "version": "version: 1\n",
    "node": "node: {name: ibcf-1, domain: ibcf.a.example}\n",
    "keys": f"keys:\n  - {{id: 1, secret: {{env: {KEY_VARIABLE}}}}}\n",
    "charging": "charging: {directory: cdr}\n",
    "listeners": """\
listeners:
  - {id: home_udp, side: home, transport: udp, address: "127.0.0.1:5060"}
  - {id: peer_udp, side: peer, transport: udp, address: "127.0.0.1:5070"}
""",
    "agreements": """\
agreements:
  - {id: own, trusted: true, methods: [INVITE, ACK, BYE, CANCEL]}
  - {id: with_b, trusted: true, methods: [INVITE, ACK, BYE, CANCEL], header_rules: {sent: [to_b]}}
""",
    "peers": """\
peers:
  - id: carrier_a
    side: home
    agreement: own
    listeners: home_udp
    sources: ["127.0.0.2"]
    targets: [{id: a1, address: "127.0.0.2:5060"}]
    limits: {requests_per_second: 100, calls_max: 1000}
  - id: carrier_b
    side: peer
    agreement: with_b
    listeners: peer_udp
    sources: ["127.0.0.3"]
    targets: [{id: b1, address: "127.0.0.3:5060"}]
    limits: {requests_per_second: 100, calls_max: 1000}
""",
    "header_rules": "header_rules:\n  - {id: to_b, rules: [{id: no_agent, remove: User-Agent}]}\n",
    "enum": 'enum:\n  - {id: numbers, apexes: [e164.arpa], servers: ["127.0.0.1:53"]}\n',
    "routes": """\
routes:
  - {id: look_up, match: {direction: exit}, enum: numbers}
  - {id: unknown, match: {enum: [not_found, failed]}, reject: {reason: decide.number_unknown}}
  - {id: all, to: [{peer: carrier_b}]}
""",
}


@dataclass(frozen=True, slots=True)
class Case:
    """One pair."""

    sentence: str
    text: str
    said: tuple[str, ...]


def sound(**sections: str) -> str:
    """Return the small sound configuration; *sections* stand first and replace those of the same name."""
    return "".join(sections.values()) + "".join(text for name, text in SECTIONS.items() if name not in sections)


def completed(text: str) -> str:
    """Return *text* with the sections that it lacks behind it."""
    given = set(re.findall(r"^([a-z_]+):", text, re.MULTILINE))
    return text + "".join(section for name, section in SECTIONS.items() if name not in given)


def cases_in(path: Path) -> list[Case]:
    """Return the cases in the file at *path*."""
    cases = []
    for part in re.split(r"^=== ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        sentence, _, rest = part.partition("\n")
        text, _, said = rest.partition("-----\n")
        lines = tuple(line for line in said.splitlines() if line)
        cases.append(Case(sentence, text, () if lines == ("ok",) else lines))
    return cases
