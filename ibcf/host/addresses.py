"""The addresses of this host and the interface that each is on, as the kernel tells (rtnetlink(7), RFC 3549)."""

from __future__ import annotations

import contextlib
import socket
import struct
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_RTM_NEWADDR: Final = 20
_RTM_GETADDR: Final = 22
_NLMSG_ERROR: Final = 2
_NLMSG_DONE: Final = 3
_DUMP_REQUEST: Final = 0x301  # NLM_F_REQUEST | NLM_F_ROOT | NLM_F_MATCH
_IFA_ADDRESS: Final = 1
_IFA_LOCAL: Final = 2

_MESSAGE: Final = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_ADDRESS: Final = struct.Struct("=BBBBI")  # ifaddrmsg: family, prefix length, flags, scope, interface
_ATTRIBUTE: Final = struct.Struct("=HH")  # rtattr: length, type

Addresses = dict[IPv4Address | IPv6Address, str]


def of_this_host() -> Addresses | None:
    """Return every address with the name of its interface; `None` when the kernel does not say."""
    request = _MESSAGE.pack(_MESSAGE.size + _ADDRESS.size, _RTM_GETADDR, _DUMP_REQUEST, 1, 0)
    found: Addresses = {}
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as netlink:
            netlink.settimeout(2)
            netlink.send(request + _ADDRESS.pack(socket.AF_UNSPEC, 0, 0, 0, 0))
            while True:
                for kind, body in messages_in(netlink.recv(1 << 16)):
                    if kind == _NLMSG_DONE:
                        return found
                    if kind == _NLMSG_ERROR:
                        return None
                    if kind == _RTM_NEWADDR:
                        found.update(_address_in(body))
    except OSError:
        return None


def messages_in(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield type and body of each message of one answer."""
    at = 0
    while at + _MESSAGE.size <= len(data):
        length, kind, *_ = _MESSAGE.unpack_from(data, at)
        if length < _MESSAGE.size:
            return
        yield kind, data[at + _MESSAGE.size : at + length]
        at += (length + 3) & ~3


def _address_in(body: bytes) -> Iterator[tuple[IPv4Address | IPv6Address, str]]:
    family, _, _, _, interface = _ADDRESS.unpack_from(body)
    if family not in (socket.AF_INET, socket.AF_INET6):
        return
    attributes = {}
    at = _ADDRESS.size
    while at + _ATTRIBUTE.size <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, at)
        if length < _ATTRIBUTE.size:
            break
        attributes[kind] = body[at + _ATTRIBUTE.size : at + length]
        at += (length + 3) & ~3
    # on a link between two points IFA_ADDRESS is the other end's, so the local one goes first
    packed = attributes.get(_IFA_LOCAL, attributes.get(_IFA_ADDRESS))
    if packed is not None:
        name = str(interface)
        with contextlib.suppress(OSError):
            name = socket.if_indextoname(interface)
        yield ip_address(packed), name
