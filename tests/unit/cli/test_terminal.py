import io

import pytest
from rich.console import Console

from ibcf.cli.terminal import fault_line, visible


def test_what_could_play_tricks_with_a_terminal_is_spelt_out() -> None:
    """Control characters of both sets are shown as text; line ends and other scripts stay."""
    assert visible(b"a\x1b[2J\x07\r\nb\xc2\x9b\tc\x00") == "a\\x1b[2J\\x07\nb\\x9b\tc\\x00"
    assert visible("Bücher") == "Bücher"
    assert visible(b"\xff") == "\\xff"


@pytest.mark.parametrize(
    ("terminal", "no_color", "coloured"), [(True, False, True), (True, True, False), (False, False, False)]
)
def test_colour_is_for_terminals_that_want_it(
    monkeypatch: pytest.MonkeyPatch, *, terminal: bool, no_color: bool, coloured: bool
) -> None:
    """A fault is coloured on a terminal, and never with NO_COLOR or into a file."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    out = Console(file=io.StringIO(), force_terminal=terminal, soft_wrap=True, highlight=False)
    out.print(fault_line("x.yaml:1:2 key: is wrong", style="red"))
    assert isinstance(out.file, io.StringIO)
    assert ("\x1b[31m" in out.file.getvalue()) is coloured
    assert "x.yaml:1:2" in out.file.getvalue()
