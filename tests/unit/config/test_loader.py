import builtins
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ibcf.config import Config, load, loader, read, read_text
from ibcf.config.references import known_reasons
from ibcf.errors import ConfigError
from tests.unit.config.pairs import KEY, KEY_VARIABLE, sound

DEMO = Path(__file__).parents[3] / "policies" / "demo.yaml"


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the configuration its key, and leave the catalogue of reasons out."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    monkeypatch.setattr(loader, "known_reasons", lambda: None)


def faults(text: str, **overrides: object) -> list[str]:
    """Return what is said of *text*."""
    with pytest.raises(ConfigError) as caught:
        read_text(text, file="x", **overrides)  # type: ignore[arg-type]
    return [str(fault) for fault in caught.value.faults]


def test_the_demonstration_policy_is_sound() -> None:
    """The shipped policy loads, from wherever it is started."""
    config = load(DEMO)
    assert [peer.id for peer in config.peers] == ["carrier_a", "carrier_b", "carrier_c"]
    assert config.enum[0].zone_file == DEMO.parent / "demo.zone"
    assert config.charging.directory == DEMO.parent / "../cdr"


def test_defaults_are_those_of_the_standards() -> None:
    """What a file leaves out is as RFC 3261, TS 29.165 table 6.3.1 and SEC-10 say."""
    config = read_text(sound()).config
    assert config.timers.t1 == timedelta(milliseconds=500)
    assert config.timers.c == timedelta(seconds=185)
    assert (config.limits.headers_max, int(config.limits.message_size_max)) == (200, 65_536)
    assert (config.unknown_source.reply, config.logs.numbers) == ("reject", "masked")


def test_nothing_of_a_configuration_can_be_changed() -> None:
    """Sections are frozen, and their lists are tuples."""
    config = read_text(sound()).config
    with pytest.raises(ValueError, match="frozen"):
        config.peers[0].side = "peer"  # type: ignore[misc]
    assert isinstance(config.peers, tuple)
    assert isinstance(config, Config)


def test_five_faults_of_five_kinds_are_told_in_one_run() -> None:
    """A misspelt key, a unit, a port, a network and an unknown id are five lines, in the order of the file."""
    text = sound(
        node="node: {name: ibcf-1, domain: ibcf.a.example, worker: 2}\n",
        timers="timers: {t1: 500 parsecs}\n",
        listeners='listeners:\n  - {id: home_udp, side: home, transport: udp, address: "127.0.0.1:70000"}\n',
        peers="peers:\n  - {id: a, side: home, agreement: own, listeners: home_udp, sources: 127.0.0.2/33}\n",
        routes="routes:\n  - {id: all, to: [{peer: b}]}\n",
    )
    assert [line.split(":")[1] for line in faults(text)] == ["1", "2", "4", "6", "8"]


def test_overrides_replace_values_by_the_ids_on_their_way() -> None:
    """Single values are set before anything is checked, in lists by id, and sections that are not there are added."""
    overrides: dict[str, object] = {
        "listeners.home_udp.address": "127.0.0.1:0",
        "peers.carrier_b.targets.b1.address": "127.0.0.3:5999",
        "peers.carrier_b.sources": ["127.0.0.33", "127.0.0.34"],
        "admin.address": "127.0.0.1:0",
        "limits.headers_max": 50,
        "peers.carrier_a.timers": {"t1": "200ms"},
    }
    config = read_text(sound(), overrides=overrides).config
    assert str(config.listeners[0].address) == "127.0.0.1:0"
    assert str(config.peers[1].targets[0].address) == "127.0.0.3:5999"
    assert [str(source) for source in config.peers[1].sources] == ["127.0.0.33/32", "127.0.0.34/32"]
    assert (config.admin.address.port, config.limits.headers_max) == (0, 50)
    assert config.peers[0].timers is not None


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ({"listeners.home.address": "127.0.0.1:0"}, 'override: unknown id "home"; did you mean "home_udp"?'),
        ({"version.x": 1}, "override: names nothing that has keys"),
        ({"listeners.home_udp.address": "here"}, "must be an IP address and a port"),
        ({"listenrs.home_udp.address": "127.0.0.1:0"}, "listenrs: unknown key"),
    ],
)
def test_a_wrong_override_is_a_fault(override: dict[str, object], problem: str) -> None:
    """An override that names nothing, or sets what cannot be, is told like any fault."""
    assert problem in faults(sound(), overrides=override)[0]


def test_relative_paths_start_at_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key beside the configuration is found from any working directory."""
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "token.key").write_text(KEY)
    path = tmp_path / "policies" / "x.yaml"
    path.write_text(sound(keys="keys:\n  - {id: 1, secret: {file: token.key}}\n"))
    monkeypatch.chdir(tmp_path)
    assert read(path).config.keys[0].secret.read() == KEY


def test_a_key_made_up_stays_for_the_life_of_the_process() -> None:
    """A reload does not cut off the dialogs whose tokens the made-up key sealed."""
    text = sound(keys="keys:\n  - {id: 1, secret: {generate: true}}\n")
    first, second = (read_text(text).config.keys[0].secret.read() for _ in range(2))
    assert first == second
    assert len(first) == 64


def test_a_secret_shows_nowhere() -> None:
    """Neither the text of a configuration nor its dump holds the key."""
    config = read_text(sound()).config
    assert KEY not in repr(config)
    assert KEY not in str(config.model_dump())


def test_without_the_compiled_core_all_but_the_reasons_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing build does not keep a configuration from being loaded."""
    original: Callable[..., Any] = builtins.__import__

    def without_core(name: str, *arguments: Any, **keywords: Any) -> Any:
        if name == "ibcf" and "_core" in (arguments[2] or ()):
            raise ImportError(name)
        return original(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", without_core)
    assert known_reasons() is None
    text = sound(routes="routes:\n  - {id: all, reject: {reason: no.such}}\n")
    assert read_text(text).config.routes[0].reject is not None
