"""A toy IMS core: one UDP user agent that calls and can be called (RFC 3261 §8, §12 to §15, §17).

Repeats what is not answered, recognises what is repeated, follows Record-Route, and writes every datagram down. It
knows nothing of the border: to it the border is the next hop that its Route says.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ibcf.demo.message import VERSION, Message, address_of, parameter, uri_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ibcf.demo.wire import Wire

Address = tuple[str, int]
Headers = tuple[tuple[str, str], ...]

CALLER = "+441632960100"
ANONYMOUS = '"Anonymous" <sip:anonymous@anonymous.invalid>'

T1_SECONDS = 0.5
T2_SECONDS = 4.0
ANSWER_SECONDS_MAX = 4.0
RINGING_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Profile:
    """Who a core is."""

    id: str
    """Its peer id at the border."""
    name: str
    domain: str
    request_headers: Headers = ()
    """What it adds to each INVITE."""
    response_headers: Headers = ()
    """What it adds to each response to an INVITE."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a core does when it is called."""

    status: int = 200
    phrase: str = "OK"
    success_headers: Headers = ()


@dataclass(slots=True)
class _Repeat:
    """A datagram that is sent again, at growing intervals, until somebody cancels it."""

    core: ToyCore
    data: bytes
    to: Address
    interval: float
    interval_max: float | None
    timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self.core.send(self.data, self.to)
        self.timer = asyncio.get_running_loop().call_later(self.interval, self._again)

    def _again(self) -> None:
        doubled = self.interval * 2
        self.interval = doubled if self.interval_max is None else min(doubled, self.interval_max)
        self.start()

    def cancel(self) -> None:
        if self.timer is not None:
            self.timer.cancel()


@dataclass(slots=True)
class _Client:
    """A client transaction: the request under way and the responses so far."""

    request: Message
    to: Address
    repeat: _Repeat
    responses: asyncio.Queue[Message] = field(default_factory=asyncio.Queue)


@dataclass(slots=True)
class _Server:
    """A server transaction: the last response, for when the request comes again."""

    request: Message
    to: Address
    last: bytes = b""
    repeat: _Repeat | None = None
    tag: str = ""


