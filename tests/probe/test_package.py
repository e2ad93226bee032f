"""The package of the user agent."""

import re
import tomllib
from pathlib import Path

from tests.system.support.border import REPOSITORY

REQUIREMENTS = Path(__file__).parent / "requirements.txt"


def test_extra_and_hashes_name_the_same_version() -> None:
    """What `ibcf[probe]` asks for is the version whose hashes .ci/run checks."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    [extra] = project["optional-dependencies"]["probe"]
    [pinned] = re.findall(r"^\S+==\S+", REQUIREMENTS.read_text(), re.MULTILINE)
    assert extra.partition(";")[0] == pinned
