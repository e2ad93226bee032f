"""Programs and packages that a test needs and a machine may lack."""

import os
from typing import NoReturn

import pytest


def missing(part: str, remedy: str) -> NoReturn:
    """Skip for want of a part; where the parts are promised (IBCF_REQUIRE_PARTS=1) that is a failure."""
    text = f"{part} is not at hand: {remedy}"
    if os.environ.get("IBCF_REQUIRE_PARTS") == "1":
        pytest.fail(text)
    pytest.skip(text)
