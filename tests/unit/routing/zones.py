"""DNS as a table: records written as in a zone file, and a driver that lets the pure search talk to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from ibcf.dns.records import Class, Host, Naptr, RecordSet, Srv
from ibcf.routing.location import Answer, Destination, Located, Preferences, Query
from ibcf.routing.search import search

Zone = Mapping[str, list[str] | Class]
"""`"SRV _sip._udp.b.example"` to the data of its records, or to why there are none."""


def records(query: Query, lines: list[str], *, ttl_s: int, additional: tuple[Host, ...] = ()) -> Answer:
    """Read data as they stand in a zone file; `@7` at the end is a TTL."""
    found: list[Any] = []
    for line in lines:
        text, _, ttl = line.partition(" @")
        lifetime = int(ttl) if ttl else ttl_s
        fields = [part.strip('"') for part in text.split()]
        match query.kind:
            case "NAPTR":
                order, preference, flags, service, regexp, replacement = fields
                name = replacement.rstrip(".")
                found.append(Naptr(int(order), int(preference), flags, service, regexp, name, lifetime))
            case "SRV":
                priority, weight, port, target = fields
                found.append(Srv(int(priority), int(weight), int(port), target.rstrip("."), lifetime))
            case _:
                found.append(Host(query.name, ip_address(text), lifetime))
    return RecordSet(Class.FOUND, tuple(found), additional=additional)


@dataclass
class Answers:
    """Answers queries from a zone, and remembers them."""

    zone: Zone
    ttl_s: int = 300
    glue: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def answer(self, query: Query) -> Answer:
        """Answer one query; what is not in the zone does not exist."""
        key = f"{query.kind} {query.name}"
        self.asked.append(key)
        data = self.zone.get(key, Class.NXDOMAIN)
        if isinstance(data, Class):
            nothing: RecordSet[Host] = RecordSet(data, detail="why")
            return nothing
        extra = tuple(Host(name, ip_address(text), self.ttl_s) for name, text in self.glue.get(key, ()))
        return records(query, data, ttl_s=self.ttl_s, additional=extra)


def locate(
    zone: Zone | Answers, destination: Destination, preferences: Preferences | None = None
) -> tuple[Located, list[str]]:
    """Drive a search over *zone*; return its result and what was asked."""
    answers = zone if isinstance(zone, Answers) else Answers(zone)
    conversation = search(destination, preferences or Preferences())
    try:
        queries = next(conversation)
        while True:
            queries = conversation.send(tuple(answers.answer(query) for query in queries))
    except StopIteration as end:
        located: Located = end.value
        return located, answers.asked


def shown(located: Located) -> list[str]:
    """Return the targets as `priority weight transport address:port`."""
    return [f"{target.priority} {target.weight} {target}" for target in located.targets]