class ToyCore(asyncio.DatagramProtocol):
    """One core on one socket."""

    def __init__(self, profile: Profile, wire: Wire, *, t1: float = T1_SECONDS) -> None:
        """Make a core that notes its datagrams on *wire*; `open` gives it a socket."""
        self.profile = profile
        self.wire = wire
        self.t1 = t1
        self.default_plan = self.plan = Plan()
        self.address: Address = ("", 0)
        self._transport: asyncio.DatagramTransport | None = None
        self._clients: dict[tuple[str, str], _Client] = {}
        self._servers: dict[tuple[str, str], _Server] = {}
        self._acks: dict[tuple[str, int], tuple[bytes, Address]] = {}
        self._dialogs: set[str] = set()
        self._later: set[asyncio.TimerHandle] = set()
        self._drawn = 0

    async def open(self, host: str) -> None:
        """Bind to a port of *host* that the system chooses.

        Raises:
            OSError: that address cannot be bound here.
        """
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(host, 0))
        host, port = self._transport.get_extra_info("sockname")[:2]
        self.address = (host, port)

    def forget(self) -> None:
        """Give up whatever is under way."""
        for handle in self._later:
            handle.cancel()
        repeats = [client.repeat for client in self._clients.values()]
        repeats += [server.repeat for server in self._servers.values() if server.repeat is not None]
        for repeat in repeats:
            repeat.cancel()
        self._later.clear()
        self._clients.clear()
        self._servers.clear()

    def close(self) -> None:
        """Send nothing any more."""
        self.forget()
        if self._transport is not None:
            self._transport.close()

    @property
    def where(self) -> str:
        """Return `host:port`."""
        return f"{self.address[0]}:{self.address[1]}"

    def send(self, data: bytes, to: Address) -> None:
        """Send a datagram."""
        if self._transport is None or self._transport.is_closing():
            return
        self.wire.note(self.profile.id, "sent", data)
        self._transport.sendto(data, to)

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        """Take a datagram."""
        message = self.wire.note(self.profile.id, "received", data)
        if message is None:
            return
        if message.status is not None:
            self._on_response(message)
        elif message.method == "ACK":
            self._on_ack(message)
        else:
            self._on_request(message, (str(addr[0]), addr[1]))

    def error_received(self, exc: Exception) -> None:
        """Go on: what did not arrive is sent again."""

    # --- calling ---

    async def call(
        self, uri: str, *, through: Address, call_id: str, is_anonymous: bool = False, headers: Headers = ()
    ) -> Call:
        """Send an INVITE for *uri* by way of *through* and wait for the final response.

        Raises:
            TimeoutError: there was none in time.
        """
        host, port = through
        caller = ANONYMOUS if is_anonymous else f"<sip:{CALLER}@{self.profile.domain};user=phone>"
        request = self._request(
            "INVITE",
            uri,
            1,
            routes=(f"<sip:{host}:{port};lr>",),
            headers=(
                ("From", f"{caller};tag={self.profile.id}-{self._draw()}"),
                ("To", f"<{uri}>"),
                ("Call-ID", call_id),
                ("Contact", self._contact()),
                *self.profile.request_headers,
                *((("Privacy", "id"),) if is_anonymous else ()),
                *headers,
            ),
            body=session(self.address[0]),
        )
        client = self._start(request, through)
        call = Call(self, request, through)
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            while True:
                response = await client.responses.get()
                call.responses.append(response)
                if (response.status or 0) >= 200:
                    break
        if (response.status or 0) < 300:
            call.confirm(response)
        return call

    def _request(
        self,
        method: str,
        uri: str,
        number: int,
        *,
        routes: Iterable[str],
        headers: Headers,
        body: bytes = b"",
    ) -> Message:
        lines = [
            ("Via", f"{VERSION}/UDP {self.where};branch=z9hG4bK-{self.profile.id}-{self._draw()};rport"),
            *(("Route", route) for route in routes),
            ("Max-Forwards", "70"),
            *headers,
            ("CSeq", f"{number} {method}"),
        ]
        if body:
            lines.append(("Content-Type", "application/sdp"))
        return Message(f"{method} {uri} {VERSION}", tuple(lines), body)

    def _start(self, request: Message, to: Address) -> _Client:
        is_invite = request.method == "INVITE"
        repeat = _Repeat(self, request.encode(), to, self.t1, None if is_invite else T2_SECONDS)
        client = _Client(request, to, repeat)
        self._clients[request.branch, request.method] = client
        repeat.start()
        return client

    def _on_response(self, response: Message) -> None:
        client = self._clients.get((response.branch, response.method))
        if client is None:
            return
        status = response.status or 0
        if status >= 200 or response.method == "INVITE":
            client.repeat.cancel()
        if response.method == "INVITE" and status >= 300:
            self.send(_ack_for_failure(client.request, response), client.to)
        known = self._acks.get((response.call_id, response.number))
        if response.method == "INVITE" and 200 <= status < 300 and known:
            self.send(*known)  # our ACK was lost: a 200 that comes again is acknowledged again (§13.2.2.4)
            return
        client.responses.put_nowait(response)

    def acknowledge(self, call: Call, response: Message) -> None:
        """Send the ACK for a 2xx, along the route set (RFC 3261 §13.2.2.4)."""
        ack = self._request("ACK", call.target, response.number, routes=call.routes, headers=call.common())
        self._acks[response.call_id, response.number] = (ack.encode(), call.next_hop)
        self.send(ack.encode(), call.next_hop)

    async def request_in(self, call: Call, method: str, number: int) -> Message:
        """Send a request inside the dialog of *call* and return the final response.

        Raises:
            TimeoutError: there was none in time.
        """
        request = self._request(method, call.target, number, routes=call.routes, headers=call.common())
        client = self._start(request, call.next_hop)
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            while True:
                response = await client.responses.get()
                if (response.status or 0) >= 200:
                    return response

    # --- being called ---

    def _on_request(self, request: Message, source: Address) -> None:
        key = (request.branch, request.method)
        server = self._servers.get(key)
        if server is not None:
            if server.last:
                self.send(server.last, server.to)
            return
        server = self._servers[key] = _Server(request, _reply_address(request, source))
        if request.method == "INVITE" and not parameter(request.first("To"), "tag"):
            self._on_invite(server)
        elif request.method == "OPTIONS":
            self._reply(server, 200, "OK")
        elif request.call_id not in self._dialogs:
            self._reply(server, 481, "Call/Transaction Does Not Exist")
        elif request.method == "BYE":
            self._dialogs.discard(request.call_id)
            self._reply(server, 200, "OK")
        else:
            self._reply(server, 501, "Not Implemented")

    def _on_invite(self, server: _Server) -> None:
        server.tag = f"{self.profile.id}-{self._draw()}"
        if self.plan.status >= 300:
            self._reply(server, self.plan.status, self.plan.phrase, extra=self.profile.response_headers)
            return
        self._reply(server, 180, "Ringing", extra=self.profile.response_headers)
        self._later.add(asyncio.get_running_loop().call_later(RINGING_SECONDS, self._answer, server))

    def _answer(self, server: _Server) -> None:
        self._dialogs.add(server.request.call_id)
        extra = (*self.profile.response_headers, *self.plan.success_headers)
        charging = server.request.first("P-Charging-Vector")
        if charging:  # the terminating network puts its name beside what the originating one sent (RFC 7315 §5.6)
            extra = (*extra, ("P-Charging-Vector", f"{charging};term-ioi={self.profile.domain}"))
        self._reply(server, 200, "OK", extra=extra, body=session(self.address[0]))

    def _reply(self, server: _Server, status: int, phrase: str, *, extra: Headers = (), body: bytes = b"") -> None:
        request = server.request
        to = request.first("To")
        if server.tag:
            to += f";tag={server.tag}"
        headers = [("Via", via) for via in request.lines("Via")]
        if request.method == "INVITE" and status < 300:
            headers += [("Record-Route", route) for route in request.lines("Record-Route")]
        headers += [("From", request.first("From")), ("To", to), ("Call-ID", request.call_id)]
        headers.append(("CSeq", request.first("CSeq")))
        if request.method == "INVITE" and status < 300:
            headers.append(("Contact", self._contact()))
        headers += extra
        if body:
            headers.append(("Content-Type", "application/sdp"))
        response = Message(f"{VERSION} {status} {phrase}", tuple(headers), body)
        server.last = response.encode()
        if request.method == "INVITE" and status >= 200:  # Timer G, or §13.3.1.4 for a 2xx: until the ACK comes
            server.repeat = _Repeat(self, server.last, server.to, self.t1, T2_SECONDS)
            server.repeat.start()
        else:
            self.send(server.last, server.to)

    def _on_ack(self, ack: Message) -> None:
        for server in self._servers.values():
            request, repeat = server.request, server.repeat
            if repeat and (request.method, request.call_id, request.number) == ("INVITE", ack.call_id, ack.number):
                repeat.cancel()

    def _contact(self) -> str:
        return f"<sip:ue@{self.where}>"

    def _draw(self) -> int:
        self._drawn += 1
        return self._drawn


