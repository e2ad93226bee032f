"""Captures for tests: SIP in frames of several links, whole, in fragments and in streams."""

from __future__ import annotations

import io
from ipaddress import ip_address
from typing import TYPE_CHECKING

import dpkt

if TYPE_CHECKING:
    from collections.abc import Iterable

ETHERNET_TYPES = {4: dpkt.ethernet.ETH_TYPE_IP, 6: dpkt.ethernet.ETH_TYPE_IP6}


def udp(source: str, destination: str, data: bytes) -> dpkt.ip.IP | dpkt.ip6.IP6:
    """Return a datagram as a packet."""
    return _packet(source, destination, dpkt.ip.IP_PROTO_UDP, lambda ports: dpkt.udp.UDP(**ports, data=data))


def tcp(source: str, destination: str, sequence: int, data: bytes) -> dpkt.ip.IP | dpkt.ip6.IP6:
    """Return a segment of a stream as a packet."""
    return _packet(
        source, destination, dpkt.ip.IP_PROTO_TCP, lambda ports: dpkt.tcp.TCP(**ports, seq=sequence, data=data)
    )


def _packet(source: str, destination: str, protocol: int, make: object) -> dpkt.ip.IP | dpkt.ip6.IP6:
    (host, _, port), (to, _, to_port) = source.rpartition(":"), destination.rpartition(":")
    addresses = {"src": ip_address(host.strip("[]")).packed, "dst": ip_address(to.strip("[]")).packed}
    body = make({"sport": int(port), "dport": int(to_port)})  # type: ignore[operator]
    if isinstance(body, dpkt.udp.UDP):
        body.ulen = len(body)
    if ip_address(host.strip("[]")).version == 6:
        return dpkt.ip6.IP6(**addresses, nxt=protocol, plen=len(body), hlim=64, data=body)
    return dpkt.ip.IP(**addresses, p=protocol, id=len(body) % 65_536, len=20 + len(body), data=body)


def fragments(packet: dpkt.ip.IP, size: int) -> list[dpkt.ip.IP]:
    """Return an IPv4 packet in pieces of *size* bytes, a multiple of 8."""
    whole = bytes(packet.data)
    pieces = []
    for at in range(0, len(whole), size):
        piece = dpkt.ip.IP(src=packet.src, dst=packet.dst, p=packet.p, id=7, data=whole[at : at + size])
        piece.len = 20 + len(piece.data)
        piece.offset = at // 8
        piece.mf = int(at + size < len(whole))
        pieces.append(piece)
    return pieces


def capture(packets: Iterable[object], *, link: int = dpkt.pcap.DLT_EN10MB, start: float = 1_700_000_000.0) -> bytes:
    """Return packets as a pcap file, a second apart."""
    stream = io.BytesIO()
    writer = dpkt.pcap.Writer(stream, linktype=link)
    for at, packet in enumerate(packets):
        version = 6 if isinstance(packet, dpkt.ip6.IP6) else 4
        frame = bytes(packet)  # type: ignore[call-overload]
        if link == dpkt.pcap.DLT_EN10MB:
            frame = bytes(dpkt.ethernet.Ethernet(type=ETHERNET_TYPES[version], data=frame))
        elif link == dpkt.pcap.DLT_LINUX_SLL:
            frame = bytes(dpkt.sll.SLL(ethtype=ETHERNET_TYPES[version], data=frame))
        writer.writepkt(frame, start + at)
    return stream.getvalue()
