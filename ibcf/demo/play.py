"""Plays a story on the running border and compares what it claims with what can be seen from outside.

Four places are looked at: the datagrams at the carriers, the charging record on disk, the log and the metrics. A fifth
is the border's own explanation of the INVITE, which must say what then really happened.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ibcf.demo.border import WAIT_SECONDS_MAX
from ibcf.demo.checks import Checks
from ibcf.demo.core import CALLER
from ibcf.demo.ladder import build
from ibcf.demo.message import address_of, parameter, uri_of
from ibcf.demo.stories import OUR_DOMAIN, A

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ibcf.demo.border import Labels, Record, RunningBorder, Scrape
    from ibcf.demo.core import Call, ToyCore
    from ibcf.demo.ladder import Rung
    from ibcf.demo.message import Message
    from ibcf.demo.stories import Story
    from ibcf.demo.wire import Seen, Wire
    from ibcf.policy.explain import Explanation

STORY_SECONDS_MAX = 10.0
POLL_SECONDS = 0.005
NEVER_CROSS = ("User-Agent", "P-Charging-Function-Addresses")
"""Headers that the caller sends and no other carrier may see."""
_UNTOUCHED = ("From", "To", "Call-ID", "CSeq", "Contact", "Allow", "Content-Type")


@dataclass(slots=True)
class Played:
    """A story as it went."""

    story: Story
    checks: Checks = field(default_factory=Checks)
    rungs: list[Rung] = field(default_factory=list)
    explanation: Explanation | None = None
    record: Record | None = None
    grown: list[tuple[str, float]] = field(default_factory=list)

    @property
    def went_as_told(self) -> bool:
        """Tell whether every claim held."""
        return self.checks.hold


@dataclass(slots=True)
class Stage:
    """The border, the carriers around it, and what was seen of them."""

    border: RunningBorder
    cores: Mapping[str, ToyCore]
    wire: Wire

    async def play(self, story: Story) -> Played:
        """Play *story*; whatever goes wrong is a claim that does not hold, never an exception."""
        played = Played(story)
        self.wire.clear()
        for name, core in self.cores.items():
            core.forget()
            core.plan = story.plans.get(name, core.default_plan)
        try:
            async with asyncio.timeout(STORY_SECONDS_MAX):
                await self._play(story, played)
        except (TimeoutError, OSError, ValueError) as error:
            played.checks.equal("the story came to its end", f"no: {str(error) or 'it took too long'}", "yes")
        played.rungs = build([one for one in self.wire.seen if one.message.call_id == story.call_id])
        return played

    async def _play(self, story: Story, played: Played) -> None:
        before = await self.border.scrape()
        records, lines = len(self.border.records()), len(self.border.log())
        caller = self.cores[A]
        listener = self.border.listeners[self.border.listener_of(A)]
        call = await caller.call(
            story.uri,
            through=listener,
            call_id=story.call_id,
            is_anonymous=story.is_anonymous,
            headers=(("P-Charging-Vector", f"icid-value={story.icid};icid-generated-at=core.{OUR_DOMAIN}"),),
        )
        played.explanation = await self.border.explain(call.invite.encode())
        ended = await call.hang_up() if call.final.status == 200 else None
        self._check_caller(story, played.checks, call, ended)
        self._check_called(story, played.checks, call)
        self._check_explanation(story, played.checks, played.explanation)
        await self._check_record(story, played, records, lines)
        await self._check_metrics(story, played, before)

    def _check_caller(self, story: Story, checks: Checks, call: Call, ended: Message | None) -> None:
        checks.equal("statuses that the caller saw", call.statuses, list(story.statuses))
        checks.equal("phrase of the final response", call.final.phrase, story.phrase)
        checks.equal("answer to the BYE", ended.status if ended else None, 200 if story.is_answered else None)
        if story.reason is not None:
            reasons = " ".join(call.final.lines("Reason"))
            checks.equal(f"Reason header names {story.reason}", story.reason in reasons, told=True)
        for response in call.responses:
            leaked = [name for name in NEVER_CROSS[1:] if response.first(name)]
            checks.equal(f"headers that no {response.status} may bring to the caller", leaked, [])

    def _check_called(self, story: Story, checks: Checks, call: Call) -> None:
        invites = [
            one
            for one in self.wire.seen
            if (one.core, one.way) != (A, "sent") and one.way == "received" and _is_request(one.message, "INVITE")
        ]
        got = [(one.core, one.message.request_uri) for one in invites]
        checks.equal("who received the INVITE, with which Request-URI", got, list(story.invited))
        for one in invites:
            self._check_invite(story, checks, call.invite, one)
        last = invites[-1].core if invites else None
        for name in self.cores:
            methods = [message.method for message in self.wire.requests(name)] if name != A else []
            told = [] if name not in dict(story.invited) else ["INVITE", "ACK"]
            if name == last and story.is_answered:
                told = [*told, "BYE"]
            checks.equal(f"requests that {name} received", methods, told)
        if last is not None:
            checks.equal("ACK and BYE came without Route", _routes_left(self.wire.requests(last)), [])
        checks.equal("datagrams that are not SIP", self.wire.unreadable, [])

    def _check_invite(self, story: Story, checks: Checks, sent: Message, one: Seen) -> None:
        """Compare the INVITE that arrived with the one that was sent."""
        at, got = f"at {one.core}:", one.message
        checks.equal(f"{at} headers that stay inside", [name for name in NEVER_CROSS if got.first(name)], [])
        identity = "" if story.is_anonymous else f"<sip:{CALLER}@{OUR_DOMAIN}>"
        checks.equal(f"{at} asserted identity", got.first("P-Asserted-Identity"), identity)
        checks.equal(f"{at} it says who called", CALLER.encode() in got.encode(), not story.is_anonymous)
        checks.equal(f"{at} Route", list(got.values("Route")), [])
        vector = got.first("P-Charging-Vector")
        checks.equal(f"{at} orig-ioi", parameter(f";{vector}", "orig-ioi"), OUR_DOMAIN)
        checks.equal(f"{at} icid-value", parameter(f";{vector}", "icid-value"), story.icid)
        checks.equal(f"{at} Max-Forwards", got.first("Max-Forwards"), str(int(sent.first("Max-Forwards")) - 1))
        vias = list(got.values("Via"))
        checks.equal(f"{at} a Via more", len(vias), len(list(sent.values("Via"))) + 1)
        named = {address_of(uri_of(route)) for route in got.values("Record-Route")}
        ours = set(self.border.listeners.values())
        checks.equal(f"{at} Record-Route names the border alone", bool(named) and named <= ours, told=True)
        changed = [name for name in _UNTOUCHED if got.lines(name) != sent.lines(name)]
        checks.equal(f"{at} headers changed that nobody asked to change", changed, [])
        checks.equal(f"{at} the body is the same, byte for byte", got.body == sent.body, told=True)

    def _check_explanation(self, story: Story, checks: Checks, told: Explanation) -> None:
        matched = [step.rule for step in told.steps if step.stage == "decide" and step.outcome == "matched"]
        checks.equal("rules that matched", matched, list(story.rules))
        classes = [lookup.class_ for lookup in told.lookups]
        checks.equal("ENUM said", classes, [story.enum_class] if story.enum_class else [])
        uri = told.forwarded.data.split(b" ", 2)[1].decode() if told.forwarded else None
        checks.equal("Request-URI that explain tells", uri, story.invited[0][1] if story.invited else None)
        checks.equal("reason that explain tells", told.reason, story.reason)

    async def _check_record(self, story: Story, played: Played, records: int, lines: int) -> None:
        checks, border = played.checks, self.border
        await _until(lambda: len(border.records()) > records)
        new = border.records()[records:]
        checks.equal("charging records", len(new), 1)
        if not new:
            return
        record = played.record = new[0]
        told = {
            "call_id": story.call_id,
            "icid": story.icid if story.invited else None,
            "peer_in": A,
            "called": story.uri,
            "number": story.uri.removeprefix("tel:"),
            "enum_class": story.enum_class,
            "request_uri_out": story.invited[-1][1] if story.invited else None,
            "status": story.statuses[-1],
            "reason": story.reason,
            **story.cdr,
        }
        for name, value in told.items():
            seen = record.get(name)
            if name == "attempts":
                seen = [(attempt["peer"], attempt.get("status")) for attempt in record.get(name) or []]
            checks.equal(f"charging record: {name}", seen, value)
        told_by_log = [
            line for line in border.log()[lines:] if line["event"].startswith("call.") and line.get("call_id")
        ]
        seen_in_log = [(line["call_id"], line["status"], line.get("route")) for line in told_by_log]
        checks.equal("log lines of the call", seen_in_log, [(story.call_id, record["status"], record.get("route"))])

    def _tellable(self, labels: Labels) -> Labels:
        """Return *labels* without the peer where that cannot be told: the carriers send from one address."""
        if ("way", "received") not in labels or len({core.address[0] for core in self.cores.values()}) > 1:
            return labels
        return tuple((label, value) for label, value in labels if label != "peer")

    async def _check_metrics(self, story: Story, played: Played, before: Scrape) -> None:
        told = [(name, self._tellable(labels), count) for name, labels, count in story.growth]
        told.append(("ibcf_cdr_records_total", (("result", "written"),), 1))
        until = asyncio.get_running_loop().time() + WAIT_SECONDS_MAX
        while True:
            after = await self.border.scrape()
            grown = [after.value(name, labels) - before.value(name, labels) for name, labels, _ in told]
            calls = after.value("ibcf_calls_active")
            done = grown == [count for _, _, count in told] and calls == 0
            if done or asyncio.get_running_loop().time() >= until:
                break
            await asyncio.sleep(POLL_SECONDS)
        for (name, labels, count), seen in zip(told, grown, strict=True):
            words = ",".join(f'{label}="{value}"' for label, value in labels)
            played.checks.equal(f"growth of {name}{{{words}}}", seen, count)
            played.grown.append((f"{name}{{{words}}}", seen))
        played.checks.equal("calls in progress afterwards", calls, 0)


async def _until(holds: Callable[[], bool]) -> None:
    """Wait until *holds*, or until the time is up."""
    loop = asyncio.get_running_loop()
    until = loop.time() + WAIT_SECONDS_MAX
    while not holds():
        if loop.time() >= until:
            return
        await asyncio.sleep(POLL_SECONDS)


def _is_request(message: Message, method: str) -> bool:
    return message.status is None and message.method == method


def _routes_left(requests: list[Message]) -> list[str]:
    return [message.method for message in requests if message.method in {"ACK", "BYE"} and message.first("Route")]
