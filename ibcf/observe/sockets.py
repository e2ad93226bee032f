"""Log lines about socket buffers: what the configuration asks for, and what the system gave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ibcf.observe import logs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ibcf.boundary import Family

GIVEN: Final = "ibcf_socket_buffer_bytes"
ASKED: Final = "ibcf_socket_buffer_asked_bytes"
SYSCTLS: Final = {"receive": "net.core.rmem_max", "send": "net.core.wmem_max"}
"""What bounds each direction for a process that may not pass its bounds."""


def log_socket_buffers(families: Iterable[Family]) -> None:
    """Write a line for each listener and direction; a warning with the remedy where the system gave less."""
    values = {family.name: {sample.labels: int(sample.value) for sample in family.samples} for family in families}
    given = values.get(GIVEN, {})
    for (listener, direction), asked_bytes in values.get(ASKED, {}).items():
        given_bytes = given.get((listener, direction), 0)
        fields = {
            "listener": listener,
            "direction": direction,
            "asked_bytes": asked_bytes,
            "given_bytes": given_bytes,
        }
        if given_bytes >= asked_bytes:
            logs.logger().info(logs.SOCKET_BUFFER, **fields)
        else:
            logs.logger().warning(
                logs.SOCKET_BUFFER,
                **fields,
                result="datagrams are dropped sooner when a burst comes",
                advice=f"sysctl -w {SYSCTLS[direction]}={asked_bytes}, then reload",
            )
