"""Compiles a configuration to the snapshot document (`core/sip/src/snapshot/document.rs`) that the core evaluates.

Durations become milliseconds and sizes bytes; names stay names, the core resolves them. Nothing is decided here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from ibcf.config.tls import read_pem
from ibcf.config.values import milliseconds
from ibcf.errors import ConfigError, SnapshotRefusedError
from ibcf.hooks.modules import HookModules
from ibcf.policy.actions import action
from ibcf.policy.conditions import condition, list_member
from ibcf.policy.limits import limiter, pattern
from ibcf.policy.lists import NumberLists

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ibcf._core import Engine, NumberList
    from ibcf.config import Config, Loaded
    from ibcf.config.agreements import Agreement, SessionTimer
    from ibcf.config.header_rules import HeaderRule, HeaderRuleSet, ParameterEdit, TextReplacement
    from ibcf.config.limits import Limits
    from ibcf.config.listeners import Listener
    from ibcf.config.locator import Locator
    from ibcf.config.peers import Peer, Probe
    from ibcf.config.routes import Route
    from ibcf.config.screening import BodyScreening, HeaderScreening, Screening
    from ibcf.config.timers import Timers
    from ibcf.config.tls import PeerTls, TlsIdentity
    from ibcf.config.tree import Path, Tree
    from ibcf.config.values import Size
    from ibcf.hooks.modules import HookFunction

VERSION = 1
MESSAGE_BYTES_MAX = 65_535  # `64KiB` means "no smaller than a datagram"; the last byte of it cannot exist

_INDEX = r"(?:\[([A-Za-z0-9_-]+)\])?"
_PLACE = re.compile(rf"(?P<place>[a-z_]+{_INDEX}(?:\.[a-z_]+{_INDEX})*): (?P<problem>.*)", re.DOTALL)
_STEP = re.compile(rf"([a-z_]+){_INDEX}")
_YAML_NAMES = {"enums": "enum", "condition": "match", "certificates": "certificate"}


def compile_snapshot(config: Config, *, generation: int = 1) -> bytes:
    """Return the snapshot of *config* as the JSON that the core reads."""
    return msgspec.json.encode(document(config, generation=generation))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the core is given."""

    document: bytes
    lists: Mapping[str, NumberList] = field(default_factory=dict)
    """The lists that the document names, by their ids."""
    hooks: Mapping[str, HookFunction] = field(default_factory=dict)
    """What its rules call, by what they write. Stays in Python."""


def checked_snapshot(
    loaded: Loaded,
    *,
    generation: int = 1,
    check: Callable[[Snapshot], None] | None = None,
    lists: NumberLists | None = None,
    hooks: HookModules | None = None,
    import_again: bool = False,
) -> Snapshot:
    """Return the snapshot of *loaded* after the core has looked at it too.

    *lists* knows the files read before, *hooks* the modules imported before; *import_again* executes these anew.

    Raises:
        ConfigError: the core refuses what the models let pass (an expression that its engine cannot compile), a list
            has lines that are wrong, or what a rule calls cannot be called.
    """
    document = compile_snapshot(loaded.config, generation=generation)
    functions = (hooks or HookModules()).load(loaded, again=import_again)
    snapshot = Snapshot(document, (lists or NumberLists()).load(loaded), functions)
    try:
        (check or check_snapshot)(snapshot)
    except SnapshotRefusedError as refusal:
        path, problem = _place(str(refusal), loaded.tree)
        raise ConfigError([loaded.tree.fault(path, problem)]) from refusal
    return snapshot


def open_engine(snapshot: Snapshot, *, trace: bool = False) -> Engine:
    """Return a border without sockets that has *snapshot* in force."""
    from ibcf import _core  # noqa: PLC0415  # verbs that need no core work without it

    return _core.Engine(snapshot.document, lists=snapshot.lists, trace=trace)


def check_snapshot(snapshot: Snapshot) -> None:
    """Let the core load *snapshot* and forget it."""
    from ibcf import _core  # noqa: PLC0415  # whoever only compiles does without the compiled core

    _core.check_snapshot(snapshot.document, lists=snapshot.lists)


