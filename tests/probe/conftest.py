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
from tests.system.support.certificates import Identities, issue_all
from tests.system.support.configuration import Carrier, Carriers, choose_carriers, connect, prepare, write
from tests.system.support.flow import stage

collect_ignore = ["agent.py"]
"""The child process: it alone may load pjsua2."""

CALLER_ADDRESS = "127.0.0.2"
CALLEE_ADDRESS = "127.0.0.3"


@pytest.fixture(scope="session")
def identities(tmp_path_factory: pytest.TempPathFactory) -> Identities:
    """Issue certificates to the border and to the user agents."""
    return issue_all(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def agents(identities: Identities, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[UserAgent, UserAgent]]:
    """Start the calling and the called user agent."""
    if not user_agent.is_there():
        missing("pjsua2", "pip install --require-hashes -r tests/probe/requirements.txt")
    folder = tmp_path_factory.mktemp("probe")
    authorities = identities.authority.path
    with (
        UserAgent(CALLER_ADDRESS, identities.a, authorities, folder=folder) as caller,
        UserAgent(CALLEE_ADDRESS, identities.b, authorities, folder=folder) as callee,
    ):
        yield caller, callee


@pytest.fixture(params=["udp", "tcp", "tls"])
def transport(request: pytest.FixtureRequest) -> str:
    """Go through the transports."""
    found: str = request.param
    return found


@pytest.fixture
def line(agents: tuple[UserAgent, UserAgent], identities: Identities, transport: str, tmp_path: Path) -> Iterator[Line]:
    """Put a border between the two user agents."""
    caller, callee = agents
    carriers = Carriers(
        a=Carrier("carrier_a", caller.address, caller.ports[transport], f"home_{transport}"),
        b=Carrier("carrier_b", callee.address, callee.ports[transport], f"peer_{transport}"),
        c=choose_carriers().c,
    )
    document = prepare(carriers, tmp_path, dns=None)
    connect(document, transport, identities)
    configuration = write(document, tmp_path / "border.yaml")
    with ExitStack() as ends:
        scene = ends.enter_context(stage(Border(configuration, cdr=tmp_path / "cdr"), carriers, tmp_path))
        yield Line(scene, caller, callee, transport)
