"""Section `emergency`: numbers that mean an emergency service, as `urn:service:sos` does."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ibcf.config.match import NumberList
from ibcf.config.section import Section
from ibcf.config.values import Grammar, Id, OneOrMany, Unique

EmergencyNumber = Annotated[
    str, Grammar(r"\+?[0-9]{1,15}", 'a number as it is dialled, in quotes: "112", "+44112"', length_max=16)
]


class Emergency(Section):
    """Calls to these pass every limit and are never blocked; the matcher `emergency` holds for them."""

    numbers: Annotated[tuple[EmergencyNumber, ...], Unique, OneOrMany, Field(max_length=1_000)] = ()
    """As they are dialled, in a tel URI or as the user of a SIP URI."""
    lists: Annotated[tuple[Id | NumberList, ...], OneOrMany, Field(max_length=100)] = ()
    """Lists of global numbers, all of them or those of a class."""
