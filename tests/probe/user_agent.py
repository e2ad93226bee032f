"""A pjsua2 user agent as its test sees it: it is told what to do, and every wait for what it says has a deadline."""

import importlib.util
import itertools
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.system.support.certificates import Issued
from tests.system.support.children import Child, ChildError, wait_until
from tests.system.support.ports import host_port

AGENT = Path(__file__).parent / "agent.py"
MARK = "@event "
START_S = 20
DEADLINE_S = 10
PACKETS = 25
"""Half a second of speech at 20 ms a packet."""
Event = dict[str, Any]


def is_there() -> bool:
    """Tell whether pjsua2 is installed, without loading it into this process."""
    return importlib.util.find_spec("pjsua2") is not None


@dataclass(frozen=True)
class Leg:
    """One call as one of its two user agents knows it."""

    agent: "UserAgent"
    number: int
    since: int
    """The line of the agent's output from which on this call is meant: pjsua2 uses its numbers again."""

    def wait_for(self, event: str, *, since: int | None = None, **fields: str | int) -> Event:
        """Return the first event of this call that has these fields, from the line given on."""
        return self.agent.wait_for(event, {"call": self.number, **fields}, since=self.since if since is None else since)

    def answer(self, code: int) -> None:
        """Answer a call that came in."""
        self.agent.ask("answer", call=self.number, code=code)

    def hold(self) -> None:
        """Put the other side on hold."""
        self.agent.ask("hold", call=self.number)

    def resume(self) -> None:
        """Take the other side back."""
        self.agent.ask("resume", call=self.number)

    def hang_up(self) -> None:
        """Send CANCEL or BYE."""
        self.agent.ask("hangup", call=self.number)

    def statistics(self) -> Event:
        """Return how many RTP packets were sent, received and lost."""
        return self.agent.ask("statistics", call=self.number)

    def hear(self, more: int = PACKETS) -> Event:
        """Return the statistics as soon as *more* packets have come."""
        before = self.statistics()["received"]
        wait_until(
            lambda: bool(self.statistics()["received"] >= before + more),
            deadline_s=DEADLINE_S,
            what=f"{more} more packets of RTP at {self.agent.address}",
        )
        return self.statistics()


class UserAgent:
    """One child process with one user agent."""

    def __init__(self, address: str, shown: Issued, authorities: Path, *, folder: Path) -> None:
        """Start it on *address*: over UDP, TCP, and TLS with certificates of *authorities* on both ends."""
        self.address = address
        self.ports: dict[str, int] = {}
        command = [sys.executable, str(AGENT), "--address", address, "--log", str(folder / f"pjsua2-{address}.log")]
        command += ["--certificate", str(shown.certificate), "--private-key", str(shown.private_key)]
        command += ["--authorities", str(authorities)]
        self.child = Child(command, folder=folder, listens=True)
        self._numbers = itertools.count(1)

    def __enter__(self) -> Self:
        """Wait until it listens."""
        try:
            self.ports = self.wait_for("ready", {}, deadline_s=START_S)["ports"]
        except BaseException:
            self.child.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.child.stop()

    def become(self, identity: str, border: tuple[str, int], transport: str, *, reliable: bool = False) -> None:
        """Be the user *identity* of a network that sends everything through *border*; *reliable* asks for PRACK."""
        parameter = "" if transport == "udp" else f";transport={transport}"
        route = f"sip:{host_port(*border)}{parameter};lr"
        self.ask("account", identity=identity, route=route, address=self.address, reliable=reliable)

    def call(self, uri: str, headers: dict[str, str]) -> tuple[Leg, str]:
        """Place a call; return it and its Call-ID."""
        since = len(self.child.lines)
        reply = self.ask("call", uri=uri, headers=headers)
        return Leg(self, reply["call"], since), reply["call_id"]

    def take(self, since: int) -> tuple[Leg, str]:
        """Return the first call that came in since the line given, with its INVITE."""
        event = self.wait_for("incoming", {}, since=since)
        return Leg(self, event["call"], since), event["message"]

    def ask(self, do: str, **fields: object) -> Event:
        """Give a command and return the answer to it."""
        number, since = next(self._numbers), len(self.child.lines)
        self.child.say(json.dumps({"do": do, "number": number, **fields}))
        reply = self.wait_for("reply", {"number": number}, since=since)
        if "error" in reply:
            raise ChildError(f"{do} {fields}: {reply['error']}")
        return reply

    def wait_for(
        self, event: str, fields: dict[str, str | int], *, since: int = 0, deadline_s: float = DEADLINE_S
    ) -> Event:
        """Return the first event from the line *since* on that has these fields."""
        wanted = {"event": event, **fields}.items()
        what = f"event {event} {fields} of {self.address}"
        return read(
            self.child.wait_for_line(
                lambda line: wanted <= read(line).items(), since=since, deadline_s=deadline_s, what=what
            )
        )


def read(line: str) -> Event:
    """Read one line of the agent; what the library wrote itself has no keys."""
    if not line.startswith(MARK):
        return {}
    event: Event = json.loads(line.removeprefix(MARK))
    return event
