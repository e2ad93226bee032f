"""`ibcf schema`: the JSON Schemas of the files that people write, for editors."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ibcf.config.schema import schema_text
from ibcf.policy.cases import PolicyTests


def schema(
    *,
    tests: Annotated[bool, typer.Option("--tests", help="Of the tests beside a policy, NAME_test.yaml.")] = False,
) -> None:
    """Print the JSON Schema of the configuration (`ibcf.schema.json`), or of policy tests (`ibcf.test.schema.json`)."""
    sys.stdout.write(schema_text(PolicyTests) if tests else schema_text())
