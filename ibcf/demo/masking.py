"""Puts names in the place of what differs from run to run, so that two runs of the demonstration print the same."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_TOKEN = re.compile(r"(sips?:)[a-z0-9._-]{40,}@")
_PARAMETERS = ((re.compile(r";branch=[^;,>\s]+"), ";branch=BRANCH"), (re.compile(r";tag=[^;,>\s]+"), ";tag=TAG"))


@dataclass(frozen=True, slots=True)
class Mask:
    """Names for addresses; branches, tags and tokens are always masked."""

    names: Mapping[str, str]
    """`host:port` to the name that stands for it."""

    def __call__(self, text: str) -> str:
        """Return *text* for people.

        >>> Mask({"127.0.0.1:40001": "border"})("Via: SIP/2.0/UDP 127.0.0.1:40001;branch=z9hG4bKx1;rport")
        'Via: SIP/2.0/UDP border;branch=BRANCH;rport'
        """
        for address, name in self.names.items():
            text = re.sub(rf"(?<![0-9.]){re.escape(address)}(?!\d)", name, text)
            host, _, port = address.rpartition(":")
            text = text.replace(f";received={host}", ";received=HOST").replace(f";rport={port}", ";rport=PORT")
        for pattern, word in _PARAMETERS:
            text = pattern.sub(word, text)
        return _TOKEN.sub(r"\1TOKEN@", text)