def _place(refusal: str, tree: Tree) -> tuple[Path, str]:
    """Return where in the file a refusal of the core belongs, and what is left of its text.

    The core names items by position or by id, and keys as they are in the document: what has no counterpart in the file
    is left away, so that the fault stands at the nearest thing around it.
    """
    match = _PLACE.fullmatch(refusal)
    if match is None:
        return (), f"refused by the core: {_one_line(refusal)}"
    path: Path = ()
    for name, index in _STEP.findall(match["place"]):
        steps: Path = (_YAML_NAMES.get(name, name),)
        if index.isdecimal():
            steps += (int(index),)
        elif index:
            items = tree.get(path + steps)
            ids = [item.get("id") for item in items if isinstance(item, dict)] if isinstance(items, tuple) else []
            steps += (ids.index(index),) if index in ids else ()
        if path + steps not in tree.values:
            break
        path += steps
    return path, _one_line(match["problem"])


def _one_line(text: str) -> str:
    return " ".join(text.split())


def document(config: Config, *, generation: int = 1) -> dict[str, Any]:
    """Return the snapshot document of *config* as plain values."""
    return {
        "version": VERSION,
        "generation": generation,
        "node": {"name": config.node.name, "domain": config.node.domain},
        "limits": _limits(config.limits),
        "timers": _timers(config.timers),
        "unknown_source": {
            "reject": config.unknown_source.reply == "reject",
            "answers_per_second": config.unknown_source.answers_per_second,
        },
        "keys": [{"id": key.id, "secret": key.secret.read()} for key in config.keys],
        "tls": [_tls_identity(identity) for identity in config.tls],
        "listeners": [_listener(listener) for listener in config.listeners],
        "agreements": [_agreement(agreement) for agreement in config.agreements],
        "header_rules": [_rule_set(rule_set) for rule_set in config.header_rules],
        "peers": [_peer(peer, config.timers, config.locator) for peer in config.peers],
        "enums": [
            {
                "id": service.id,
                "deadline_ms": milliseconds(service.deadline),
                "digits_min": service.digits_min,
                "candidates_max": service.candidates_max,
            }
            for service in config.enum
        ],
        "emergency": {
            "numbers": config.emergency.numbers,
            "lists": [list_member(one) for one in config.emergency.lists],
        },
        "limiters": [limiter(one) for one in config.limiters],
        "patterns": [pattern(one) for one in config.patterns],
        "routes": [_route(route) for route in config.routes],
    }


def _limits(limits: Limits) -> dict[str, int]:
    return {
        "message_bytes_max": min(int(limits.message_size_max), MESSAGE_BYTES_MAX),
        "header_line_bytes_max": int(limits.header_line_size_max),
        "headers_max": limits.headers_max,
        "vias_max": limits.vias_max,
        "routes_max": limits.routes_max,
        "uri_bytes_max": int(limits.uri_size_max),
        "transactions_max": limits.transactions_max,
        "calls_max": limits.calls_max,
        "questions_max": limits.questions_max,
        "answers_max": limits.answers_max,
        "locations_max": limits.locations_max,
        "targets_max": limits.targets_max,
        "call_duration_ms_max": milliseconds(limits.call_duration_max),
        "connections_max": limits.connections_max,
        "connection_queue_bytes_max": int(limits.connection_queue_size_max),
        "connection_idle_ms_max": milliseconds(limits.connection_idle_max),
        "connection_step_ms_max": milliseconds(limits.connection_step_max),
        "queue_delay_ms_max": milliseconds(limits.queue_delay_max),
    }


def _timers(timers: Timers) -> dict[str, int | None]:
    first_response = timers.first_response
    return {
        "t1_ms": milliseconds(timers.t1),
        "t2_ms": milliseconds(timers.t2),
        "t4_ms": milliseconds(timers.t4),
        "c_ms": milliseconds(timers.c),
        "first_response_ms": None if first_response is None else milliseconds(first_response),
    }


def _bytes(size: Size | None) -> int | None:
    return None if size is None else int(size)


