"""Compiles limiters and patterns to what the core counts.

The shapes are those of `core/sip/src/snapshot/document/limiter.rs` and `pattern.rs`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ibcf.config.values import milliseconds

if TYPE_CHECKING:
    from datetime import timedelta

    from ibcf.config.limiters import Limiter
    from ibcf.config.patterns import Pattern
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


def pattern(one: Pattern) -> dict[str, Any]:
    """Return *one* as plain values."""
    return {
        "id": one.id,
        "methods": one.method,
        "tag": one.tag,
        "counted": one.count,
        "distinct": one.distinct,
        "short_ms": milliseconds(one.short),
        "by": one.by,
        "digits": one.digits,
        "window_ms": milliseconds(one.window),
        "threshold": one.threshold,
        "share": one.share or 0,
        "keys_max": one.keys_max,
        "action": _action(one),
        "for_ms": milliseconds(one.for_),
        "refused": one.refuse or (one.by,),
    }


def _action(one: Pattern) -> dict[str, Any]:
    if one.rate is not None:
        return {"kind": one.action, "rate": rate(one.rate, burst=None), "status": one.status or 503}
    if one.action == "block":
        return {"kind": one.action, "status": one.status or 403}
    return {"kind": one.action}


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
