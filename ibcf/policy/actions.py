"""The actions of rules, in the form in which the core reads them: one function for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from ibcf.config.rewrite import UriParameters
from ibcf.config.routes import Reject
from ibcf.config.values import milliseconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from ibcf.config.rewrite import NumberEdit, Rewrite
    from ibcf.config.routes import Hook, Route

HOOK_FAILED: Final = Reject(reason="decide.hook_failed")


def action(route: Route) -> dict[str, Any]:
    """Return what the rule does."""
    return _ACTIONS[route.action](route)


def _enum(route: Route) -> dict[str, Any]:
    return {"kind": "enum", "service": route.enum}


def _tag(route: Route) -> dict[str, Any]:
    return {"kind": "tag", "tag": route.tag}


def _rewrite(route: Route) -> dict[str, Any]:
    rewrite = cast("Rewrite", route.rewrite)
    parameters = rewrite.parameters or UriParameters.model_construct()
    changes = {
        "number": rewrite.number and _number(rewrite.number),
        "user": rewrite.user and {"pattern": rewrite.user.regex, "with": rewrite.user.with_},
        "form": rewrite.form,
        "host": rewrite.host,
        "removed_parameters": parameters.remove,
        "set_parameters": list(parameters.set.items()),
        "calling": rewrite.calling and _number(rewrite.calling),
        "headers": rewrite.headers,
    }
    return {"kind": "rewrite", **{key: value for key, value in changes.items() if value}}


def _number(edit: NumberEdit) -> dict[str, Any]:
    return {"strip": edit.strip, "prefix": edit.prefix}


def _to(route: Route) -> dict[str, Any]:
    settings = {
        "to": [{"peer": peer.peer, "priority": peer.priority, "weight": peer.weight} for peer in route.to or ()],
        "failover_statuses": route.failover_on,
        "attempts_max": route.attempts_max,
        "fork": route.fork,
        "time_budget_ms": None if route.time_budget is None else milliseconds(route.time_budget),
        "redirects": route.redirects,
    }
    return {"kind": "route", **{key: value for key, value in settings.items() if value is not None}}


def _reject(route: Route) -> dict[str, Any]:
    return {"kind": "reject", **_refusal(cast("Reject", route.reject))}


def _mirror(_route: Route) -> dict[str, Any]:
    return {"kind": "mirror"}


def _hook(route: Route) -> dict[str, Any]:
    hook = cast("Hook", route.hook)
    return {
        "kind": "hook",
        "call": hook.call,
        "deadline_ms": milliseconds(hook.deadline),
        "tags": hook.tags,
        "fallback": None if hook.fallback == "continue" else _refusal(hook.reject or HOOK_FAILED),
    }


def _refusal(reject: Reject) -> dict[str, Any]:
    refusal: dict[str, Any] = {"reason": reject.reason, "status": reject.status, "phrase": reject.phrase}
    if reject.retry_after is not None:
        refusal["retry_after_s"] = milliseconds(reject.retry_after) // 1000
    return refusal


def _limit(route: Route) -> dict[str, Any]:
    return {"kind": "limit", "limiter": route.limit}


def _drop(_route: Route) -> dict[str, Any]:
    return {"kind": "drop"}


_ACTIONS: Final[dict[str, Callable[[Route], dict[str, Any]]]] = {
    "enum": _enum,
    "tag": _tag,
    "rewrite": _rewrite,
    "mirror": _mirror,
    "hook": _hook,
    "to": _to,
    "reject": _reject,
    "limit": _limit,
    "drop": _drop,
}
