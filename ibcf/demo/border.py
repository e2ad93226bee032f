"""The border of the demonstration: the shipped policy on ports that the system chose, served in this very process.

Nothing in here is made for the demonstration but the addresses: the same `Service` that `ibcf run` starts. It is
watched the way an operator watches it: log lines, charging records on disk, metrics over HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from ibcf.config import read
from ibcf.core_module import CoreModule
from ibcf.hooks.runner import HookRunner
from ibcf.observe.hooks import HookReport
from ibcf.observe.logs import BORDER_READY
from ibcf.policy.compile import checked_snapshot, open_engine
from ibcf.policy.explain import Arrival, explain, find_peer
from ibcf.policy.locations import Locations
from ibcf.policy.resolvers import open_resolvers
from ibcf.service import Service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from ibcf.config import Config
    from ibcf.demo.core import Address, ToyCore
    from ibcf.policy.explain import Explanation

Record = dict[str, Any]
Labels = tuple[tuple[str, str], ...]

POLICY = Path(__file__).parents[2] / "policies" / "demo.yaml"
HOST = "127.0.0.1"
CALLER = "carrier_a"
WAIT_SECONDS_MAX = 2.0


def prepare(policy: Path, cores: Mapping[str, ToyCore], directory: Path) -> Path:
    """Write the configuration of *policy* with the addresses of this run to *directory* and return its path.

    Raises:
        ConfigError: *policy* has faults.
    """
    config = read(policy).config
    overrides: dict[str, object] = {
        "admin.address": f"{HOST}:0",
        "charging.directory": str(directory / "cdr"),
        "keys": [{"id": 1, "secret": {"generate": True}}],
    }
    overrides |= {f"listeners.{listener.id}.address": f"{HOST}:0" for listener in config.listeners}
    for peer in config.peers:
        core = cores[peer.id]
        overrides[f"peers.{peer.id}.targets.{peer.targets[0].id}.address"] = core.where
        if peer.id == CALLER or core.address[0] != cores[CALLER].address[0]:
            overrides[f"peers.{peer.id}.sources"] = [f"{core.address[0]}/32"]
        # else all share one address: only the caller sends requests, the others are known by their Via branches
    for service in config.enum:
        if service.zone_file is not None:
            overrides[f"enum.{service.id}.zone_file"] = str(service.zone_file.resolve())
    path = directory / "demo.yaml"
    path.write_bytes(msgspec.json.encode(read(policy, overrides).tree.root))  # JSON is YAML too
    return path


@dataclass(frozen=True, slots=True)
class Scrape:
    """The metrics at one moment."""

    samples: Mapping[tuple[str, Labels], float]

    def value(self, name: str, labels: Labels = ()) -> float:
        """Return the sum over all samples of *name* with at least these *labels*."""
        wanted = set(labels)
        return sum(value for (found, has), value in self.samples.items() if found == name and wanted <= set(has))


@dataclass(slots=True)
class RunningBorder:
    """A border that serves, and what an operator sees of it."""

    path: Path
    """Its configuration."""
    service: Service
    directory: Path
    output: io.StringIO
    listeners: Mapping[str, Address] = field(default_factory=dict)
    admin: str = ""
    config: Config = field(init=False)

    def listener_of(self, peer: str) -> str:
        """Return the listener that *peer* sends to."""
        return next(entry.listeners[0] for entry in self.config.peers if entry.id == peer)

    def log(self) -> list[Record]:
        """Return the log lines so far."""
        return [msgspec.json.decode(line) for line in self.output.getvalue().splitlines() if line.startswith("{")]

    def records(self) -> list[Record]:
        """Return the charging records on disk, in the order in which they were written."""
        files = sorted((self.directory / "cdr").glob("*.jsonl*"))  # with `.open` behind it while it is written to
        lines = [line for path in files for line in path.read_bytes().splitlines(keepends=True)]
        return [msgspec.json.decode(line) for line in lines if line.endswith(b"\n")]

    async def get(self, path: str) -> str:
        """Ask the admin endpoint and return the body.

        Raises:
            ValueError: it did not answer 200.
        """
        host, _, port = self.admin.rpartition(":")
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            reader, writer = await asyncio.open_connection(host, int(port))
            try:
                writer.write(f"GET {path} HTTP/1.0\r\nHost: {self.admin}\r\n\r\n".encode())
                head, _, body = (await reader.read(-1)).decode().partition("\r\n\r\n")
            finally:
                writer.close()
                await writer.wait_closed()
        status_line = head.partition("\r\n")[0]
        if status_line.split(" ")[1:2] != ["200"]:
            raise ValueError(f"{path} answered {status_line or 'nothing'}")
        return body

    async def scrape(self) -> Scrape:
        """Return the metrics as Prometheus would read them."""
        families = text_string_to_metric_families(await self.get("/metrics"))
        return Scrape(
            {
                (sample.name, tuple(sorted(sample.labels.items()))): sample.value
                for family in families
                for sample in family.samples
            }
        )

    async def explain(self, message: bytes) -> Explanation:
        """Return what the border says it does with *message* from the caller, and why."""
        overrides = {f"listeners.{name}.address": f"{host}:{port}" for name, (host, port) in self.listeners.items()}
        loaded = read(self.path, overrides)
        peer = find_peer(loaded.config, CALLER)
        if peer is None:
            raise ValueError(f"the policy of the demonstration needs a peer {CALLER}")
        resolvers = open_resolvers(loaded.config)
        locations = Locations(loaded.config)
        snapshot = checked_snapshot(loaded)
        hooks = HookRunner(HookReport())
        hooks.switch(loaded.config, snapshot.hooks)
        try:
            arrival = Arrival(peer, message, round(time.time() * 1000))
            return await explain(open_engine(snapshot, trace=True), arrival, resolvers, locations, hooks)
        finally:
            hooks.close()
            await locations.close()
            for resolver in resolvers.values():
                await resolver.close()


@contextlib.asynccontextmanager
async def running(policy: Path, cores: Mapping[str, ToyCore], directory: Path) -> AsyncIterator[RunningBorder]:
    """Start a border between *cores*; it ends with the block.

    Raises:
        ConfigError: *policy* has faults.
    """
    path = prepare(policy, cores, directory)
    module = CoreModule.compiled()
    service = Service(path, module, version=module.version)
    border = RunningBorder(path, service, directory, io.StringIO())
    border.config = read(path).config
    with contextlib.redirect_stdout(border.output):  # the log keeps the stream that it was set up with
        await service.start()
    try:
        ready = next(line for line in border.log() if line["event"] == BORDER_READY)
        border.listeners = {entry["id"]: _address(entry["address"]) for entry in ready["listeners"]}
        border.admin = ready["admin"]
        yield border
    finally:
        await service.stop()


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    return host, int(port)
