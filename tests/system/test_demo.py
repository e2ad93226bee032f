"""`ibcf demo` as a newcomer runs it: the shipped policy, and policies under which it must not pass."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ibcf.demo.border import POLICY
from ibcf.demo.run import HOSTS, Scene, demonstrate
from ibcf.demo.stories import STORIES
from tests.system.support.border import REPOSITORY, command
from tests.system.support.configuration import Document, section, shipped, write

pytestmark = pytest.mark.system

DEADLINE_S = 40


def play(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the verb to its end."""
    return subprocess.run(  # noqa: S603 - our own command line
        command("demo", *arguments),
        cwd=REPOSITORY,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=DEADLINE_S,
        check=False,
    )


def without_port(text: str) -> str:
    """Return *text* without the one thing that differs from run to run: the port of the metrics."""
    return re.sub(r"http://127\.0\.0\.1:\d+/metrics", "http://127.0.0.1:PORT/metrics", text)


def test_all_four_stories_go_as_told_and_read_the_same_each_time() -> None:
    """Two runs exit 0, say nothing on stderr, and print the same text but for one port."""
    first, second = play(), play()
    assert (first.returncode, first.stderr) == (0, ""), first.stdout
    assert [line[3:6] for line in first.stdout.splitlines() if line.startswith("   ✓")] == ["✓ 1", "✓ 2", "✓ 3", "✓ 4"]
    assert first.stdout.splitlines()[-1] == "✓ all four stories went as told"
    assert without_port(second.stdout) == without_port(first.stdout)


def test_readme_shows_what_the_demo_prints() -> None:
    """The blocks of README.md after its `demo:` marks are, put together, the output of `ibcf demo`."""
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"<!-- demo: \w+ -->\n```text\n(.*?)\n```\n", readme, flags=re.DOTALL)
    told = play()
    assert "\n\n".join(blocks) + "\n" == without_port(told.stdout), "put the new output into README.md"


def test_output_without_a_terminal_is_plain_and_fits() -> None:
    """A file gets no escape sequence, even when colour is forced, and no line above 100 columns."""
    told = play("--story", "1", FORCE_COLOR="1", COLUMNS="40")
    assert told.returncode == 0
    assert "\x1b" not in told.stdout
    assert max(map(len, told.stdout.splitlines())) <= 100
    assert "sip:TOKEN@border-home" in told.stdout
    assert not re.search(r"z9hG4bK|sip:[a-z0-9]{40,}@", told.stdout)


def test_one_story_can_be_played_quietly() -> None:
    """`--story` and `--quiet` leave one line for the story and one for the whole."""
    told = play("--story", "2", "--quiet")
    assert told.returncode == 0
    assert [line.split(" (")[0] for line in told.stdout.splitlines()] == [
        "   ✓ 2 refused with its reason, and nobody else heard of it",
        "✓ 1 of 1 stories went as told",
    ]


def test_json_has_every_message_and_every_check() -> None:
    """`--json` is one document with the messages in full, the record as it is on disk, and all that was checked."""
    told = play("--json")
    assert told.returncode == 0
    document: dict[str, Any] = json.loads(told.stdout)
    assert document["went_as_told"] is True
    assert [story["number"] for story in document["stories"]] == [1, 2, 3, 4]
    failover = document["stories"][3]
    assert [attempt["status"] for attempt in failover["record"]["attempts"]] == [503, 200]
    invites = [rung["to"] for rung in failover["ladder"] if rung["message"].startswith("INVITE")]
    assert invites == ["border", "carrier_b", "carrier_c"]
    assert all(check["holds"] for story in document["stories"] for check in story["checks"])


def test_nothing_stays_behind(tmp_path: Path) -> None:
    """Keys and charging records go with the run."""
    assert play("--story", "1", "--quiet", TMPDIR=str(tmp_path)).returncode == 0
    assert list(tmp_path.iterdir()) == []


def changed(document: Document, tmp_path: Path) -> str:
    """Write a policy beside its zone and return its path."""
    (tmp_path / "demo.zone").write_text((POLICY.parent / "demo.zone").read_text())
    return str(write(document, tmp_path / "changed.yaml"))


def test_a_policy_that_routes_otherwise_is_found_out(tmp_path: Path) -> None:
    """Without the rule that refuses, story 2 fails, says what was seen instead, and the exit status is 1."""
    document = shipped()
    document["routes"] = [route for route in document["routes"] if route["id"] != "no_premium"]
    told = play("--policy", changed(document, tmp_path))
    assert told.returncode == 1
    assert "   ✗ 2 did not go as told" in told.stdout
    assert "phrase of the final response: expected 'Premium Rate Barred', saw 'OK'" in told.stdout
    assert told.stdout.splitlines()[-1] == "✗ 3 of 4 stories went as told"


def test_a_header_that_leaks_is_found_out(tmp_path: Path) -> None:
    """Without its header rule the border shows our software to others, and the story says so."""
    document = shipped()
    rules = section(document, "header_rules", "towards_operators")
    rules["rules"] = [rule for rule in rules["rules"] if rule["id"] != "no_user_agent"]
    told = play("--story", "1", "--quiet", "--policy", changed(document, tmp_path))
    assert told.returncode == 1
    assert "at carrier_b: headers that stay inside: expected [], saw ['User-Agent']" in told.stdout


def test_without_failover_the_fourth_story_fails(tmp_path: Path) -> None:
    """A border that tries nobody else is told from one that does, and the other stories still pass."""
    document = shipped()
    section(document, "routes", "to_b")["attempts_max"] = 1
    told = play("--quiet", "--policy", changed(document, tmp_path))
    assert told.returncode == 1
    assert [line[3:6] for line in told.stdout.splitlines() if line[3:4] in {"✓", "✗"}] == [
        "✓ 1", "✓ 2", "✓ 3", "✗ 4",
    ]  # fmt: skip


def test_a_policy_with_a_fault_is_refused_whole(tmp_path: Path) -> None:
    """A fault is told with its place, nothing is played, and the exit status is 2."""
    document = shipped()
    section(document, "peers", "carrier_b")["agreement"] = "nobody"
    told = play("--policy", changed(document, tmp_path))
    assert (told.returncode, told.stdout) == (2, "")
    assert 'unknown agreement "nobody"' in told.stderr


def test_a_policy_that_is_not_there_is_told() -> None:
    """A wrong path is a wrong usage."""
    told = play("--policy", "nowhere.yaml")
    assert (told.returncode, told.stdout) == (2, "")
    assert "nowhere.yaml: no such policy" in told.stderr


@pytest.mark.parametrize("hosts", [dict.fromkeys(HOSTS, "127.0.0.1"), HOSTS | {"carrier_c": "192.0.2.1"}])
async def test_one_loopback_address_is_enough(hosts: dict[str, str]) -> None:
    """Where 127.0.0.2 cannot be bound all carriers share 127.0.0.1, and the stories are the same."""
    scenes: list[Scene] = []
    result = await demonstrate(POLICY, STORIES, on_ready=scenes.append, on_played=lambda _played: None, hosts=hosts)
    broken = [str(check) for played in result.played for check in played.checks.broken()]
    assert (result.went_as_told, broken) == (True, [])
    assert set(scenes[0].places.values()) == {"127.0.0.1"}
