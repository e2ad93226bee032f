"""What the pages on policies and hooks show is what the border loads."""

import re
from pathlib import Path

import pytest

from ibcf.config import read_text
from ibcf.config.match import Match
from ibcf.policy.compile import checked_snapshot
from tests.unit.config.pairs import KEY, KEY_VARIABLE, completed

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "policy.md").read_text()
HOOKS = (DOCS / "hooks.md").read_text()
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
HOOK_EXAMPLES = re.findall(r"```yaml\n(.*?)```", HOOKS, re.DOTALL)
(HOOK,) = re.findall(r"```python\n(.*?)```", HOOKS, re.DOTALL)


@pytest.mark.parametrize("example", [*EXAMPLES, *HOOK_EXAMPLES])
def test_every_example_loads(example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each block of YAML is a sound part of a configuration, to the core too."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    monkeypatch.chdir(tmp_path)
    Path("carriers.csv").write_text("prefix,class\n+4490,premium\n+8816,satellite\n+44,b\n")
    Path("blocked.csv").write_text("+441632960083\n")
    Path("hooks").mkdir()
    Path("hooks/roaming.py").write_text(HOOK)
    checked_snapshot(read_text(completed(example)))


def test_every_matcher_has_its_place_on_the_page() -> None:
    """None is left out: each stands in a table or in the text, and in an example."""
    matchers = {field.alias or name for name, field in Match.model_fields.items()}
    examples = "".join(EXAMPLES)
    assert {name for name in matchers if f"`{name}`" not in PAGE} == set()
    assert {name for name in matchers if not re.search(rf"\b{name}:", examples)} == set()
