"""The four stories: what the caller does, what the others do, and what must come of it at every place one can look."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ibcf.demo.core import Plan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ibcf.demo.border import Labels

A, B, C = "carrier_a", "carrier_b", "carrier_c"
OUR_DOMAIN = "a.example"

Growth = tuple[str, "Labels", float]


@dataclass(frozen=True, slots=True)
class Story:
    """One story and everything it claims."""

    number: int
    title: str
    text: str
    uri: str
    participants: tuple[str, ...]
    statuses: tuple[int, ...]
    """What the caller must see, provisional responses too."""
    phrase: str
    """Reason phrase of the last of them."""
    invited: tuple[tuple[str, str], ...]
    """Who must receive the INVITE, in order, and the Request-URI that it must have on the wire."""
    rules: tuple[str, ...]
    """Rules of the policy that must match, in order."""
    enum_class: str | None
    cdr: Mapping[str, object]
    """Fields of the charging record, besides those that follow from the rest."""
    growth: tuple[Growth, ...]
    """Metrics that must grow, and by how much."""
    ending: str
    """What is said when all of it was so."""
    plans: Mapping[str, Plan] = field(default_factory=dict)
    reason: str | None = None
    """Reason of the catalogue, if the border refuses."""
    is_anonymous: bool = False
    """The caller asks that nobody outside the trust domain learns who calls (RFC 3323, RFC 3325)."""

    @property
    def call_id(self) -> str:
        """Return the Call-ID of the call."""
        return f"demo-{self.number}@{OUR_DOMAIN}"

    @property
    def icid(self) -> str:
        """Return the charging identifier that our core gives the call."""
        return f"icid-demo-{self.number}"

    @property
    def is_answered(self) -> bool:
        """Tell whether a call must come of it."""
        return self.statuses[-1] == 200


def _outcome(outcome: str, direction: str = "exit") -> Growth:
    return "ibcf_call_attempts_total", (("direction", direction), ("outcome", outcome)), 1


def _responses(peer: str, way: str, code: int, count: float = 1) -> Growth:
    return "ibcf_sip_responses_total", (("code", str(code)), ("method", "INVITE"), ("peer", peer), ("way", way)), count


def _invites_sent(peer: str, count: float = 1) -> Growth:
    labels = (("kind", "request"), ("method", "INVITE"), ("peer", peer), ("way", "sent"))
    return "ibcf_sip_messages_total", labels, count


STORIES = (
    Story(
        number=1,
        title="A call to a telephone number",
        text="Carrier A calls +44 1632 960083. ENUM makes a SIP URI of the number, the policy picks carrier B.",
        uri="tel:+441632960083",
        participants=(A, "border", B),
        statuses=(100, 180, 200),
        phrase="OK",
        invited=((B, "sip:+441632960083@ims.b.example;user=phone"),),
        rules=("look_up", "to_b"),
        enum_class="FOUND",
        cdr={
            "outcome": "answered",
            "route": "to_b",
            "peer_out": B,
            "attempts": [(B, 200)],
            "orig_ioi": OUR_DOMAIN,
            "term_ioi": "b.example",
            "released_by": "upstream",
        },
        growth=(_outcome("answered"), _invites_sent(B), _responses(A, "sent", 200)),
        ending="answered by carrier B, ended by carrier A",
    ),
    Story(
        number=2,
        title="A call that the policy forbids",
        text="Carrier A calls a premium rate number. The first rule of the policy refuses it; nobody else hears of it.",
        uri="tel:+449098790001",
        participants=(A, "border"),
        statuses=(403,),
        phrase="Premium Rate Barred",
        invited=(),
        rules=("no_premium",),
        enum_class=None,
        reason="decide.forbidden",
        cdr={"outcome": "rejected", "route": "no_premium", "peer_out": None, "attempts": []},
        growth=(_outcome("rejected"), _invites_sent(B, 0), _invites_sent(C, 0), _responses(A, "sent", 403)),
        ending="refused with its reason, and nobody else heard of it",
    ),
    Story(
        number=3,
        title="A number that ENUM does not know",
        text="ENUM has no record of +44 1632 960999, so transit carrier C gets the call. The caller stays anonymous.",
        uri="tel:+441632960999",
        participants=(A, "border", C),
        statuses=(100, 180, 200),
        phrase="OK",
        invited=((C, "tel:+441632960999"),),
        rules=("look_up", "through_transit"),
        enum_class="NXDOMAIN",
        cdr={
            "outcome": "answered",
            "route": "through_transit",
            "peer_out": C,
            "attempts": [(C, 200)],
            "orig_ioi": OUR_DOMAIN,
            "released_by": "upstream",
        },
        growth=(_outcome("answered"), _invites_sent(B, 0), _invites_sent(C), _responses(A, "sent", 200)),
        is_anonymous=True,
        ending="answered through transit carrier C, which is not trusted and did not learn who called",
    ),
    Story(
        number=4,
        title="A carrier that is out of order",
        text="Carrier B answers 503, so the next peer of the route is tried: carrier C. The caller sees no 503.",
        uri="tel:+441632960084",
        participants=(A, "border", B, C),
        statuses=(100, 180, 200),
        phrase="OK",
        invited=(
            (B, "sip:+441632960084@ims.b.example;user=phone"),
            (C, "sip:+441632960084@ims.b.example;user=phone"),
        ),
        rules=("look_up", "to_b"),
        enum_class="FOUND",
        plans={B: Plan(503, "Service Unavailable")},
        cdr={
            "outcome": "answered",
            "route": "to_b",
            "peer_out": C,
            "attempts": [(B, 503), (C, 200)],
            "orig_ioi": OUR_DOMAIN,
            "released_by": "upstream",
        },
        growth=(
            _outcome("answered"),
            _invites_sent(B),
            _invites_sent(C),
            _responses(B, "received", 503),
            _responses(A, "sent", 503, 0),
        ),
        ending="carrier B was out of order, carrier C answered, the caller noticed nothing",
    ),
)