@dataclass(slots=True)
class Call:
    """A call that a core placed: the responses, and the dialog once it was answered."""

    core: ToyCore
    invite: Message
    next_hop: Address
    responses: list[Message] = field(default_factory=list)
    routes: tuple[str, ...] = ()
    target: str = ""
    number: int = 1

    @property
    def statuses(self) -> list[int]:
        """Return all statuses seen, in order."""
        return [response.status or 0 for response in self.responses]

    @property
    def final(self) -> Message:
        """Return the final response."""
        return self.responses[-1]

    def confirm(self, answer: Message) -> None:
        """Take over route set and remote target from a 2xx (RFC 3261 §12.1.2) and acknowledge it."""
        self.routes = tuple(reversed(list(answer.values("Record-Route"))))
        self.target = uri_of(answer.first("Contact"))
        self.next_hop = address_of(uri_of(self.routes[0]) if self.routes else self.target)
        self.core.acknowledge(self, answer)

    def common(self) -> Headers:
        """Return From, To and Call-ID of the requests inside the dialog."""
        return (
            ("From", self.invite.first("From")),
            ("To", self.final.first("To")),
            ("Call-ID", self.invite.call_id),
        )

    async def hang_up(self) -> Message:
        """End the call with a BYE and return the response to it."""
        self.number += 1
        return await self.core.request_in(self, "BYE", self.number)


def session(host: str) -> bytes:
    """Return a session description (RFC 8866) of one audio stream."""
    version = "IP6" if ":" in host else "IP4"
    lines = (
        "v=0",
        f"o=- 1 1 IN {version} {host}",
        "s=-",
        f"c=IN {version} {host}",
        "t=0 0",
        "m=audio 40000 RTP/AVP 8 101",
        "a=rtpmap:101 telephone-event/8000",
    )
    return "\r\n".join([*lines, ""]).encode()


def _ack_for_failure(invite: Message, response: Message) -> bytes:
    """Return the ACK of the transaction itself: topmost Via and Route of the INVITE (RFC 3261 §17.1.1.3)."""
    headers = [("Via", invite.first("Via")), *(("Route", route) for route in invite.lines("Route"))]
    headers += [("Max-Forwards", "70"), ("From", invite.first("From")), ("To", response.first("To"))]
    headers += [("Call-ID", invite.call_id), ("CSeq", f"{invite.number} ACK")]
    return Message(f"ACK {invite.request_uri} {VERSION}", tuple(headers)).encode()


def _reply_address(request: Message, source: Address) -> Address:
    """Return where a response goes: where the request came from, to the port that its Via says (RFC 3581 §4)."""
    via = next(request.values("Via"))
    if parameter(via, "rport") is not None:
        return source
    _, port = address_of(f"sip:{via.split(None, 1)[1].partition(';')[0]}")
    return source[0], port
