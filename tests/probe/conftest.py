"""Fixtures of the probe tests: two pjsua2 user agents for the session, a border of its own for each test."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.parts import missing
from tests.probe import user_agent
from tests.probe.line import Line
from tests.probe.user_agent import UserAgent
from tests.system.support.border import Border
from tests.system.support.configuration import Carrier, Carriers, choose_carriers, prepare, write
from tests.system.support.flow import stage

collect_ignore = ["agent.py"]
"""The child process: it alone may load pjsua2."""

CALLER_ADDRESS = "127.0.0.2"
CALLEE_ADDRESS = "127.0.0.3"


@pytest.fixture(scope="session")
def agents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[UserAgent, UserAgent]]:
    """Start the calling and the called user agent."""
    if not user_agent.is_there():
        missing("pjsua2", "pip install --require-hashes -r tests/probe/requirements.txt")
    folder = tmp_path_factory.mktemp("probe")
    with UserAgent(CALLER_ADDRESS, folder=folder) as caller, UserAgent(CALLEE_ADDRESS, folder=folder) as callee:
        yield caller, callee


@pytest.fixture(params=["udp"])
def transport(request: pytest.FixtureRequest) -> str:
    """Go through the transports."""
    found: str = request.param
    return found


@pytest.fixture
def line(agents: tuple[UserAgent, UserAgent], transport: str, tmp_path: Path) -> Iterator[Line]:
    """Put a border between the two user agents."""
    caller, callee = agents
    carriers = Carriers(
        a=Carrier("carrier_a", caller.address, caller.ports[transport], "home_udp"),
        b=Carrier("carrier_b", callee.address, callee.ports[transport], "peer_udp"),
        c=choose_carriers().c,
    )
    configuration = write(prepare(carriers, tmp_path, dns=None), tmp_path / "border.yaml")
    with ExitStack() as ends:
        scene = ends.enter_context(stage(Border(configuration, cdr=tmp_path / "cdr"), carriers, tmp_path))
        yield Line(scene, caller, callee, transport)
