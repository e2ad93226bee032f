from pathlib import Path

import pytest

from ibcf.config import loader, read_text
from ibcf.errors import ConfigError
from tests.unit.config.pairs import KEY, KEY_VARIABLE, Case, cases_in, completed

CASES = Path(__file__).parent / "cases"
REASONS = ("decide.forbidden", "decide.no_route", "decide.number_unknown")


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the cases a key in the environment, two key files, and a catalogue of reasons."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    monkeypatch.chdir(tmp_path)
    Path("good.key").write_text(f"{KEY}\n")
    Path("short.key").write_text("0011\n")
    monkeypatch.setattr(loader, "known_reasons", lambda: REASONS)


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=f"{path.stem}: {case.sentence}")
        for path in sorted(CASES.glob("*.txt"))
        for case in cases_in(path)
    ],
)
def test_each_configuration_leads_to_exactly_the_faults_below_it(case: Case) -> None:
    """What is said of the YAML above the dashes is what stands below them, all of it, in the order of the file."""
    try:
        read_text(completed(case.text), file="x.yaml")
        said: tuple[str, ...] = ()
    except ConfigError as error:
        said = tuple(str(fault).removeprefix("x.yaml:") for fault in error.faults)
    assert "\n".join(said) == "\n".join(case.said)
