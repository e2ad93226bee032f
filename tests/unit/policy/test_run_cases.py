"""`ibcf policy test` on the real engine: what passes, what fails and how that is told, what no case reaches."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ibcf.cli.main import app
from ibcf.config import read
from ibcf.policy.cases import read_tests
from tests.unit.config.pairs import KEY, KEY_VARIABLE, sound

POLICIES = Path(__file__).parents[3] / "policies"
HEADERS = """\
header_rules:
  - id: to_b
    rules:
      - {id: no_agent, on: requests, remove: User-Agent}
      - {id: one_server, on: responses, set: {header: Server, value: ours}}
"""
ROUTES = """\
routes:
  - {id: office_hours, match: {time: {zone: UTC, days: mon-fri}}, enum: numbers}
  - {id: unknown, match: {enum: [not_found, failed]}, reject: {reason: decide.number_unknown}}
  - {id: to_us, match: {direction: entry}, to: [{peer: carrier_a}]}
  - {id: to_b, match: {domain: b.example}, to: [{peer: carrier_b}]}
  - {id: rest, reject: {reason: decide.no_route}}
"""
SUNDAY = '"2026-11-29T12:00Z"'
MONDAY = '"2026-11-30T12:00Z"'


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the cases a key in the environment and a policy."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    Path("x.yaml").write_text(sound(routes=ROUTES, header_rules=HEADERS))


def tried(*cases: str, options: tuple[str, ...] = (), enum: str = "{}") -> Result:
    """Write a file of tests, try it, and return what was printed."""
    lines = "".join(f"  - {{id: c{at}, {case}}}\n" for at, case in enumerate(cases))
    Path("x_test.yaml").write_text(f"policy: x.yaml\nenum: {enum}\ncases:\n{lines}")
    return CliRunner().invoke(app, ["policy", "test", "x_test.yaml", *options])


def number(at: str = MONDAY, **more: str) -> str:
    """Return a call of carrier A that is given."""
    rest = "".join(f", {name}: {value}" for name, value in more.items())
    return f'given: {{from: carrier_a, number: "+441632960083", at: {at}{rest}}}'


FOUND = "{\"+441632960083\": 'sip:+441632960083@b.example'}"


def test_the_shipped_policies_do_what_their_tests_say_and_every_rule_is_tried() -> None:
    """Each shipped policy has its tests, which pass and reach all its rules."""
    files = sorted(POLICIES.glob("*_test.yaml"))
    assert {read_tests(file).tests.policy.name for file in files} == {
        path.name for path in POLICIES.glob("*.yaml") if not path.name.endswith("_test.yaml")
    }
    result = CliRunner().invoke(app, ["policy", "test", str(POLICIES), "--coverage-min", "100"])
    assert result.exit_code == 0, result.output


def test_all_that_can_be_expected_holds_where_it_is_so() -> None:
    """Way, rules, edits, headers and the answer of one call; a quiet run prints one line and what was not reached."""
    answer = "{status: 183, headers: {Server: theirs}}"
    result = tried(
        f"{number(headers='{Subject: [a, b]}')}, expect: {{to: carrier_b, target: b1, rules: [office_hours, to_b], "
        "header_rules: no_agent, request_uri: 'sip:+441632960083@b.example', "
        "headers: {Subject: [a, b], User-Agent: {present: false}, s: {regex: ^a}, Via: {present: true}}}",
        f"given: {{from: carrier_b, number: '+441632960000', at: {SUNDAY}, answer: {answer}}}, "
        "expect: {to: carrier_a, rules: to_us, answer: {status: 183, headers: {Server: ours}}}",
        enum=FOUND,
    )
    assert result.exit_code == 0, result.output
    summary, *missed = result.stdout.splitlines()
    assert summary.startswith("x_test.yaml: 2 passed, 0 failed in ")
    assert summary.endswith("; 5 of 7 rules covered (71 %)")
    assert [line.partition("covered: ")[2] for line in missed] == [
        "x.yaml:3:10 routes[1].id: routes: unknown",
        "x.yaml:6:10 routes[4].id: routes: rest",
    ]


@pytest.mark.parametrize(
    ("expect", "problem"),
    [
        (
            "to: carrier_a",
            "x_test.yaml:4:103 cases[0].expect.to: must go to carrier_a; it went to carrier_b, target b1",
        ),
        ("target: b2", "expect.target: must go to the target b2; it went to carrier_b, target b1"),
        ("reject: decide.no_route", "must be refused with decide.no_route; it went to carrier_b, target b1"),
        ("status: 404", "must be answered 404; it went to carrier_b, target b1"),
        ("drop: true", "must be dropped; it went to carrier_b, target b1"),
        ("rules: to_b", "must be to_b; it was office_hours, to_b"),
        ("header_rules: one_server", "expect.header_rules[0]: one_server changed nothing"),
        ("request_uri: 'sip:a@b'", "must be sip:a@b; it was sip:+441632960083@b.example"),
        ("headers: {Max-Forwards: '70'}", "expect.headers.Max-Forwards: must be 70; it is 69"),
        ("headers: {Max-Forwards: {regex: '^7'}}", "must match ^7; it is 69"),
        ("headers: {Subject: {present: true}}", "expect.headers.Subject: must be there; it is nothing"),
        ("headers: {From: {present: false}}", "must not be there; it is <tel:+441632960000>;tag=explain"),
        ("answer: {status: 200}", "expect.answer.status: must go back as 200; it was nothing"),
    ],
)
def test_what_is_not_as_expected_is_told_with_its_place_and_the_trace(expect: str, problem: str) -> None:
    """Each kind of expectation fails where it must, and what the border did is shown below."""
    result = tried(f"{number()}, expect: {{{expect}}}", enum=FOUND)
    assert result.exit_code == 1
    assert problem in result.stdout
    assert "look the number up" in result.stdout
    assert "decision: forward to peer carrier_b, target b1" in result.stdout


def test_a_question_to_enum_without_an_answer_fails_its_case_and_asks_nobody() -> None:
    """A server is never asked; the case says what is missing, the others go on."""
    result = tried(f"{number()}, expect: {{to: carrier_b}}", f"{number(at=SUNDAY)}, expect: {{rules: rest}}")
    assert result.exit_code == 1
    assert 'ENUM is asked for +441632960083: say under `enum` what it answers, or "not_found"' in result.stdout
    assert "1 passed, 1 failed" in result.stdout


def test_a_case_may_say_what_enum_answers_in_it() -> None:
    """What stands in a case comes before what stands in the file; a failed look-up is one too."""
    given = number(enum="{'+441632960083': failed}")
    result = tried(f"{given}, expect: {{reject: decide.number_unknown, rules: [office_hours, unknown]}}", enum=FOUND)
    assert result.exit_code == 0, result.output


def test_a_message_may_be_given_whole_or_in_a_file() -> None:
    """Plain line ends are put right, as editors save them."""
    message = (
        "OPTIONS sip:x@elsewhere.example SIP/2.0\nVia: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bK1\nMax-Forwards: 9\n"
    )
    message += "From: <sip:a@a>;tag=1\nTo: <sip:x@elsewhere.example>\nCall-ID: 1\nCSeq: 1 OPTIONS\nContent-Length: 0\n"
    Path("message.sip").write_text(message)
    result = tried(
        f"given: {{from: carrier_a, message_file: message.sip, at: {SUNDAY}}}, expect: {{status: 405}}",
        f"given: {{from: carrier_a, message: {json.dumps(message)}, at: {SUNDAY}}}, expect: {{status: 405}}",
    )
    assert result.exit_code == 0, result.output


def test_too_little_coverage_fails() -> None:
    """A bound on covered rules makes what nobody tried a failure of CI."""
    case = f"{number(at=SUNDAY)}, expect: {{rules: rest}}"
    assert tried(case, options=("--coverage-min", "10")).exit_code == 0
    assert tried(case, options=("--coverage-min", "50")).exit_code == 1


def test_a_report_for_machines_has_cases_failures_and_coverage() -> None:
    """One document for all files."""
    result = tried(f"{number(at=SUNDAY)}, expect: {{rules: to_b}}", options=("--json",))
    (report,) = json.loads(result.stdout)
    (case,) = report["cases"]
    assert (report["file"], report["ok"], case["id"], case["ok"]) == ("x_test.yaml", False, "c0", False)
    assert case["failures"][0]["problem"] == "must be to_b; it was rest"
    assert case["milliseconds"] > 0
    assert report["coverage"]["rules"] == 7
    assert {"section": "header_rules to_b", "id": "one_server"}.items() <= report["coverage"]["missed"][-1].items()


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("", ["x_test.yaml:1:1: is empty"]),
        ("policy: x.yaml\ncases: []\n", ["x_test.yaml:2:8 cases: must not be empty"]),
        (
            "policy: x.yaml\ncases:\n  - {id: a, given: {from: carrier_a, number: 44, uri: 'sip:a'}, expect: {}}\n",
            [
                'x_test.yaml:3:46 cases[0].given.number: must be text: put it in quotes: "44"',
                "x_test.yaml:3:73 cases[0].expect: expects nothing: such a case could not fail",
            ],
        ),
        (
            (
                "policy: x.yaml\nenum: {'+44': nowhere}\ncases:\n"
                "  - {id: a, given: {from: carrier_a, number: '+44', at: monday}, expect: {to: a, drop: true}}\n"
            ),
            [
                'x_test.yaml:2:15 enum.+44: must be not_found, failed, a URI or a list of them (got "nowhere")',
                'x_test.yaml:4:57 cases[0].given.at: must be a moment with its zone: 2026-11-30T08:30Z (got "monday")',
                "x_test.yaml:4:74 cases[0].expect: has at most one of to, reject and drop (got to and drop)",
            ],
        ),
        (
            (
                "policy: x.yaml\ncases:\n"
                "  - {id: a, given: {from: carrier_x, number: '+44'}, expect: {rules: [to_c], reject: decide.no}}\n"
                "  - {id: a, given: {from: carrier_a, message: x, method: BYE}, expect: {headers: {A: {regx: b}}}}\n"
            ),
            [
                (
                    "x_test.yaml:4:20 cases[1].given: "
                    "method belongs to a request that is made up: it stands in the message already"
                ),
                'x_test.yaml:4:87 cases[1].expect.headers.A.regx: unknown key; did you mean "regex"?',
            ],
        ),
        (
            (
                "policy: x.yaml\ncases:\n"
                "  - {id: a, given: {from: carrier_x, number: '+44'}, expect: {rules: [to_c], header_rules: no}}\n"
                "  - {id: a, given: {from: carrier_a, number: '+44'}, expect: {drop: true}}\n"
            ),
            [
                (
                    'x_test.yaml:3:27 cases[0].given.from: unknown peer "carrier_x"; did you mean "carrier_b"? '
                    "(known: carrier_a, carrier_b)"
                ),
                (
                    'x_test.yaml:3:71 cases[0].expect.rules[0]: unknown rule "to_c"; did you mean "to_b"? '
                    "(known: office_hours, rest, to_b, to_us, unknown)"
                ),
                'x_test.yaml:3:92 cases[0].expect.header_rules: unknown header rule "no" (known: no_agent, one_server)',
                'x_test.yaml:4:10 cases[1].id: "a" stands twice (first in line 3)',
            ],
        ),
    ],
)
def test_a_file_with_faults_is_refused_with_all_of_them(
    text: str, faults: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Line, column, key and what is wrong, as for a configuration; exit status 2."""
    Path("x_test.yaml").write_text(text)
    monkeypatch.setattr("sys.argv", ["ibcf", "policy", "test", "x_test.yaml"])
    from ibcf.cli.main import main  # noqa: PLC0415 - the app above has no error handling of its own

    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    assert capsys.readouterr().err.splitlines() == faults


