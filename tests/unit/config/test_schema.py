from pathlib import Path

import msgspec
import pytest

from ibcf.config.schema import schema_text
from ibcf.policy.cases import PolicyTests

REPOSITORY = Path(__file__).parents[3]


def test_the_shipped_schema_is_that_of_the_models() -> None:
    """`ibcf.schema.json` is what `ibcf schema` prints: after a change of a model, print it again."""
    assert (REPOSITORY / "ibcf.schema.json").read_text(encoding="utf-8") == schema_text()


def test_the_shipped_schema_of_policy_tests_is_that_of_their_models() -> None:
    """`ibcf.test.schema.json` is what `ibcf schema --tests` prints."""
    assert (REPOSITORY / "ibcf.test.schema.json").read_text(encoding="utf-8") == schema_text(PolicyTests)


@pytest.mark.parametrize("path", sorted((REPOSITORY / "policies").glob("*.yaml")), ids=lambda path: path.name)
def test_every_shipped_policy_names_the_schema(path: Path) -> None:
    """An editor that opens a shipped policy finds the schema by its first line."""
    name = "ibcf.test.schema.json" if path.name.endswith("_test.yaml") else "ibcf.schema.json"
    assert path.read_text(encoding="utf-8").startswith(f"# yaml-language-server: $schema=../{name}\n")


def test_the_schema_shows_values_as_they_are_written() -> None:
    """Defaults carry their units, and a list may be a lone value."""
    definitions = msgspec.json.decode(schema_text())["$defs"]
    assert definitions["Timers"]["properties"]["c"]["default"] == "185s"
    assert definitions["Limits"]["properties"]["message_size_max"]["default"] == "64KiB"
    assert definitions["Admin"]["properties"]["address"]["default"] == "127.0.0.1:9090"
    methods = definitions["Agreement"]["properties"]["methods"]["anyOf"]
    assert [kind["type"] for kind in methods] == ["string", "array"]
    assert definitions["Secret"]["oneOf"] == [{"required": [name]} for name in ("file", "env", "generate")]
