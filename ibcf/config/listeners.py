"""Section `listeners`: the sockets on which the border receives and from which it sends."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field, ValidationInfo, field_validator

from ibcf.config.section import Section
from ibcf.config.values import Address, BindAddress, HostPort, Id, Size, SizeBytes, Within

Side = Literal["home", "peer"]
Transport = Literal["udp", "tcp", "tls"]
TRANSPORTS = get_args(Transport)

_Buffer = Within(Size(64 * 1024), Size(512 * 1024**2))


class Listener(Section):
    """A socket of the border; it faces one of the two networks."""

    id: Id
    """Stable name for logs, metrics and peers."""
    side: Side
    """The network that it faces: our own core (`home`) or other operators (`peer`)."""
    transport: Transport
    """How messages travel."""
    address: BindAddress
    """Address to bind; port 0 lets the system choose."""
    advertised: Annotated[Address | None, Field(validate_default=True)] = None
    """Address written into Via and Record-Route; the bound one unless set."""
    dscp: Annotated[int, Field(ge=0, le=63)] | None = None
    """Differentiated services code point of what it sends (RFC 2474); the system's default unless set."""
    receive_buffer_size: Annotated[SizeBytes, _Buffer] = Size(4 * 1024**2)
    """What the system is to hold for each worker until that reads it (net.core.rmem_max bounds it); only for transport
    udp: the buffers of connections size themselves."""
    send_buffer_size: Annotated[SizeBytes, _Buffer] = Size(4 * 1024**2)
    """What the system is to hold for each worker until the network takes it (net.core.wmem_max bounds it); only for
    transport udp."""
    tls: Annotated[Id | None, Field(validate_default=True)] = None
    """The certificate that it shows, by id; only for transport tls, which needs one."""

    @field_validator("advertised")
    @classmethod
    def check_advertised(cls, value: HostPort | None, info: ValidationInfo) -> HostPort | None:
        """Refuse to advertise a wildcard: nobody could answer to it."""
        address: HostPort | None = info.data.get("address")
        if value is None and address is not None and address.address.is_unspecified:
            raise ValueError(f"missing: {address} binds every address, so say which one others reach")
        return value

    @field_validator("receive_buffer_size", "send_buffer_size")
    @classmethod
    def check_buffer(cls, value: Size, info: ValidationInfo) -> Size:
        """Refuse to size the buffers of connections: the system fits each to its path, unless somebody sets it."""
        transport = info.data.get("transport")
        if transport in ("tcp", "tls"):
            raise ValueError(f"means nothing for transport {transport}")
        return value

    @field_validator("tls")
    @classmethod
    def check_tls(cls, value: str | None, info: ValidationInfo) -> str | None:
        """Ask for a certificate exactly where one is shown."""
        transport = info.data.get("transport")
        if value is None and transport == "tls":
            raise ValueError("missing: a tls listener shows a certificate of the section tls")
        if value is not None and transport in ("udp", "tcp"):
            raise ValueError(f"means nothing for transport {transport}")
        return value
