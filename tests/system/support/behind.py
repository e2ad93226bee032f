"""SIPp behind something: a relay or a tunnel that stands at the core's address and is what the border talks to."""

from dataclasses import dataclass
from pathlib import Path

from tests.system.support.flow import NUMBER_OF_B, Stage, limits, load
from tests.system.support.sipp import Sipp

SCENARIOS = Path(__file__).parents[1] / "scenarios"
UAC = str(SCENARIOS / "relayed-uac.xml")
UAS = str(SCENARIOS / "relayed-uas.xml")
PATIENT = ["-default_behaviors", "all,-abortunexp"]
"""SIPp does not know an INVITE or a 200 again once it went on; what it does not expect it shall let pass, and wait."""
TIMEOUT_S = 100


@dataclass(frozen=True)
class Front:
    """What the border sees of a core: a port at the core's address, and a transport."""

    port: int
    via: str

    @property
    def options(self) -> list[str]:
        """What SIPp is to write into Via and Contact."""
        return ["-key", "relay_port", str(self.port), "-key", "via", self.via]

    @property
    def transport(self) -> str:
        """How SIPp speaks to it: it has no TLS of its own."""
        return "udp" if self.via == "UDP" else "tcp"


def callee(scene: Stage, front: Front, *, calls: int, port: int | None = None, address: str | None = None) -> Sipp:
    """Start carrier B's core, or the one at *address*, behind *front*."""
    options = [*PATIENT, *limits(calls, TIMEOUT_S), "-d", "50", *front.options]
    return scene.play(UAS, options, address=address or scene.carriers.b.address, port=port, transport=front.transport)


def caller(scene: Stage, front: Front, target: str, *, calls: int, rate: int = 25, pause_ms: int = 100) -> Sipp:
    """Start carrier A's core behind *front*, which takes its messages at *target*."""
    options = [*PATIENT, *limits(calls, TIMEOUT_S), *load(NUMBER_OF_B, calls=calls, rate=rate, pause_ms=pause_ms)]
    return scene.play(
        UAC,
        [*options, *front.options, target],
        address=scene.carriers.a.address,
        transport=front.transport,
        called=False,
    )
