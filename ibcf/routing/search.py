"""The location of one destination as a conversation, without any I/O (RFC 3263 §4).

`search` is a generator: it yields the queries that may be asked at once, is sent what DNS said to each, and returns the
result. Who answers, in which time, from which server, is not its business.

    address            that address
    host and port      A and AAAA of the host
    host, transport    the one SRV name of that transport; if there is none, A and AAAA of the host
    host               NAPTR, and the SRV names that its records give, in their order; if there is none about SIP, the
                       SRV name of every transport, the first that exists; if there is none, A and AAAA of the host

"There is none" is an authoritative no. A query that failed says nothing: the search goes on with what else there is,
but ends as `failed` rather than with a guess (LOC-06, LOC-07).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Final, TypeVar, cast

from ibcf.dns.records import Class, Host, Naptr, RecordSet, Srv, is_not_found
from ibcf.routing.location import (
    FAMILY_OF_VERSION,
    Answer,
    Destination,
    Judgement,
    Kind,
    Located,
    Preferences,
    Query,
    Step,
    Target,
)
from ibcf.routing.ranking import Server, ranked
from ibcf.routing.transports import BY_SERVICE, NAMINGS, Transport, asked_for, default, is_sip_service, usable

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

RECORDS_MAX: Final = 32
"""Of one NAPTR or SRV answer; the best are kept."""
ADDRESSES_MAX: Final = 16
"""Of one A or AAAA answer."""
SERVICES_MAX: Final = 8
"""SRV names asked for."""
SERVERS_MAX: Final = 16
"""Names of servers whose addresses are asked for."""
NAME_LENGTH_MAX: Final = 253

_LABEL: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_KIND_OF_FAMILY: Final[dict[str, Kind]] = {"ipv4": "A", "ipv6": "AAAA"}

T = TypeVar("T")
Queries = tuple[Query, ...]
Answers = tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class _Service:
    """An SRV name, and the transport that it is for."""

    name: str
    transport: Transport
    ttl_s: int | None = None
    """Of the NAPTR record that gave it."""


@dataclass(frozen=True, slots=True)
class _ServerSet:
    """The SRV records under one name."""

    service: _Service
    rank: int
    records: tuple[Srv, ...]
    glue: tuple[Host, ...]


def search(destination: Destination, preferences: Preferences) -> Generator[Queries, Answers, Located]:
    """Locate *destination*: yields queries, is sent their answers, returns the targets. TTLs are as DNS gave them."""
    return (yield from _Search(destination, preferences).run())


def is_domain(name: str) -> bool:
    """Tell whether *name* can stand in a query."""
    return len(name) <= NAME_LENGTH_MAX and all(_LABEL.fullmatch(label) for label in name.split("."))


def is_usable_address(address: IPv4Address | IPv6Address) -> bool:
    """Tell whether a request can be sent to *address*, whoever said so."""
    if address.is_unspecified or address.is_multicast:
        return False
    if isinstance(address, IPv4Address):
        return int(address) >> 24 != 0 and str(address) != "255.255.255.255"  # RFC 1122 §3.2.1.3
    # without a zone a link-local address names no host, and a mapped one would leave from the wrong listener
    return not (address.is_link_local or address.ipv4_mapped)


@dataclass(slots=True)
class _Search:
    destination: Destination
    preferences: Preferences
    steps: list[Step] = field(default_factory=list)
    ttl_s: int | None = None
    failure: Class | None = None
    failure_detail: str = ""
    is_uncertain: bool = False
    no: Class = Class.NXDOMAIN
    """The last authoritative no."""

    def run(self) -> Generator[Queries, Answers, Located]:
        transport = self._transport()
        if transport is None:
            return self._nothing(f"no transport that both {self.destination} and we speak")
        if self.destination.port == 0:
            return self._nothing("port 0")
        host = self.destination.host.removesuffix(".").lower()
        if (address := _literal(host)) is not None:
            return self._literal(address, transport)
        if not is_domain(host):
            return self._nothing("neither an address nor a domain name")
        if self.destination.port is not None:
            return (yield from self._hosts(host, self.destination.port, transport))
        return (yield from self._domain(host, transport))

    def _transport(self) -> Transport | None:
        """Return what the URI says, or what it means by saying nothing; `None` if we cannot do that."""
        wanted, supported = self.destination, self.preferences.transports
        if wanted.transport is None:
            return default(supported, sips=wanted.sips)
        transport = asked_for(wanted.transport, sips=wanted.sips)
        return transport if transport in supported else None

    def _domain(self, host: str, transport: Transport) -> Generator[Queries, Answers, Located]:
        """Locate a domain name without a port; *transport* is that of the URI, or the default one."""
        if self.destination.transport is not None:
            services = [_Service(f"{NAMINGS[transport].srv_prefix}.{host}", transport)]
            return (yield from self._services(host, services, fallback=transport, keep_all=True))
        named, has_sip = yield from self._naptr(host)
        if named:
            return (yield from self._services(host, named, fallback=named[0].transport, keep_all=True))
        services = [_Service(f"{NAMINGS[one].srv_prefix}.{host}", one) for one in self._usable()]
        return (yield from self._services(host, services, fallback=None if has_sip else transport, keep_all=False))

    # --- NAPTR ---

    def _naptr(self, host: str) -> Generator[Queries, Answers, tuple[list[_Service], bool]]:
        """Return the SRV names that the records give, in order, and whether any record was about SIP (LOC-05)."""
        query = Query("NAPTR", host)
        answer = cast("RecordSet[Naptr]", (yield (query,))[0])
        self._note(query, answer)
        services: list[_Service] = []
        judgements: list[Judgement] = []
        for record in sorted(answer.records, key=self._naptr_order):
            problem = self._naptr_problem(record)
            service = _Service(record.replacement.lower(), BY_SERVICE.get(record.service.upper(), "udp"), record.ttl_s)
            if not problem and service.name in {one.name for one in services}:
                problem = "the same name stands above"
            if not problem and len(services) == SERVICES_MAX:
                problem = f"more than {SERVICES_MAX} services"
            if not problem:
                services.append(service)
            judgements.append(Judgement(str(record), problem))
        self._step(query, answer, judgements)
        return services, any(is_sip_service(record.service) for record in answer.records)

    def _naptr_order(self, record: Naptr) -> tuple[int, int, int, str]:
        """ORDER, PREFERENCE; among equals our own preference, then anything that is the same each time."""
        transport = BY_SERVICE.get(record.service.upper())
        ours = self.preferences.transports
        return (
            record.order,
            record.preference,
            ours.index(transport) if transport in ours else len(ours),
            record.replacement,
        )

    def _naptr_problem(self, record: Naptr) -> str:
        transport = BY_SERVICE.get(record.service.upper())
        if transport is None:
            return f'service "{record.service}": none of ours'
        if transport not in self.preferences.transports:
            return f"{transport} is not spoken to this peer"
        if transport not in self._usable():
            return "a sips URI goes by TLS only"
        if record.flags.lower() != "s":
            return f'flags "{record.flags}": only "s" leads to servers (RFC 3263 §4.1)'
        if record.regexp or not is_domain(record.replacement):
            return "the replacement must be a domain name, and the expression empty"
        return ""

    def _usable(self) -> tuple[Transport, ...]:
        return usable(self.preferences.transports, sips=self.destination.sips)

    # --- SRV ---

    def _services(
        self, host: str, services: list[_Service], *, fallback: Transport | None, keep_all: bool
    ) -> Generator[Queries, Answers, Located]:
        """Ask for all SRV names at once; a failing one ends nothing.

        Unless *keep_all*, the first set that leads anywhere is the result. *fallback* is the transport with which the
        host itself is tried if no name has a record.
        """
        queries = tuple(Query("SRV", service.name) for service in services)
        answers = yield queries
        sets: list[_ServerSet] = []
        is_absent = self.failure is None
        for rank, (service, query, answer) in enumerate(zip(services, queries, answers, strict=True)):
            found = cast("RecordSet[Srv]", answer)
            self._note(query, found)
            records = self._servers(query, found)
            is_absent = is_absent and not found.records and is_not_found(found.class_)
            if records:
                sets.append(_ServerSet(service, rank, records, found.additional))
        if is_absent and fallback is not None:
            return (yield from self._hosts(host, NAMINGS[fallback].default_port, fallback))
        kept: list[Server] = []
        for group in [sets] if keep_all else [[one] for one in sets]:
            kept = yield from self._with_addresses(group)
            if kept:
                break
        return self._found(kept)

    def _servers(self, query: Query, answer: RecordSet[Srv]) -> tuple[Srv, ...]:
        records: list[Srv] = []
        judgements: list[Judgement] = []
        for record in sorted(answer.records, key=lambda one: (one.priority, -one.weight, one.target, one.port)):
            problem = ""
            if not record.target:
                problem = "the service is decidedly not there (RFC 2782)"
            elif not is_domain(record.target) or _literal(record.target) is not None:
                problem = "the target must be the name of a host"
            elif record.port == 0:
                problem = "port 0"
            elif len(records) == RECORDS_MAX:
                problem = f"more than {RECORDS_MAX} records"
            else:
                records.append(record)
            judgements.append(Judgement(str(record), problem))
        self._step(query, answer, judgements)
        return tuple(records)

    def _with_addresses(self, sets: list[_ServerSet]) -> Generator[Queries, Answers, list[Server]]:
        """Look up the addresses of all servers of *sets* at once, each name once."""
        names: dict[str, dict[str, tuple[Host, ...]]] = {}
        for one in sets:
            for record in one.records:
                if len(names) < SERVERS_MAX:
                    names.setdefault(record.target, {}).update(self._glue(one, record.target))
        hosts = yield from self._addresses(names)
        servers = []
        for one in sets:
            for record in one.records:
                addresses = hosts.get(record.target, ())
                if addresses:
                    ttls = [record.ttl_s, *(host.ttl_s for host in addresses)]
                    self._note_ttl(ttls if one.service.ttl_s is None else [*ttls, one.service.ttl_s])
                    places = tuple(host.address for host in addresses)
                    transport = one.service.transport
                    rank = (one.rank, record.priority, record.weight)
                    servers.append(Server(record.target, record.port, transport, *rank, places))
        return servers

    def _glue(self, one: _ServerSet, name: str) -> dict[str, tuple[Host, ...]]:
        """Return the addresses that came with the SRV records, by kind; believed within their own domain only."""
        domain = one.service.name.split("._tcp." if "._tcp." in one.service.name else "._udp.")[-1]
        if name != domain and not name.endswith(f".{domain}"):
            return {}
        found = {
            kind: tuple(
                host
                for host in one.glue
                if host.name == name
                and is_usable_address(host.address)
                and _KIND_OF_FAMILY[FAMILY_OF_VERSION[host.address.version]] == kind
            )
            for kind in _KIND_OF_FAMILY.values()
        }
        return {kind: hosts[:ADDRESSES_MAX] for kind, hosts in found.items() if hosts}

    # --- A and AAAA ---

    def _hosts(self, host: str, port: int, transport: Transport) -> Generator[Queries, Answers, Located]:
        hosts = yield from self._addresses({host: {}})
        found = hosts.get(host, ())
        if not found:
            return self._found([])
        self._note_ttl(one.ttl_s for one in found)
        return self._found([Server(host, port, transport, 0, 0, 1, tuple(one.address for one in found))])

    def _addresses(
        self, names: dict[str, dict[str, tuple[Host, ...]]]
    ) -> Generator[Queries, Answers, dict[str, tuple[Host, ...]]]:
        """Look *names* up, but for what is known of them."""
        kinds = [_KIND_OF_FAMILY[family] for family in self.preferences.families]
        queries = tuple(Query(kind, name) for name, known in names.items() for kind in kinds if kind not in known)
        found = {name: [host for hosts in known.values() for host in hosts] for name, known in names.items()}
        answers = (yield queries) if queries else ()
        for query, answer in zip(queries, answers, strict=True):
            records = cast("RecordSet[Host]", answer)
            self._note(query, records)
            judgements = []
            kept = 0
            for host in sorted(records.records, key=lambda one: int(one.address)):
                problem = "" if is_usable_address(host.address) else "not the address of one host"
                if not problem and kept == ADDRESSES_MAX:
                    problem = f"more than {ADDRESSES_MAX} addresses"
                if not problem:
                    kept += 1
                    found[query.name].append(host)
                judgements.append(Judgement(str(host), problem))
            self._step(query, records, judgements)
        return {name: tuple(hosts) for name, hosts in found.items() if hosts}

    # --- results ---

    def _literal(self, address: IPv4Address | IPv6Address, transport: Transport) -> Located:
        """LOC-02: an address is not looked up; it holds for ever, so whoever keeps the result bounds that."""
        if FAMILY_OF_VERSION[address.version] not in self.preferences.families:
            return self._nothing("an address of a family that is not spoken to this peer")
        if not is_usable_address(address):
            return self._nothing("not the address of one host")
        port = self.destination.port or NAMINGS[transport].default_port
        target = Target(str(address), address, port, transport, priority=0, weight=1)
        return Located("found", Class.FOUND, (target,), ttl_ms=_FOREVER_MS)

    def _found(self, servers: list[Server]) -> Located:
        targets = ranked(servers, self.preferences.families)
        steps = tuple(self.steps)
        if targets:
            return Located(
                "found",
                Class.FOUND,
                targets,
                ttl_ms=max(self.ttl_s or 0, 0) * 1000,
                is_partial=self.failure is not None,
                is_uncertain=self.is_uncertain,
                steps=steps,
                detail=self.failure_detail,
            )
        if self.failure is not None:
            return Located("failed", self.failure, steps=steps, detail=self.failure_detail)
        had_records = any(step.judgements for step in self.steps)
        return Located("not_found", Class.NO_USABLE_RECORD if had_records else self.no, steps=steps)

    def _nothing(self, detail: str) -> Located:
        return Located("not_found", Class.NO_USABLE_RECORD, steps=tuple(self.steps), detail=detail)

    def _note(self, query: Query, answer: Answer) -> None:
        """Take note of a no or a failure."""
        if is_not_found(answer.class_):
            self.no = answer.class_
        elif answer.class_ is not Class.FOUND:
            self.is_uncertain |= query.kind in {"NAPTR", "SRV"}
            if self.failure is None:
                self.failure, self.failure_detail = answer.class_, answer.detail

    def _note_ttl(self, ttls: Iterable[int]) -> None:
        lowest = min(ttls)
        self.ttl_s = lowest if self.ttl_s is None else min(self.ttl_s, lowest)

    def _step(self, query: Query, answer: Answer, judgements: list[Judgement]) -> None:
        self.steps.append(Step(query, answer.class_, answer.detail, tuple(judgements)))


_FOREVER_MS: Final = 2**31 * 1000


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        address = ip_address(bare)
    except ValueError:
        return None
    return None if isinstance(address, IPv6Address) and address.scope_id else address