def _listener(listener: Listener) -> dict[str, Any]:
    return {
        "id": listener.id,
        "side": listener.side,
        "transport": listener.transport,
        "address": str(listener.address),
        "advertised": None if listener.advertised is None else str(listener.advertised),
        "dscp": listener.dscp,
        "receive_buffer_bytes": int(listener.receive_buffer_size),
        "send_buffer_bytes": int(listener.send_buffer_size),
        "tls": listener.tls,
    }


def _tls_identity(identity: TlsIdentity) -> dict[str, str]:
    return {
        "id": identity.id,
        "certificates": read_pem(identity.certificate),
        "private_key": read_pem(identity.private_key),
    }


def _peer_tls(tls: PeerTls) -> dict[str, Any]:
    return {
        "identities": tls.identities,
        "authorities": read_pem(tls.authorities),
        "revocations": "" if tls.revocations is None else read_pem(tls.revocations),
    }


def _agreement(agreement: Agreement) -> dict[str, Any]:
    return {
        "id": agreement.id,
        "trusted": agreement.trusted,
        "methods": agreement.methods,
        "option_tags": agreement.option_tags,
        "body_bytes_max": _bytes(agreement.body_size_max),
        "header_bytes_max": _bytes(agreement.header_size_max),
        "datagram_bytes_max": None if agreement.datagram_size_max == "unlimited" else int(agreement.datagram_size_max),
        "connection_reuse": agreement.connection_reuse,
        "overload_control": agreement.overload_control,
        "charging": {
            "orig_ioi": agreement.charging.orig_ioi,
            "term_ioi": agreement.charging.term_ioi,
            "removed_parameters": agreement.charging.removed_parameters,
        },
        "received_rules": agreement.header_rules.received,
        "sent_rules": agreement.header_rules.sent,
        "reason_header": agreement.reason_header,
        "resource_priorities": agreement.resource_priority,
        "warning_header": agreement.warning_header,
        "session_timer": None if agreement.session_timer is None else _session_timer(agreement.session_timer),
        "screening": None if agreement.screening is None else _screening(agreement.screening),
    }


def _session_timer(timer: SessionTimer) -> dict[str, int]:
    return {"expires_ms_max": milliseconds(timer.expires_max), "expires_ms_min": milliseconds(timer.expires_min)}


def _screening(screening: Screening) -> dict[str, Any]:
    addresses, options, numbers = screening.addresses, screening.options, screening.numbers
    return {
        "headers": _header_screening(screening.headers),
        "bodies": _body_screening(screening.bodies),
        "addresses": {
            "sdp": addresses.sdp,
            "contact": addresses.contact,
            "escaped_headers": addresses.escaped_headers,
            "allowed": [str(network) for network in addresses.allowed],
        }
        if addresses.model_fields_set
        else None,
        "options": {"allow": options.allow, "refuse": options.refuse} if options.model_fields_set else None,
        "numbers": {"called": numbers.called, "calling": numbers.calling} if numbers.model_fields_set else None,
        "identity": screening.identity,
    }


def _body_screening(bodies: BodyScreening) -> dict[str, Any] | None:
    if not bodies.model_fields_set:
        return None
    return {"allow": bodies.allow, "otherwise": bodies.otherwise, "oversized": bodies.oversized}


def _header_screening(headers: HeaderScreening) -> dict[str, Any] | None:
    if not headers.model_fields_set:
        return None
    return {
        "allow": headers.allow,
        "otherwise": "pass" if headers.allow is None else headers.otherwise,
        "remove": headers.remove,
        "refuse": headers.refuse,
        "lookalikes": headers.lookalikes,
        "repeated": headers.repeated,
    }


def _rule_set(rule_set: HeaderRuleSet) -> dict[str, Any]:
    return {"id": rule_set.id, "rules": [_rule(rule) for rule in rule_set.rules]}


