"""Fixtures of the system tests: the parts of the outside world, and a border between them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.parts import missing
from tests.system.support import knot, sipp
from tests.system.support.border import Border
from tests.system.support.certificates import Identities, issue_all
from tests.system.support.configuration import ZONE, Carriers, Document, choose_carriers, prepare, write
from tests.system.support.flow import Stage, stage

Change = Callable[[Document], None]
SetStage = Callable[..., Stage]

NETWORKS = pytest.StashKey[str]()
"""Where the networks of this run were: namespaces or loopback addresses."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what this machine let us use: the same test means more in namespaces than on loopback."""
    kind = terminalreporter.config.stash.get(NETWORKS, None)
    if kind is not None:
        terminalreporter.write_line(f"IMS cores ran in {kind}")


@pytest.fixture(scope="session")
def parts() -> None:
    """Make sure that SIPp is there."""
    if sipp.program() is None:
        missing("sipp", "apt-get install sip-tester")


def knot_program() -> str:
    """Return the program of the DNS server, or skip."""
    program = knot.knotd()
    if program is None:
        missing("knotd", "apt-get install knot")
    return program


@pytest.fixture(scope="session")
def dns(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the numbers of the flows from a real DNS server; the value is its address."""
    with knot.name_server(knot_program(), {"e164.arpa": ZONE.read_text()}, tmp_path_factory.mktemp("knot")) as server:
        yield server.address


@pytest.fixture
def domains(tmp_path_factory: pytest.TempPathFactory) -> Iterator[knot.NameServer]:
    """Serve the domains of two carriers and a hosting company, without a record so far."""
    names = ("b.example", "c.example", "host.example")
    zones = {name: knot.zone_text(name, "") for name in names}
    with knot.name_server(knot_program(), zones, tmp_path_factory.mktemp("domains")) as server:
        yield server


@pytest.fixture(scope="session")
def identities(tmp_path_factory: pytest.TempPathFactory) -> Identities:
    """Issue certificates to the border and to the carriers."""
    return issue_all(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def carriers() -> Carriers:
    """Choose the addresses and ports of the three carriers."""
    return choose_carriers()


@pytest.fixture
def set_stage(parts: None, dns: str, carriers: Carriers, tmp_path: Path) -> Iterator[SetStage]:
    """Return a function that starts a border whose configuration a test may change first."""
    with ExitStack() as ends:

        def start(
            change: Change | None = None, *, servers: list[str] | None = None, around: Carriers = carriers
        ) -> Stage:
            document = prepare(around, tmp_path, dns=servers or [dns])
            if change is not None:
                change(document)
            configuration = write(document, tmp_path / "border.yaml")
            border = Border(configuration, cdr=tmp_path / "cdr")
            return ends.enter_context(stage(border, around, tmp_path))

        yield start


@pytest.fixture
def scene(set_stage: SetStage) -> Stage:
    """Start a border with the configuration of the flows, its ENUM on a real DNS server."""
    return set_stage()
