"""Section `admin`: the HTTP endpoint for metrics and health."""

from __future__ import annotations

from ipaddress import IPv4Address

from ibcf.config.section import Section
from ibcf.config.values import BindAddress, HostPort


class Admin(Section):
    """The HTTP endpoint for metrics and health."""

    address: BindAddress = HostPort(IPv4Address("127.0.0.1"), 9090)
    """Where /metrics, /health/live and /health/ready are served; port 0 lets the system choose."""
