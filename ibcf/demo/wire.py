"""What the toy cores sent and received, in the order in which they did."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ibcf.demo.message import Message

Way = Literal["sent", "received"]


@dataclass(frozen=True, slots=True)
class Seen:
    """One datagram at one core."""

    core: str
    way: Way
    data: bytes
    message: Message


@dataclass(slots=True)
class Wire:
    """All datagrams at all cores; one that comes again is kept once."""

    seen: list[Seen] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    def note(self, core: str, way: Way, data: bytes) -> Message | None:
        """Keep a datagram and return its message, if it is one."""
        try:
            message = Message.parse(data)
        except ValueError as error:
            self.unreadable.append(f"{core} {way} what is not SIP ({error})")
            return None
        if not any((one.core, one.way, one.data) == (core, way, data) for one in self.seen):
            self.seen.append(Seen(core, way, data, message))
        return message

    def at(self, core: str, way: Way) -> list[Message]:
        """Return the messages that *core* sent or received."""
        return [one.message for one in self.seen if (one.core, one.way) == (core, way)]

    def requests(self, core: str, method: str | None = None) -> list[Message]:
        """Return the requests that *core* received."""
        return [
            message
            for message in self.at(core, "received")
            if message.status is None and method in {None, message.method}
        ]

    def clear(self) -> None:
        """Forget everything: the next story begins."""
        self.seen.clear()
        self.unreadable.clear()
