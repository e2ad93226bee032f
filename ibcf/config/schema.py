"""The JSON Schema of the configuration, for editors and for `ibcf schema`."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from pydantic.json_schema import GenerateJsonSchema

from ibcf.config.configuration import Config
from ibcf.config.values import HostPort, Size, written

if TYPE_CHECKING:
    from pydantic import BaseModel


class _AsWritten(GenerateJsonSchema):
    """Shows defaults as they would stand in the file."""

    def encode_default(self, dft: Any) -> Any:
        if isinstance(dft, timedelta | Size | HostPort):
            return written(dft)
        return super().encode_default(dft)


def schema_text(model: type[BaseModel] = Config) -> str:
    """Return the schema of *model* as the text of `ibcf.schema.json` or another such file."""
    schema = model.model_json_schema(schema_generator=_AsWritten)
    document = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"
