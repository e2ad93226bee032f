"""Compiles the matchers of a rule to the condition that the core evaluates.

The shape is that of `core/sip/src/snapshot/document/condition.rs`.
"""

from __future__ import annotations

import functools
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from ibcf.config.match import DAYS, NumberList

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from ibcf.config.match import HeaderMatch, Match, TimeMatch

SHARES_A_PERCENT = 100
"""The core counts in ten-thousandths."""
YEARS_AHEAD = 10
"""Changes of the clocks that a snapshot knows; each reload looks ahead anew."""
MINUTES_A_DAY = 24 * 60


def condition(match: Match) -> dict[str, Any]:
    """Return *match* as plain values."""
    return {
        "peers": match.peer or (),
        "side": match.side,
        "direction": match.direction,
        "listeners": match.listener or (),
        "transports": match.transport or (),
        "trusted": match.trusted,
        "methods": match.method or (),
        "schemes": match.scheme or (),
        "domains": match.domain or (),
        "users": match.user or (),
        "number": {
            "prefixes": match.number_prefix or (),
            "ranges": match.number_range or (),
            "digits": match.number_length,
            "lists": [list_member(one) for one in match.number_list or ()],
        },
        "calling": {
            "prefixes": match.calling_prefix or (),
            "ranges": match.calling_range or (),
            "digits": match.calling_length,
            "lists": [list_member(one) for one in match.calling_list or ()],
        },
        "headers": [_header(header) for header in match.header or ()],
        "body_types": match.body_type or (),
        "media": match.media or (),
        "codecs": match.codec or (),
        "option_tags": match.option_tag or (),
        "resource_priorities": match.resource_priority or (),
        "emergency": match.emergency,
        "enum_outcomes": match.enum or (),
        "iotls": match.iotl or (),
        "times": [_time(one) for one in match.time or ()],
        "share": None if match.percentage is None else round(match.percentage * SHARES_A_PERCENT),
        "all": [condition(inner) for inner in match.all or ()],
        "any": [condition(inner) for inner in match.any or ()],
        "not": None if match.not_ is None else condition(match.not_),
    }


def list_member(member: str | NumberList) -> dict[str, Any]:
    """Return what a rule, or another section, asks of a list."""
    if isinstance(member, NumberList):
        return {"list": member.list, "classes": member.class_ or ()}
    return {"list": member}


def _header(header: HeaderMatch) -> dict[str, Any]:
    test: dict[str, Any]
    if header.present is not None:
        test = {"present": header.present}
    elif header.equals is not None:
        test = {"equals": header.equals}
    else:
        test = {"regex": header.regex}
    return {"header": header.name, "parameter": header.parameter, "test": test}


def _time(window: TimeMatch) -> dict[str, Any]:
    days = {day for span in window.days for day in span}
    return {
        "days": sum(1 << at for at, day in enumerate(DAYS) if day in days),
        "minutes": (_minute(window.from_), _minute(window.to)),
        "offsets": offsets(window.zone, datetime.now(tz=UTC).year),
    }


def _minute(moment: time) -> int:
    return MINUTES_A_DAY if moment == time.max else moment.hour * 60 + moment.minute


@functools.lru_cache(maxsize=256)
def offsets(zone: ZoneInfo, year: int) -> tuple[tuple[int, int], ...]:
    """Return how many seconds *zone* is ahead of UTC, each with the second since 1970 from which it holds.

    Begins a year before *year* and ends ten years after it.

    >>> from zoneinfo import ZoneInfo
    >>> offsets(ZoneInfo("UTC"), 2026)
    ((1735689600, 0),)
    """
    moment = datetime(year - 1, 1, 1, tzinfo=UTC)
    end = datetime(year + YEARS_AHEAD, 1, 1, tzinfo=UTC)
    found = [(_second(moment), _offset(zone, moment))]
    while moment < end:
        following = moment + timedelta(days=1)
        if _offset(zone, following) != found[-1][1]:
            change = _change(zone, moment, following)
            found.append((_second(change), _offset(zone, change)))
        moment = following
    return tuple(found)


def _change(zone: ZoneInfo, before: datetime, behind: datetime) -> datetime:
    """Return the second at which the offset changes between two moments."""
    old = _offset(zone, before)
    low, high = _second(before), _second(behind)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(zone, datetime.fromtimestamp(middle, tz=UTC)) == old:
            low = middle
        else:
            high = middle
    return datetime.fromtimestamp(high, tz=UTC)


def _offset(zone: ZoneInfo, moment: datetime) -> int:
    offset = moment.astimezone(zone).utcoffset()
    return 0 if offset is None else round(offset.total_seconds())


def _second(moment: datetime) -> int:
    return round(moment.timestamp())
