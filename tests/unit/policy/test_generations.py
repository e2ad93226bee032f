"""Generations of a configuration: what comes into force, what is refused, what can be gone back to."""

import os
from pathlib import Path

import pytest

from ibcf.config import read
from ibcf.errors import ConfigError, PolicyError
from ibcf.policy.file_watch import FileWatch, files_of
from ibcf.policy.generations import Generations
from tests.unit.config.pairs import KEY, KEY_VARIABLE, sound

ROUTES = """\
routes:
  - {id: no_premium, match: {number_prefix: "+4490"}, reject: {reason: decide.forbidden, status: 486}}
  - {id: all, to: [{peer: carrier_b}]}
"""
CASES = """\
policy: x.yaml
cases:
  - {id: premium, given: {from: carrier_a, number: "+44901"}, expect: {status: 486}}
"""


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the cases a key in the environment and a configuration."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    monkeypatch.chdir(tmp_path)
    write()


def write(routes: str = ROUTES, **sections: str) -> None:
    """Write the configuration."""
    Path("x.yaml").write_text(sound(routes=routes, enum="enum: []\n", **sections))


def begun() -> Generations:
    """Return generations with the first in force."""
    generations = Generations(Path("x.yaml"), check=lambda _snapshot: None)
    generations.accept(generations.read("start"))
    return generations


def test_cases_beside_the_file_have_to_pass_before_it_comes_into_force() -> None:
    """A failed case is a fault with its place; at the start, or when it is said so, nothing is tried."""
    Path("x_test.yaml").write_text(CASES)
    generations = begun()
    assert generations.current.cases is None
    assert generations.read("signal").cases == 1
    write(ROUTES.replace("486", "403"))
    with pytest.raises(ConfigError) as caught:
        generations.read("signal")
    refusal = generations.refuse("signal", caught.value)
    assert refusal.faults == (
        "x_test.yaml:3:80 cases[0].expect.status: must be answered 486; it was answered 403 (decide.forbidden)",
    )
    assert generations.status()["refused"]["cause"] == "signal"
    write(ROUTES.replace("486", "403"), reload="reload: {run_tests: false}\n")
    generations.accept(generations.read("file"))
    assert generations.status()["refused"] is None
    Path("x_test.yaml").write_text(CASES.replace("carrier_a", "carrier_x"))
    write(ROUTES)
    with pytest.raises(ConfigError, match='unknown peer "carrier_x"'):
        generations.read("signal")


def test_the_last_generations_are_kept_and_a_rollback_of_a_rollback_goes_forth_again() -> None:
    """So many as the configuration says; what is in force counts beside them."""
    generations = begun()
    for status in (487, 488, 489, 500):
        write(ROUTES.replace("486", str(status)), reload="reload: {generations_kept: 2}\n")
        generations.accept(generations.read("signal"))
    assert [one["generation"] for one in generations.status()["kept"]] == [4, 3]
    back = generations.back()
    assert (back.number, back.origin, back.config.routes[0].reject and back.config.routes[0].reject.status) == (
        6,
        4,
        489,
    )
    generations.accept(back)
    forth = generations.back()
    assert (forth.number, forth.origin) == (7, 5)
    generations.accept(forth)
    again = generations.back(6)
    assert (again.number, again.origin) == (8, 4), "a rollback names what it is as, however often"
    with pytest.raises(PolicyError, match=r"generation 3 is not kept \(kept: 5, 6\)"):
        generations.back(3)


def test_the_first_generation_has_nothing_to_go_back_to() -> None:
    """And says so."""
    with pytest.raises(PolicyError, match=r"is not kept \(kept: none\)"):
        begun().back()


def test_a_configuration_is_made_of_all_the_files_that_it_names() -> None:
    """Lists, zones, certificates, keys in files, cases; the folder of records is none, which the border makes later."""
    sections = {
        "lists": "lists:\n  - {id: a, file: a.csv}\n",
        "keys": "keys:\n  - {id: 1, secret: {file: key}}\n",
    }
    Path("key").write_text(f"{KEY}\n")
    Path("a.csv").write_text("+44\n")
    write(**sections)
    files = files_of(Path("x.yaml"), read("x.yaml").config)
    assert [file.name for file in files] == ["x.yaml", "x_test.yaml", "key", "a.csv"]


class EnoughError(Exception):
    """Ends a watch."""


def config_map() -> None:
    """Make a folder as Kubernetes mounts it, and another one to be swapped for it."""
    for name in ("first", "second"):
        Path(name).mkdir()
        Path(name, "x.yaml").write_text(sound(reload="reload: {on_change: true}\n", enum="enum: []\n", routes=ROUTES))
    Path("..data").symlink_to("first")


async def test_a_change_is_told_once_it_lasts_and_a_swapped_link_is_one() -> None:
    """Two looks in a row must find the same, so that half a file is not read; a ConfigMap's swap of links is seen."""
    config_map()
    config = read("..data/x.yaml").config
    told: list[int] = []
    looks = 0

    def change() -> None:
        match looks:
            case 2:  # as kubelet does
                Path("..new").symlink_to("second")
                Path("..new").replace("..data")
            case 6 | 7:  # somebody is writing
                Path("second/x.yaml").write_text("#" * looks)

    async def pause(_seconds: float) -> None:
        nonlocal looks
        looks += 1
        change()
        if looks == 12:
            raise EnoughError

    async def changed() -> None:
        told.append(looks)

    watch = FileWatch(Path("..data/x.yaml"), config=lambda: config, changed=changed, pause=pause)
    with pytest.raises(EnoughError):
        await watch.run()
    assert told == [3, 8]


async def test_nothing_is_told_where_nobody_asked_for_it() -> None:
    """Without `on_change` a change waits for a signal; asked for later, only later changes count."""
    config = read("x.yaml").config
    looks = 0

    async def pause(_seconds: float) -> None:
        nonlocal looks
        looks += 1
        os.utime("x.yaml", ns=(looks, looks))
        if looks == 5:
            raise EnoughError

    async def changed() -> None:
        pytest.fail("told")

    with pytest.raises(EnoughError):
        await FileWatch(Path("x.yaml"), config=lambda: config, changed=changed, pause=pause).run()
