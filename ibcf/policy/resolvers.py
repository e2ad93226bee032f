"""The resolvers that a configuration asks for: its sections, in the words of `ibcf.numbering` and `ibcf.routing`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ibcf.config.values import milliseconds
from ibcf.numbering.enum_lookup import EnumResolver, EnumSettings
from ibcf.numbering.naptr import Rules
from ibcf.routing.location import VERSION_OF_FAMILY, Destination, Preferences
from ibcf.routing.locator import LocatorSettings
from ibcf.routing.watcher import PeerDomain

if TYPE_CHECKING:
    from ibcf.config import Config
    from ibcf.config.enum_services import EnumService
    from ibcf.config.locator import Locator
    from ibcf.config.peers import Peer


def enum_settings(service: EnumService) -> EnumSettings:
    """Return the settings of the resolver for *service*."""
    return EnumSettings(
        id=service.id,
        apexes=service.apexes,
        rules=Rules(services=tuple(name.lower() for name in service.services)),
        servers=tuple(str(server) for server in service.servers or ()),
        zone_file=service.zone_file,
        timeout_ms=milliseconds(service.timeout),
        deadline_ms=milliseconds(service.deadline),
        negative_ttl_ms=milliseconds(service.negative_ttl),
        ttl_max_ms=milliseconds(service.ttl_max),
        digits_min=service.digits_min,
        candidates_max=service.candidates_max,
    )


def open_resolvers(config: Config) -> dict[str, EnumResolver]:
    """Open a resolver for each ENUM service of *config*; whoever opens them closes them."""
    resolvers = {}
    for service in config.enum:
        settings = enum_settings(service)
        resolvers[service.id] = EnumResolver(settings, settings.open_source())
    return resolvers


def locator_settings(section: Locator) -> LocatorSettings:
    """Return the settings of the locator for *section*."""
    return LocatorSettings(
        servers=tuple(str(server) for server in section.servers),
        timeout_ms=milliseconds(section.timeout),
        tries=section.tries,
        deadline_ms=milliseconds(section.deadline),
        ttl_min_ms=milliseconds(section.ttl_min),
        ttl_max_ms=milliseconds(section.ttl_max),
        negative_ttl_ms=milliseconds(section.negative_ttl),
        stale_max_ms=milliseconds(section.stale_max),
        names_max=section.names_max,
        families=section.families,
    )


def peer_preferences(config: Config, peer: Peer) -> Preferences:
    """Return what the listeners of *peer* can speak: transports in their order, families as the locator prefers."""
    listeners = {listener.id: listener for listener in config.listeners}
    own = [listeners[name] for name in peer.listeners]
    versions = {listener.address.address.version for listener in own}
    preferred = () if config.locator is None else config.locator.families
    return Preferences(
        transports=tuple(dict.fromkeys(listener.transport for listener in own)),
        families=tuple(family for family in preferred if VERSION_OF_FAMILY[family] in versions),
    )


def peer_domains(config: Config) -> list[PeerDomain]:
    """Return the peers that are given as a domain."""
    return [
        PeerDomain(peer.id, Destination(peer.domain, peer.port, peer.transport), peer_preferences(config, peer))
        for peer in config.peers
        if peer.domain is not None
    ]
