"""Compiles limiters to what the core counts. The shape is that of `core/sip/src/snapshot/document/limiter.rs`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ibcf.config.values import milliseconds

if TYPE_CHECKING:
    from datetime import timedelta

    from ibcf.config.limiters import Limiter
    from ibcf.config.values import Frequency


def limiter(one: Limiter) -> dict[str, Any]:
    """Return *one* as plain values."""
    return {
        "id": one.id,
        "rate": None if one.rate is None else rate(one.rate, burst=one.burst),
        "calls_max": one.calls,
        "by": one.by,
        "digits": one.digits,
        "keys_max": one.keys_max,
        "status": one.status,
        "retry_after_s": seconds(one.retry_after),
    }


def rate(frequency: Frequency, *, burst: int | None) -> dict[str, int]:
    """Return *frequency* with as many at once as it says, unless *burst* says otherwise."""
    return {
        "count": frequency.count,
        "per_ms": milliseconds(frequency.period),
        "burst": frequency.count if burst is None else burst,
    }


def seconds(duration: timedelta | None) -> int | None:
    """Return *duration* as a header that counts in seconds has it."""
    return None if duration is None else milliseconds(duration) // 1000
