"""A folder with a configuration and its hooks."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ibcf.boundary import HookQuestion
from ibcf.config import Loaded, read
from tests.unit.config.pairs import KEY, KEY_VARIABLE, sound

Configured = Callable[..., Loaded]

REST = "  - {id: all, to: [{peer: carrier_b}]}\n"


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configured:
    """Return a function that writes a configuration with a rule for each call, and the modules, and reads it."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    monkeypatch.chdir(tmp_path)

    def write(*calls: str, deadline: str = "500ms", more: str = "", **modules: str) -> Loaded:
        (tmp_path / "hooks").mkdir(exist_ok=True)
        for name, text in modules.items():
            (tmp_path / "hooks" / f"{name}.py").write_text(text)
        rules = [
            f"  - {{id: rule_{at}, hook: {{call: '{call}', deadline: {deadline}, fallback: continue{more}}}}}\n"
            for at, call in enumerate(calls)
        ]
        path = tmp_path / "ibcf.yaml"
        path.write_text(sound(routes=f"routes:\n{''.join(rules)}{REST}", enum="enum: []\n"))
        return read(path)

    return write


@pytest.fixture
def question() -> Callable[..., HookQuestion]:
    """Return a function that makes the question of a rule."""

    def make(call: str, rule: str = "rule_0") -> HookQuestion:
        return HookQuestion(
            rule=rule,
            call=call,
            peer="carrier_a",
            side="home",
            direction="exit",
            trusted=True,
            method="INVITE",
            request_uri="tel:+441632960083",
            number="+441632960083",
            calling="+441632960001",
            enum_outcome=None,
            enum_class=None,
            enum_candidates=(),
            unix_ms=1_000,
            message="INVITE tel:+441632960083 SIP/2.0\r\nVia: 1\r\nv: 2\r\ni: abc\r\n"
            "Subject: caf\xc3\xa9\r\n\r\nv=0\r\n\xff",
        )

    return make
