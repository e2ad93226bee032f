from pathlib import Path

import pytest

from ibcf.config import loader, read, read_text
from ibcf.policy.lint import lint
from tests.unit.config.pairs import KEY, KEY_VARIABLE, Case, cases_in, completed

CASES = Path(__file__).parent / "cases" / "lint.txt"
DEMO = Path(__file__).parents[3] / "policies" / "demo.yaml"


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the cases a key in the environment and a zone that is none."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    monkeypatch.chdir(tmp_path)
    Path("broken.zone").write_text("$ORIGIN\n")
    monkeypatch.setattr(loader, "known_reasons", lambda: None)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.sentence) for case in cases_in(CASES)])
def test_each_policy_leads_to_exactly_the_warnings_below_it(case: Case) -> None:
    """What is said of the policy above the dashes is what stands below them, all of it, in the order of the file."""
    warnings = lint(read_text(completed(case.text), file="x.yaml"))
    said = [str(warning).removeprefix("x.yaml:") for warning in warnings]
    assert "\n".join(said) == "\n".join(case.said)


def test_the_demonstration_policy_has_one_oddity_and_says_so() -> None:
    """The shipped policy makes up its key, and nothing else about it is odd."""
    assert [warning.key for warning in lint(read(DEMO))] == ["keys[0].secret"]
