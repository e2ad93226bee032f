"""The resolvers that a configuration asks for: its sections, in the words of `ibcf.numbering` and `ibcf.routing`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ibcf.config.values import milliseconds
from ibcf.numbering.enum_lookup import EnumResolver, EnumSettings
from ibcf.numbering.naptr import Rules
from ibcf.routing.locator import LocatorSettings

if TYPE_CHECKING:
    from ibcf.config import Config
    from ibcf.config.enum_services import EnumService
    from ibcf.config.locator import Locator


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
