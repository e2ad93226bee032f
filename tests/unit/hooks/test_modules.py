"""What a rule calls is imported and looked at before the policy is in force."""

from pathlib import Path

import pytest

from ibcf.errors import ConfigError
from ibcf.hooks.modules import HOOKS_MAX, HookModules
from tests.unit.hooks.conftest import Configured

SOUND = "async def check(request):\n    return None\n"
COUNTED = (
    """\
import pathlib
log = pathlib.Path(__file__).with_suffix(".log")
log.write_text(log.read_text() + "x" if log.exists() else "x")
"""
    + SOUND
)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("def check(request):\n    pass\n", '"check" of {file} is no async function'),
        ("other = 1\n", 'module "hooks.it" ({file}) has no "check"'),
        (
            "async def check(request, more):\n    pass\n",
            "\"check(request, more)\" of {file} cannot be called with one request: missing a required argument: 'more'",
        ),
        ("raise ValueError('not\\ntoday')\n", 'cannot import "hooks.it": ValueError: not today ({file}:1)'),
        ("import no_such_thing\n", "cannot import \"hooks.it\": ModuleNotFoundError: No module named 'no_such_thing'"),
        ("async def check(:\n", 'cannot import "hooks.it": SyntaxError: invalid syntax (it.py, line 1)'),
        ("raise SystemExit(3)\n", 'cannot import "hooks.it": SystemExit: 3 ({file}:1)'),
    ],
)
def test_what_cannot_be_called_is_a_fault_with_its_place(configured: Configured, text: str, problem: str) -> None:
    """File, line and column are those of the call in the configuration; the text says what is wrong with the module."""
    loaded = configured("hooks.it:check", it=text)
    with pytest.raises(ConfigError) as caught:
        HookModules().load(loaded)
    file = Path("hooks/it.py").resolve()
    expected = problem.replace("{file}", str(file))
    place = f"{loaded.tree.file}:2:31 routes[0].hook.call"
    assert [str(fault) for fault in caught.value.faults] == [f"{place}: {expected}"]


def test_a_module_that_is_nowhere_is_a_fault(configured: Configured) -> None:
    """Neither below the folder of the configuration nor installed."""
    with pytest.raises(ConfigError, match=r'cannot import "nowhere\.at\.all": ModuleNotFoundError'):
        HookModules().load(configured("nowhere.at.all:check"))


def test_a_module_is_executed_once_until_somebody_asks_for_more(configured: Configured) -> None:
    """Two rules and a reload share it; a reload that was asked for takes what stands in the file now."""
    loaded = configured("hooks.it:check", "hooks.it:check", it=COUNTED)
    modules = HookModules()
    first = modules.load(loaded)["hooks.it:check"]
    assert modules.load(loaded)["hooks.it:check"] is first
    log = Path("hooks/it.log")
    assert log.read_text() == "x"
    again = modules.load(loaded, again=True)["hooks.it:check"]
    assert again is not first
    assert log.read_text() == "xx"
    assert modules.load(loaded)["hooks.it:check"] is again


def test_an_installed_module_serves_too(configured: Configured) -> None:
    """What stands in no file below the folder is imported by its name."""
    functions = HookModules().load(configured("tests.unit.hooks.installed:check"))
    assert functions["tests.unit.hooks.installed:check"].__module__ == "tests.unit.hooks.installed"


def test_there_are_not_more_hooks_than_threads(configured: Configured) -> None:
    """Each function has a thread, so their number is bounded."""
    loaded = configured(*["hooks.it:check"] * (HOOKS_MAX + 1), it=SOUND)
    with pytest.raises(ConfigError, match=rf"routes\[{HOOKS_MAX}\]\.hook: more than {HOOKS_MAX} rules with a hook"):
        HookModules().load(loaded)
