"""Section `keys`: the keys that seal Record-Route tokens; the first seals, all open.

A secret never stands in the file itself. It is read when the configuration is loaded and again with each reload.
"""

from __future__ import annotations

import functools
import os
import re
import secrets
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from ibcf.config.section import Section, exactly_one, one_of_schema
from ibcf.config.values import FilePath

_HEXADECIMAL = re.compile(r"[0-9A-Fa-f]{64}")
_SECRET_CHARACTERS_MAX = 4096


class Secret(Section):
    """Where 32 bytes in hexadecimal come from."""

    model_config = ConfigDict(json_schema_extra=one_of_schema("file", "env", "generate"))

    file: FilePath | None = None
    """A file that holds them."""
    env: Annotated[str, Field(min_length=1)] | None = None
    """An environment variable that holds them."""
    generate: Literal[True] | None = None
    """Made up at start: dialogs do not survive a restart, and no other node can serve them. For demonstrations."""

    @model_validator(mode="after")
    def check_readable(self) -> Self:
        """Refuse a secret that is not there now."""
        exactly_one(self, "file", "env", "generate")
        self.read()
        return self

    def read(self) -> str:
        """Return the 64 hexadecimal digits.

        Raises:
            ValueError: there is no such file or variable, or it holds something else.
        """
        if self.file is not None:
            try:
                with self.file.open(encoding="ascii") as stream:
                    text = stream.read(_SECRET_CHARACTERS_MAX)
            except OSError as error:
                reason = (error.strerror or str(error)).lower()
                raise ValueError(f"secret file {self.file} cannot be read: {reason}") from error
            except UnicodeDecodeError as error:
                raise ValueError(f"secret file {self.file} must hold 64 hexadecimal digits") from error
            place = f"secret file {self.file}"
        elif self.env is not None:
            place = f"environment variable {self.env}"
            if self.env not in os.environ:
                raise ValueError(f"{place} is not set")
            text = os.environ[self.env]
        else:
            return _generated()
        if not _HEXADECIMAL.fullmatch(text.strip()):
            raise ValueError(f"{place} must hold 64 hexadecimal digits: make them with `openssl rand -hex 32`")
        return text.strip().lower()


@functools.cache
def _generated() -> str:
    """One for the life of the process: a reload must not cut off the dialogs that are up."""
    return secrets.token_hex(32)


class Key(Section):
    """A key of the ring."""

    id: Annotated[int, Field(ge=0, le=255)]
    """Stands in the token, so that keys can overlap: a new one in front, the old one until its dialogs are over."""
    secret: Secret
    """Where the key comes from."""
