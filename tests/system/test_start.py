"""Starting with something wrong: said plainly, before anything listens, with an exit code that tells."""

import json
import re
import socket
import subprocess
from pathlib import Path

import pytest

from tests.system.support.border import READY, REPOSITORY, START_S, command
from tests.system.support.children import Child
from tests.system.support.configuration import SHIPPED, Carriers, prepare, section, write
from tests.system.support.ports import free_port

pytestmark = pytest.mark.system

FIVE_FAULTS = """\
version: 1
node: {name: ibcf-1, domain: ibcf.a.example, worker: 2}
keys:
  - {id: 1, secret: {generate: true}}
admin: {address: "127.0.0.1:0"}
charging: {directory: cdr}
timers: {t1: 500 parsecs}
listeners:
  - {id: home_udp, side: home, transport: udp, address: "127.0.0.1:70000"}
agreements:
  - {id: own, trusted: true, methods: [INVITE, ACK, BYE, CANCEL]}
peers:
  - id: carrier_a
    side: home
    agreement: own
    listeners: home_udp
    sources: ["127.0.0.2/33"]
    targets: [{id: a1, address: "127.0.0.2:5060"}]
routes:
  - {id: all, to: [{peer: carrier_x}]}
"""
FAULT = re.compile(r"bad\.yaml:(\d+):(\d+) (\S+): (.+)")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one verb to its end."""
    return subprocess.run(  # noqa: S603 - our own command
        command(*arguments), cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=30
    )


@pytest.mark.parametrize("verb", ["run", "check"])
def test_every_fault_of_a_configuration_is_listed(tmp_path: Path, verb: str) -> None:
    """Five faults lead to five lines `file:line:column key: what is wrong` and exit code 2."""
    path = tmp_path / "bad.yaml"
    path.write_text(FIVE_FAULTS)
    ended = run(verb, str(path))
    assert ended.returncode == 2, ended
    output = ended.stdout + ended.stderr
    found = {int(match[1]): match for match in FAULT.finditer(output)}
    assert sorted(found) == [2, 7, 9, 17, 20], output
    assert len(FAULT.findall(output)) == 5, output
    assert "workers" in found[2][4], "an unknown key comes with a guess"
    assert "carrier_a" in found[20][4], "an unknown name comes with the known ones"
    assert "Traceback" not in output


def test_shipped_configuration_of_the_flows_is_right() -> None:
    """`ibcf check` finds no fault in policies/demo.yaml (its made-up key is worth a warning)."""
    ended = run("check", str(SHIPPED))
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_taken_port_is_named(carriers: Carriers, tmp_path: Path) -> None:
    """When a listener's port is taken the border names listener and address and does not start."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as occupant:
        occupant.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{occupant.getsockname()[1]}"
        document = prepare(carriers, tmp_path, dns=None)
        section(document, "listeners", "peer_udp")["address"] = address
        ended = run("run", str(write(document, tmp_path / "border.yaml")))
    output = ended.stdout + ended.stderr
    assert ended.returncode not in {0, 2}, output
    assert "peer_udp" in output
    assert address in output
    assert "border.ready" not in output
    assert "Traceback" not in output


def test_taken_admin_port_costs_only_the_metrics(carriers: Carriers, tmp_path: Path) -> None:
    """When the admin port is taken the log names its address, and SIP is served all the same."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as occupant:
        occupant.bind(("127.0.0.1", 0))
        occupant.listen()
        address = f"127.0.0.1:{occupant.getsockname()[1]}"
        document = prepare(carriers, tmp_path, dns=None)
        document["admin"]["address"] = address
        configuration = write(document, tmp_path / "border.yaml")
        with Child(command("run", str(configuration)), folder=REPOSITORY) as child:
            child.wait_for_line(lambda line: READY in line, deadline_s=START_S, what=READY)
            [line] = [line for line in child.lines if "admin.unavailable" in line]
    assert address in line


def test_doctor_knows_the_border_that_serves(carriers: Carriers, tmp_path: Path) -> None:
    """While the border serves, the doctor finds its addresses held by it; once it is gone they can be bound."""
    document = prepare(carriers, tmp_path, dns=None)
    for listener in document["listeners"]:
        listener["address"] = f"127.0.0.1:{free_port('127.0.0.1')}"
    document["admin"]["address"] = f"127.0.0.1:{free_port('127.0.0.1')}"
    configuration = str(write(document, tmp_path / "border.yaml"))

    def places() -> list[str]:
        document = json.loads(run("doctor", configuration, "--json").stdout)
        return [one["found"] for one in document["findings"] if one["check"] == "listeners"]

    with Child(command("run", configuration), folder=REPOSITORY) as child:
        child.wait_for_line(lambda line: READY in line, deadline_s=START_S, what=READY)
        held = places()
        assert len(held) == len(document["listeners"]) + 1
        assert all(found.endswith(f"is held by ibcf run, process {child.pid}") for found in held), held
    assert all(found.endswith("can be bound") for found in places()), places()


def test_missing_key_file_is_named(carriers: Carriers, tmp_path: Path) -> None:
    """A key file that does not exist is a fault of the configuration: named, exit code 2."""
    document = prepare(carriers, tmp_path, dns=None)
    document["keys"][0]["secret"] = {"file": "nowhere"}
    ended = run("run", str(write(document, tmp_path / "border.yaml")))
    output = ended.stdout + ended.stderr
    assert ended.returncode == 2, output
    assert re.search(r"border\.yaml:\d+:\d+ keys\[0\]\S*: .*nowhere", output)
    assert "Traceback" not in output


def test_missing_zone_file_is_said_and_the_border_serves(carriers: Carriers, tmp_path: Path) -> None:
    """Without its zone file the border starts all the same: the log and `ibcf check` name the file."""
    document = prepare(carriers, tmp_path, dns=None)
    document["enum"][0]["zone_file"] = "nowhere.zone"
    configuration = write(document, tmp_path / "border.yaml")
    with Child(command("run", str(configuration)), folder=REPOSITORY) as child:
        child.wait_for_line(lambda line: READY in line, deadline_s=START_S, what=READY)
        assert any("nowhere.zone" in line for line in child.lines), child.lines
    assert "nowhere.zone" in run("check", str(configuration)).stdout


def test_no_configuration_at_all_is_a_clear_error(tmp_path: Path) -> None:
    """A configuration that does not exist is named, exit code 2."""
    ended = run("run", str(tmp_path / "absent.yaml"))
    assert ended.returncode == 2, ended
    assert "absent.yaml" in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr
