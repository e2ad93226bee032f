"""The verbs of the rig, as far as nothing is measured."""

from pathlib import Path

import pytest

from benchmarks import cli, peers
from benchmarks.errors import MissingError
from benchmarks.results import Run, read


def call(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """Run a verb and return its exit status."""
    monkeypatch.setattr("sys.argv", ["benchmarks", *words])
    monkeypatch.setattr("signal.signal", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    code = ended.value.code
    assert isinstance(code, int)
    return code


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("run", "nothing"), 'no peer "nothing" (known: direct, forwarder,'),
        (("run", "ibcf:L9"), '"L9" is neither a level'),
        (("limit", "forwarder:L2"), "forwarder has no level 2"),
        (("all", "--part", "sound"), 'no part "sound" (known: limit,'),
    ],
)
def test_what_is_misspelt_is_one_line_and_nothing_is_measured(
    words: tuple[str, ...],
    problem: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A peer, a level or a part that does not exist ends with status 1 before the first run."""
    out = tmp_path / "results.jsonl"
    assert call(monkeypatch, *words, "--out", str(out)) == 1
    said = capsys.readouterr().err
    assert problem in said
    assert "Traceback" not in said
    assert not out.exists()


def test_what_is_not_installed_is_left_out_and_on_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other peers are measured all the same, and the table can name what was missing."""

    def launch(*_: object) -> None:
        raise MissingError("kamailio is not installed: apt-get install kamailio")

    row = peers.Peer("Kamailio", launch, record_routes=1)  # type: ignore[arg-type]
    monkeypatch.setitem(peers.PEERS, "kamailio", row)
    out = tmp_path / "results.jsonl"
    assert call(monkeypatch, "run", "kamailio:L1", "--wait", "0", "--out", str(out)) == 0
    [run] = [record for record in read(out) if isinstance(record, Run)]
    assert (run.verdict, run.problem.partition(":")[0]) == ("missing", "kamailio is not installed")
