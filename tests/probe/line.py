"""Two user agents with a border between them."""

from dataclasses import dataclass

from tests.probe.user_agent import Leg, UserAgent
from tests.system.support.flow import CALLER_NUMBER, NUMBER_OF_B, Stage

CALLER = f"sip:{CALLER_NUMBER}@a.example"
CALLEE = f"sip:{NUMBER_OF_B}@b.example"
HEADERS = {
    "P-Asserted-Identity": f"<sip:{CALLER_NUMBER}@scscf1.ims.a.example>",
    "P-Charging-Vector": "icid-value=icid-of-core-a;icid-generated-at=core.a.example",
}


@dataclass(frozen=True)
class Dialled:
    """A call that rings: both its ends, its Call-ID, and the INVITE as the called side got it."""

    caller: Leg
    callee: Leg
    call_id: str
    invite: str


@dataclass
class Line:
    """A running border between two user agents."""

    scene: Stage
    caller: UserAgent
    callee: UserAgent
    transport: str

    def dial(self, *, into: bool = False, reliable: bool = False) -> Dialled:
        """Call the number of carrier B, or from there *into* our own network, and let it ring."""
        border = self.scene.border
        home = border.listeners[self.scene.carriers.a.listener]
        peer = border.listeners[self.scene.carriers.b.listener]
        self.caller.become(CALLER, home, self.transport, reliable=reliable)
        self.callee.become(CALLEE, peer, self.transport, reliable=reliable)
        rings, calls, uri = self.callee, self.caller, f"tel:{NUMBER_OF_B}"
        if into:
            rings, calls, uri = self.caller, self.callee, CALLER
        since = len(rings.child.lines)
        caller, call_id = calls.call(uri, HEADERS)
        callee, invite = rings.take(since)
        callee.answer(180)
        caller.wait_for("state", state="early", code=180)
        return Dialled(caller, callee, call_id, invite)

    def talk(self, *, into: bool = False, reliable: bool = False) -> Dialled:
        """Call, answer, and wait until speech has gone both ways."""
        call = self.dial(into=into, reliable=reliable)
        call.callee.answer(200)
        for leg in (call.caller, call.callee):
            leg.wait_for("state", state="confirmed")
            leg.wait_for("media", status="active")
            assert leg.hear()["lost"] == 0
        return call
