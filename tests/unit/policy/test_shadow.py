"""A candidate beside the policy in force: what it decides otherwise is counted by rule, with live answers of ENUM."""

import threading
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from ibcf.admin import client
from ibcf.boundary import SampledAnswer, SampledRequest
from ibcf.cli.main import app
from ibcf.config import Loaded, read
from ibcf.errors import ConfigError, PolicyError
from ibcf.observe.metrics import Metrics
from ibcf.policy import shadow as shadow_module
from ibcf.policy.replay import as_json
from ibcf.policy.shadow import Shadow
from ibcf.policy.shadow_runs import ShadowRuns
from ibcf.policy.specimen import request_to
from tests.unit.config.pairs import KEY, KEY_VARIABLE, sound

LIVE = """\
routes:
  - {id: look_up, match: {direction: exit}, enum: numbers}
  - {id: unknown, match: {enum: [not_found, failed]}, reject: {reason: decide.number_unknown}}
  - {id: all, to: [{peer: carrier_b}]}
"""
CANDIDATE = LIVE.replace(
    "routes:\n", 'routes:\n  - {id: no_premium, match: {number_prefix: "+449"}, reject: {reason: decide.forbidden}}\n'
)
KNOWN, PREMIUM = "+441632960083", "+449012345678"


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write both policies."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    Path("live.yaml").write_text(sound(routes=LIVE))
    Path("candidate.yaml").write_text(sound(routes=CANDIDATE))


def write(routes: str, **changes: str) -> None:
    """Write the candidate: its rules, and other names than those of the policy in force."""
    text = sound(routes=routes)
    for old, new in changes.items():
        text = text.replace(old, new)
    Path("candidate.yaml").write_text(text)


def sampled(live: Loaded, number: str, rule: str | None = "all", **others: object) -> SampledRequest:
    """Return the copy of a call that ENUM knew."""
    message = request_to(number, peer=live.config.peers[0], config=live.config).decode("latin-1")
    answer = SampledAnswer("numbers", "found", "FOUND", (f"sip:{number}@b.example;user=phone",))
    made = SampledRequest("carrier_a", "home_udp", "127.0.0.2:5060", 1_000, rule, number, (answer,), message)
    return msgspec.structs.replace(made, **others)


def beside(candidate: str = "candidate.yaml", **others: object) -> Shadow:
    """Return a run that was not started."""
    live = read("live.yaml")
    return Shadow(live, read(candidate), 5.0, 60.0, lambda _limit: b"[]", **others)  # type: ignore[arg-type]


async def test_what_is_decided_otherwise_is_counted_by_rule() -> None:
    """The look-up has the live answer, so both policies get as far as the live call got."""
    heard: list[object] = []
    run = beside(observe=heard.append)
    for number in (KNOWN, PREMIUM, PREMIUM):
        await run.decide(sampled(run.active, number))
    told = as_json(run.counted(), str)
    assert (told["decided"], told["different"], told["skipped"]) == (3, 2, {})
    (group,) = told["groups"]
    assert group["before"] == {"rule": "all", "way": "to carrier_b, target b1"}
    assert group["after"] == {"rule": "no_premium", "way": "answer 403 (decide.forbidden)"}
    assert group["examples"][0] == {
        "unix_ms": 1_000, "source": "127.0.0.2:5060", "request": f"INVITE tel:{PREMIUM} SIP/2.0",
    }  # fmt: skip
    assert [key is None for key in heard] == [True, False, False]


async def test_what_the_policy_in_force_does_not_decide_again_is_not_compared() -> None:
    """A hook or a limit had a part in the live call: a difference would be none of the candidate's."""
    run = beside()
    await run.decide(sampled(run.active, KNOWN, rule="another"))
    await run.decide(sampled(run.active, KNOWN, rule=None))
    assert run.counted().skipped == {"requests that a hook or a limit had a part in": 2}
    assert run.counted().decided == 0


