"""Is the subscriber abroad whose number calls from abroad?

The HLR is a stand-in here: a file with the numbers of those who are. A real one is asked over the network,
with `await`, and has to answer within the deadline of the rule.
"""

import asyncio
from pathlib import Path

from ibcf.hooks import Continue, Reject, Request, SetHeader, Verdict

ABROAD = Path(__file__).with_name("abroad.csv")


class Hlr:
    """Knows where subscribers are."""

    async def is_abroad(self, number: str) -> bool:
        """Tell whether the subscriber with that number is in a visited network."""
        lines = await asyncio.to_thread(ABROAD.read_text)  # a file may be slow: not on the event loop
        return number in lines.split()


hlr = Hlr()


async def check(request: Request) -> Verdict:
    """Let a call with one of our mobile numbers in from outside only while that subscriber is abroad."""
    if request.calling is None:
        return Continue()
    if await hlr.is_abroad(request.calling):
        return Continue(edits=[SetHeader("X-Roaming", "yes")], tag="roamer")
    return Reject("decide.forbidden", status=603, phrase="Spoofed Number")
