"""Sets the stage, plays the stories one after the other, and clears everything away."""

from __future__ import annotations

import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ibcf.demo.border import HOST, running
from ibcf.demo.checks import Checks
from ibcf.demo.core import CALLER, Profile, ToyCore
from ibcf.demo.masking import Mask
from ibcf.demo.play import Stage
from ibcf.demo.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ibcf.demo.play import Played
    from ibcf.demo.stories import Story

HOSTS = {"carrier_a": "127.0.0.2", "carrier_b": "127.0.0.3", "carrier_c": "127.0.0.4"}
PROFILES = (
    Profile(
        "carrier_a",
        "carrier A",
        "a.example",
        request_headers=(
            ("Allow", "INVITE, ACK, BYE, CANCEL, PRACK, UPDATE, OPTIONS, MESSAGE"),
            ("P-Asserted-Identity", f"<sip:{CALLER}@scscf1.ims.a.example>"),
            ("P-Charging-Function-Addresses", "ccf=ccf1.a.example"),
            ("Organization", "Carrier A Core"),
            ("User-Agent", "core-a/1.0"),
        ),
    ),
    Profile(
        "carrier_b",
        "carrier B",
        "b.example",
        response_headers=(("P-Charging-Function-Addresses", "ccf=ccf1.b.example"), ("Server", "core-b/1.0")),
    ),
    Profile(
        "carrier_c",
        "carrier C",
        "c.example",
        response_headers=(("P-Charging-Function-Addresses", "ccf=ccf1.c.example"), ("Server", "core-c/1.0")),
    ),
)


@dataclass(slots=True)
class Result:
    """The demonstration as it went."""

    played: list[Played] = field(default_factory=list)
    closing: Checks = field(default_factory=Checks)
    """Claims about the whole, after the border stopped."""

    @property
    def went_as_told(self) -> bool:
        """Tell whether all of it was as told."""
        return bool(self.played) and self.closing.hold and all(played.went_as_told for played in self.played)


@dataclass(frozen=True, slots=True)
class Scene:
    """Where everything stands in this run."""

    names: Mapping[str, str]
    places: Mapping[str, str]
    metrics: str
    policy: Path
    mask: Mask


async def open_cores(wire: Wire, hosts: Mapping[str, str] = HOSTS) -> dict[str, ToyCore]:
    """Return a core for each carrier, on an address of its own where the system has them, else on the same one."""
    cores = {profile.id: ToyCore(profile, wire) for profile in PROFILES}
    try:
        for name, core in cores.items():
            await core.open(hosts[name])
    except OSError:
        for core in cores.values():
            core.close()
        if set(hosts.values()) == {HOST}:
            raise
        return await open_cores(wire, dict.fromkeys(hosts, HOST))
    return cores


async def demonstrate(
    policy: Path,
    stories: Sequence[Story],
    *,
    on_ready: Callable[[Scene], None],
    on_played: Callable[[Played], None],
    hosts: Mapping[str, str] = HOSTS,
) -> Result:
    """Play *stories* on a border with *policy*; tell of the scene and of each story as soon as it is there."""
    result, wire = Result(), Wire()
    async with AsyncExitStack() as ends:
        directory = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="ibcf-demo-")))
        cores = await open_cores(wire, hosts)
        for core in cores.values():
            ends.callback(core.close)
        async with running(policy, cores, directory) as border:
            sides = {listener.id: listener.side for listener in border.config.listeners}
            names = {f"{host}:{port}": f"border-{sides[name]}" for name, (host, port) in border.listeners.items()}
            names |= {core.where: core.profile.id.replace("_", "-") for core in cores.values()}
            known = {core.profile.id: core.profile.name for core in cores.values()} | {"border": "ibcf-1"}
            places = {core.profile.id: core.address[0] for core in cores.values()}
            on_ready(Scene(known, places, f"http://{border.admin}/metrics", policy, Mask(names)))
            stage = Stage(border, cores, wire)
            for story in stories:
                played = await stage.play(story)
                result.played.append(played)
                on_played(played)
        result.closing.equal("charging records in all", len(border.records()), len(stories))
        stopped = [line.get("records_lost") for line in border.log() if line["event"] == "border.stopped"]
        result.closing.equal("records lost", stopped, [0])
    return result
