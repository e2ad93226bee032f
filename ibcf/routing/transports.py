"""The transports of SIP as DNS names them: NAPTR services, SRV prefixes, default ports (RFC 3263 §4.1, §4.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Transport = Literal["udp", "tcp", "tls"]
TRANSPORTS: Final[tuple[Transport, ...]] = ("udp", "tcp", "tls")
"""All that we speak, in the order of our own preference (RFC 3263 §4.1 leaves it to the client)."""


@dataclass(frozen=True, slots=True)
class Naming:
    """How one transport stands in DNS."""

    service: str
    """In a NAPTR record, upper case."""
    srv_prefix: str
    default_port: int
    is_secure: bool


NAMINGS: Final[dict[Transport, Naming]] = {
    "udp": Naming("SIP+D2U", "_sip._udp", 5060, is_secure=False),
    "tcp": Naming("SIP+D2T", "_sip._tcp", 5060, is_secure=False),
    "tls": Naming("SIPS+D2T", "_sips._tcp", 5061, is_secure=True),
}
BY_SERVICE: Final[dict[str, Transport]] = {naming.service: transport for transport, naming in NAMINGS.items()}


def is_sip_service(service: str) -> bool:
    """Tell whether a NAPTR record is about SIP at all; an IMS domain has those of Diameter and ENUM beside it."""
    return service.upper().partition("+")[0] in {"SIP", "SIPS"}


def usable(supported: tuple[Transport, ...], *, sips: bool) -> tuple[Transport, ...]:
    """Return those of *supported* that the scheme allows: a `sips` URI goes by TLS or not at all."""
    return tuple(transport for transport in supported if NAMINGS[transport].is_secure or not sips)


def asked_for(transport: Transport, *, sips: bool) -> Transport | None:
    """Return what a `transport` parameter means with the scheme: `sips` with TCP is TLS, with UDP it is nothing."""
    if not sips or transport == "tls":
        return transport
    return "tls" if transport == "tcp" else None


def default(supported: tuple[Transport, ...], *, sips: bool) -> Transport | None:
    """Return the transport where nobody names one: UDP, or TLS for `sips`; else the first that there is."""
    choice = usable(supported, sips=sips)
    preferred: Transport = "tls" if sips else "udp"
    return preferred if preferred in choice else next(iter(choice), None)