def test_a_policy_names_its_tests_and_a_folder_all_of_them(tmp_path: Path) -> None:
    """`x.yaml` means `x_test.yaml` beside it."""
    tried(f"{number(at=SUNDAY)}, expect: {{rules: rest}}")
    for argument in ("x.yaml", "."):
        assert CliRunner().invoke(app, ["policy", "test", argument]).exit_code == 0
    assert read("x.yaml").config.routes
    (tmp_path / "empty").mkdir()
    for argument in ("empty", "y.yaml"):
        assert CliRunner().invoke(app, ["policy", "test", argument]).exit_code == 2


HOOK_ROUTES = """\
routes:
  - id: ask
    hook: {call: "hooks.it:check", deadline: 5s, fallback: reject, tags: roamer}
  - {id: to_b, to: [{peer: carrier_b}]}
"""
HOOK = """\
from ibcf.hooks import Continue, Reject, SetHeader

async def check(request):
    if request.number == "+441632960083":
        return Continue(edits=[SetHeader("X-Real", request.peer)])
    return Reject()
"""


def hooked() -> None:
    """Give the policy a hook."""
    Path("hooks").mkdir()
    Path("hooks/it.py").write_text(HOOK)
    Path("x.yaml").write_text(sound(routes=HOOK_ROUTES, enum="enum: []\n"))


