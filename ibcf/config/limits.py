"""Sections `limits` and `unknown_source`: what bounds this node, and what strangers get (SEC-10, EN-04)."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from ibcf.config.section import Section
from ibcf.config.values import Duration, Size, SizeBytes, Within

_Message = Within(Size(512), Size(65_536))
_Table = Field(ge=1, le=100_000_000)


class Limits(Section):
    """The bounds of one node. Tables are split evenly between its workers."""

    message_size_max: Annotated[SizeBytes, _Message] = Size(65_536)
    """Longest message; a datagram cannot be longer than 64KiB anyway."""
    header_line_size_max: Annotated[SizeBytes, _Message] = Size(8_192)
    """Longest header line."""
    headers_max: Annotated[int, Field(ge=16, le=1_000)] = 200
    """Headers in a message."""
    vias_max: Annotated[int, Field(ge=1, le=1_000)] = 70
    """Via values in a message."""
    routes_max: Annotated[int, Field(ge=1, le=1_000)] = 30
    """Route or Record-Route values in a message."""
    uri_size_max: Annotated[SizeBytes, _Message] = Size(2_048)
    """Longest URI."""
    transactions_max: Annotated[int, _Table] = 200_000
    """Transactions in progress; above it new work gets 503."""
    calls_max: Annotated[int, _Table] = 400_000
    """Calls in progress; above it new calls get 503."""
    questions_max: Annotated[int, _Table] = 8_192
    """ENUM questions without an answer yet."""
    answers_max: Annotated[int, _Table] = 200_000
    """ENUM answers kept for further calls."""
    locations_max: Annotated[int, _Table] = 20_000
    """Hosts of Request-URIs whose servers are kept for further calls."""
    targets_max: Annotated[int, _Table] = 20_000
    """Servers of such hosts that are watched, so that one that failed is left alone for a while."""
    call_duration_max: Annotated[Duration, Within(timedelta(seconds=1), timedelta(days=365))] = timedelta(hours=12)
    """An answered call without a session timer is closed by the audit after this long."""
    connections_max: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    """Connections of all peers together, half-open ones included."""
    connection_queue_size_max: Annotated[SizeBytes, Within(Size(65_536), Size(1 << 30))] = Size(1 << 20)
    """What may wait to be written to one connection; one that reads slower is closed."""
    connection_idle_max: Annotated[Duration, Within(timedelta(seconds=1), timedelta(days=7))] = timedelta(minutes=10)
    """A connection on which nothing passed for this long is closed."""
    connection_step_max: Annotated[Duration, Within(timedelta(milliseconds=100), timedelta(minutes=5))] = timedelta(
        seconds=10
    )
    """How long connecting, a TLS handshake, and the arrival of one message may each take."""
    queue_delay_max: Annotated[Duration, Within(timedelta(milliseconds=10), timedelta(seconds=10))] = timedelta(
        milliseconds=100
    )
    """Where messages wait longer than this, a part of the new requests is refused; see `ibcf_queue_delay_seconds`."""


class UnknownSource(Section):
    """What a sender gets that belongs to no peer."""

    reply: Literal["reject", "drop"] = "reject"
    """`reject` answers 403, `drop` is silent."""
    answers_per_second: Annotated[int, Field(ge=0, le=1_000_000)] = 10
    """At most so many answers, then silence."""
