import pytest

from ibcf.config import loader
from tests.unit.config.pairs import KEY, KEY_VARIABLE


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give configurations their key and a catalogue of reasons."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    monkeypatch.setattr(loader, "known_reasons", lambda: ("decide.number_unknown",))