def test_a_hook_runs_unless_the_case_says_what_it_answers() -> None:
    """For real, its verdict and edits count; a stand-in of the case goes before one of the file."""
    hooked()
    call = 'given: {from: carrier_a, number: "+441632960083"'
    cases = [
        call + "}, expect: {to: carrier_b, headers: {X-Real: carrier_a}}",
        'given: {from: carrier_a, number: "+33"}, expect: {reject: decide.forbidden, rules: [ask]}',
        call + ", hooks: {ask: failed}}, expect: {reject: decide.hook_failed, status: 500}",
        call + ", hooks: {ask: continue}}, expect: {to: carrier_b, headers: {X-Real: {present: false}}}",
        call + ", hooks: {ask: {route: carrier_a, add: {X-A: b}}}}, expect: {to: carrier_a, headers: {X-A: b}}",
        call + ", hooks: {ask: {reject: {reason: decide.forbidden, status: 603}}}}, expect: {status: 603}",
        call + ", hooks: {ask: {tag: nobody_listed}}}, expect: {reject: decide.hook_failed}",
    ]
    result = tried(*cases)
    assert result.exit_code == 0, result.output
    assert "7 passed" in result.output


@pytest.mark.parametrize(
    ("hooks", "problem"),
    [
        ("{asks: continue}", 'unknown rule with a hook "asks"; did you mean "ask"? (known: ask)'),
        ("{ask: perhaps}", 'must be continue, failed or a mapping (got "perhaps")'),
        (
            "{ask: {failed: true, route: carrier_b}}",
            "has at most one of reject, route and failed (got route and failed)",
        ),
    ],
)
def test_a_stand_in_is_one_that_its_hook_could_give(hooks: str, problem: str) -> None:
    """Names are checked, and verdicts are those that a hook may have."""
    hooked()
    given = f'{{from: carrier_a, number: "+441632960083", hooks: {hooks}}}'
    result = tried(f"given: {given}, expect: {{to: carrier_b}}")
    assert problem in str(result.exception)
