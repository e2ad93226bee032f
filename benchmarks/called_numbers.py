"""The numbers that are called, and the ENUM zone in which they stand."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

APEX = "e164.arpa"
COUNT = 1_000
FIRST = 49_301_000_000
TTL_S = 300
NETWORKS = 7
SEED = 1

HEAD = f"""$ORIGIN {APEX}.
$TTL {TTL_S}
@ SOA ns.{APEX}. hostmaster.{APEX}. 1 3600 600 86400 60
@ NS ns
ns A 127.0.0.1
"""


def numbers() -> list[str]:
    """Return the numbers in the order in which they are called: shuffled, the same each time."""
    found = [f"+{FIRST + at}" for at in range(COUNT)]
    random.Random(SEED).shuffle(found)  # noqa: S311 - nobody has to guess it
    return found


def naptr(number: str) -> str:
    """Return the record of a number, which lives in one of seven networks.

    >>> naptr("+49301000001").split()[0]
    '1.0.0.0.0.0.1.0.3.9.4'
    """
    digits = number.removeprefix("+")
    name = ".".join(reversed(digits))
    uri = f"sip:+{digits}@peer{int(digits) % NETWORKS + 1}.example;user=phone"
    return f'{name} NAPTR 100 10 "u" "E2U+sip" "!^(.*)$!{uri}!" .'


def zone() -> str:
    """Return the whole zone."""
    return HEAD + "".join(f"{naptr(number)}\n" for number in sorted(numbers()))


def write_for_sipp(path: Path) -> Path:
    """Write the numbers as SIPp wants them, and return the path."""
    path.write_text("SEQUENTIAL\n" + "".join(f"{number};\n" for number in numbers()), encoding="ascii")
    return path


def write_plain(path: Path) -> Path:
    """Write one number a line, and return the path."""
    path.write_text("".join(f"{number}\n" for number in numbers()), encoding="ascii")
    return path
