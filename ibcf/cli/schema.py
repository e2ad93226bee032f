"""`ibcf schema`: the JSON Schema of the configuration, for editors."""

from __future__ import annotations

import sys

from ibcf.config.schema import schema_text


def schema() -> None:
    """Print the JSON Schema of the configuration; `ibcf.schema.json` is its output."""
    sys.stdout.write(schema_text())