def _rule(rule: HeaderRule) -> dict[str, Any]:
    action: dict[str, Any]
    if rule.replace is not None:
        header, action = rule.replace.header, replacement(rule.replace)
    elif rule.add is not None:
        header, action = rule.add.header, {"kind": "add", "value": rule.add.value}
    elif rule.set is not None:
        header, action = rule.set.header, {"kind": "set", "value": rule.set.value}
    elif rule.copy_ is not None:
        header = rule.copy_.to
        action = {"kind": "copy", "from": rule.copy_.from_, "only_first": rule.copy_.which == "first"}
    elif rule.rename is not None:
        header, action = rule.rename.from_, {"kind": "rename", "to": rule.rename.to}
    elif rule.parameter is not None:
        header, action = rule.parameter.header, _parameter(rule.parameter)
    else:
        header, action = rule.remove or "", {"kind": "remove"}
    compiled: dict[str, Any] = {"id": rule.id, "messages": rule.on, "methods": rule.methods}
    compiled |= {"header": header, "action": action}
    if rule.statuses:
        compiled["statuses"] = rule.statuses
    if rule.values is not None:
        test = rule.values
        compiled["values"] = {"regex": test.regex} if test.equals is None else {"equals": test.equals}
    return compiled


def replacement(edit: TextReplacement) -> dict[str, Any]:
    """Return what is looked for and what is put there, as the core reads it."""
    is_regex = edit.regex is not None
    pattern = edit.regex if is_regex else edit.pattern
    return {"kind": "replace", "pattern": pattern, "regex": is_regex, "with": edit.with_}


def _parameter(edit: ParameterEdit) -> dict[str, Any]:
    change: dict[str, Any]
    if edit.add is not None:
        change = {"kind": "add", "value": edit.add}
    elif edit.set is not None:
        change = {"kind": "set", "value": edit.set}
    elif edit.replace is not None:
        change = replacement(edit.replace)
    else:
        change = {"kind": "remove"}
    return {"kind": "parameter", "in": edit.in_, "name": edit.name, "change": change}


def _location(peer: Peer, locator: Locator | None) -> dict[str, Any] | None:
    if peer.domain is not None:
        return {"kind": "domain"}
    if peer.locate is not None and locator is not None:
        return {"kind": peer.locate, "deadline_ms": milliseconds(locator.deadline)}
    return None


def _peer(peer: Peer, node: Timers, locator: Locator | None) -> dict[str, Any]:
    timers = None
    if peer.timers is not None:
        # What the peer leaves out is as in the section of the node, not as in RFC 3261.
        own = {name: getattr(peer.timers, name) for name in peer.timers.model_fields_set}
        timers = _timers(node.model_copy(update=own))
    return {
        "id": peer.id,
        "side": peer.side,
        "agreement": peer.agreement,
        "listeners": peer.listeners,
        "sources": [str(source) for source in peer.sources],
        "targets": [
            {
                "id": target.id,
                "address": str(target.address),
                "transport": target.transport,
                "priority": target.priority,
                "weight": target.weight,
            }
            for target in peer.targets
        ],
        "domain": peer.domain,
        "location": _location(peer, locator),
        "tls": None if peer.tls is None else _peer_tls(peer.tls),
        "limits": {
            "requests_per_second": peer.limits.requests_per_second,
            "burst": peer.limits.burst,
            "calls_max": peer.limits.calls_max,
            "connections_max": peer.limits.connections_max,
        },
        "timers": timers,
        "health": {
            "quarantine_ms": milliseconds(peer.health.quarantine),
            "retry_after_ms_max": milliseconds(peer.health.retry_after_max),
            "block_on_503_ms": milliseconds(peer.health.block_on_503),
        },
        "probe": None if peer.probe is None else _probe(peer.probe),
        "request_uri_host": peer.request_uri_host,
    }


def _probe(probe: Probe) -> dict[str, Any]:
    return {
        "interval_ms": milliseconds(probe.interval),
        "timeout_ms": milliseconds(probe.timeout),
        "down_after": probe.down_after,
        "up_after": probe.up_after,
        "accept": probe.accept,
    }


def _route(route: Route) -> dict[str, Any]:
    return {"id": route.id, "condition": condition(route.match), "action": action(route)}