async def test_a_look_up_that_no_live_call_made_fails_and_is_counted() -> None:
    """Nobody is asked for a candidate."""
    write(LIVE, numbers="others")
    run = beside()
    await run.decide(sampled(run.active, KNOWN))
    told = run.counted()
    assert (told.not_asked, told.different) == (1, 1)


async def test_a_peer_that_the_candidate_does_not_know_is_a_stranger_to_it() -> None:
    """It would be refused before any rule."""
    write(CANDIDATE, carrier_a="carrier_z")
    run = beside()
    await run.decide(sampled(run.active, KNOWN))
    (key,) = run.counted().groups
    assert (key.rule_after, key.way_after) == ("-", "unknown source")


async def test_kinds_of_disagreement_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind the bound all others are one kind."""
    monkeypatch.setattr(shadow_module, "GROUPS_MAX", 1)
    more = '  - {id: no_uk, match: {number_prefix: "+44"}, reject: {reason: decide.forbidden}}\n  - {id: look_up'
    write(CANDIDATE.replace("  - {id: look_up", more))
    run = beside()
    for number in (PREMIUM, KNOWN, KNOWN):
        await run.decide(sampled(run.active, number))
    found = {key.rule_after: group.count for key, group in run.counted().groups.items()}
    assert found == {"no_premium": 1, "-": 2}


def test_a_run_takes_copies_in_a_thread_until_its_time_is_up() -> None:
    """It ends by itself and says so; the thread is nicer than all others."""
    live = read("live.yaml")
    batches = [msgspec.json.encode([sampled(live, KNOWN), sampled(live, PREMIUM)])]
    now = [1_000.0]
    over = threading.Event()

    def take(_limit: int) -> bytes:
        if batches:
            return batches.pop()
        now[0] += 61.0
        return b"[]"

    run = Shadow(live, read("candidate.yaml"), 5.0, 60.0, take, ended=lambda _run: over.set(), clock=lambda: now[0])
    run.start()
    assert over.wait(20)
    run.join()
    assert (run.end, run.counted().decided, run.counted().different) == ("time", 2, 1)


def test_a_defect_ends_the_run_and_nothing_else() -> None:
    """What cannot be read is told as the end of the run."""
    run = beside(clock=lambda: 1.0)
    run.take = lambda _limit: b"?"
    run.start()
    run.join()
    assert run.end == "failed"
    assert run.error is not None
    assert run.error.startswith("DecodeError: ")


@pytest.fixture
def runs() -> tuple[ShadowRuns, list[int]]:
    """Return the runs of a border, and the shares that its core was told."""
    shares: list[int] = []
    metrics = Metrics(version="1", core_version="1", node="n")
    live = read("live.yaml")
    return ShadowRuns(Path(), lambda: live, shares.append, lambda _limit: b"[]", metrics), shares


def here(name: str) -> str:
    """Return the whole path of a file."""
    return str(Path(name).resolve())


def test_one_run_at_a_time_and_the_core_copies_nothing_without_one(runs: tuple[ShadowRuns, list[int]]) -> None:
    """The share is told at the start and taken back at the end, and the last run can still be looked at."""
    border, shares = runs
    assert border.status(masked=True) == {"running": False, "file": None}
    border.start(here("candidate.yaml"), 2.5, 60.0)
    with pytest.raises(PolicyError, match="is being tried: stop that first"):
        border.start(here("candidate.yaml"), 2.5, 60.0)
    assert border.status(masked=True)["running"]
    border.stop()
    assert shares == [250, 0]
    told = border.status(masked=True)
    assert (told["running"], told["end"], told["percent"], told["decided"]) == (False, "stopped", 2.5, 0)
    border.start(here("candidate.yaml"), 5, 60.0)
    border.stop("reload")
    assert border.status(masked=True)["end"] == "reload"


@pytest.mark.parametrize(
    ("file", "percent", "seconds", "problem"),
    [
        ("/etc/passwd", 5.0, 60.0, "/etc/passwd: a candidate stands in "),
        ("candidate.yaml", 5.0, 60.0, "candidate.yaml: a candidate stands in "),
        ("{here}/../x.yaml", 5.0, 60.0, "a candidate stands in "),
        ("{here}/candidate.yaml", 0.0, 60.0, "a share is 0.01 to 100 percent, for 1s to 7d"),
        ("{here}/candidate.yaml", float("nan"), 60.0, "a share is 0.01 to 100 percent"),
        ("{here}/candidate.yaml", 5.0, 1e9, "a share is 0.01 to 100 percent"),
    ],
)
def test_only_files_beside_the_policy_in_force_are_read(
    runs: tuple[ShadowRuns, list[int]], file: str, percent: float, seconds: float, problem: str
) -> None:
    """Whoever reaches the endpoint may not have other files read, or more than the bounds."""
    border, shares = runs
    with pytest.raises(PolicyError) as caught:
        border.start(file.replace("{here}", str(Path.cwd())), percent, seconds)
    assert problem in str(caught.value)
    assert shares == []


def test_a_candidate_with_faults_is_refused_and_its_hooks_are_never_imported(
    runs: tuple[ShadowRuns, list[int]],
) -> None:
    """As `ibcf check` would; but code that a candidate names does not run."""
    border, shares = runs
    write(LIVE.replace("carrier_b", "carrier_x"))
    with pytest.raises(ConfigError, match='unknown peer "carrier_x"'):
        border.start(here("candidate.yaml"), 5, 60.0)
    assert shares == []
    Path("it.py").write_text("import pathlib\npathlib.Path('ran').touch()\n")
    hook = "  - {id: ask, hook: {call: 'it:check', deadline: 1s, fallback: continue}}\n"
    write(LIVE.replace("routes:\n", "routes:\n" + hook))
    border.start(here("candidate.yaml"), 5, 60.0)
    border.stop()
    assert shares == [500, 0]
    assert not Path("ran").exists()


async def test_the_verb_shows_what_is_decided_otherwise_as_policy_diff_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long it goes on or why it is over, groups with both ways, where examples came from; 1 for a difference."""
    run = beside(clock=lambda: 12.0)
    await run.decide(sampled(run.active, PREMIUM))
    told = {**shadow_module.shown(run), **as_json(run.counted(), str)}
    monkeypatch.setattr(client, "get", lambda *_asked: told)
    result = CliRunner().invoke(app, ["policy", "shadow", "status"])
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        "candidate.yaml: 5 % of the requests, 12 s of 60 s",
        "1 request: all → no_premium",
        "  - to carrier_b, target b1",
        "  + answer 403 (decide.forbidden)",
        f"    00:00:01Z, from 127.0.0.2:5060: INVITE tel:{PREMIUM} SIP/2.0",
        "1 request decided, 1 otherwise",
    ]
    run.stop("reload")
    told.update(shadow_module.shown(run), groups=[], different=0)
    result = CliRunner().invoke(app, ["policy", "shadow", "status"])
    assert result.exit_code == 0
    assert result.output.startswith("candidate.yaml: 5 % of the requests, over: another policy came into force\n")
    told["file"] = None
    assert "no candidate was tried" in CliRunner().invoke(app, ["policy", "shadow", "status"]).output


def test_the_verb_says_why_a_run_does_not_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is named as a whole path, the time in words; a refusal is told with its faults."""
    asked: list[dict[str, object]] = []

    def post(_admin: str, _path: str, **values: object) -> dict[str, object]:
        asked.append(values)
        return {"ok": len(asked) == 1, "faults": ["candidate.yaml:2:3 routes: no"]}

    monkeypatch.setattr(client, "post", post)
    start = ["policy", "shadow", "start", "candidate.yaml", "--sample", "2.5", "--for", "10m"]
    begun = CliRunner().invoke(app, start)
    assert (begun.exit_code, begun.output) == (0, "candidate.yaml decides 2.5 % of the requests too, for 10m\n")
    assert asked == [{"file": here("candidate.yaml"), "percent": 2.5, "seconds": 600.0}]
    refused = CliRunner().invoke(app, start)
    assert (refused.exit_code, "routes: no" in refused.output) == (1, True)
    assert CliRunner().invoke(app, [*start[:-1], "soon"]).exit_code == 2
