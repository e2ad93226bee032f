"""Records out of a zone file that may change, break, or be missing."""

import os
from pathlib import Path

from ibcf.dns.records import Class
from ibcf.numbering.sources import ZoneSource


class Clock:
    """A clock that stands still until told."""

    def __init__(self) -> None:
        """Begin at nought."""
        self.now = 0.0

    def __call__(self) -> float:
        """Read it."""
        return self.now


ZONE = '$ORIGIN e164.arpa.\n$TTL 300\n1 NAPTR 1 1 "u" "E2U+sip" "!^.*$!sip:{user}@b.example!" .\n'


async def test_missing_zone_file_is_an_answer_and_may_come_later(tmp_path: Path) -> None:
    """A zone file that is not there fails look-ups with `ZONE_MISSING`; once it is there they go on."""
    clock, path = Clock(), tmp_path / "demo.zone"
    source = ZoneSource(path, clock=clock)
    missing = await source.naptr("1.e164.arpa")
    assert missing.class_ is Class.ZONE_MISSING
    assert "demo.zone" in missing.detail
    path.write_text(ZONE.format(user="a"))
    assert (await source.naptr("1.e164.arpa")).class_ is Class.ZONE_MISSING, "the disk is asked once a second"
    clock.now = 1.0
    assert (await source.naptr("1.e164.arpa")).class_ is Class.FOUND
    await source.close()


async def test_changed_zone_file_is_read_again(tmp_path: Path) -> None:
    """A new version of the file is in use a second later, without a reload of the border."""
    clock, path = Clock(), tmp_path / "demo.zone"
    path.write_text(ZONE.format(user="a"))
    source = ZoneSource(path, clock=clock)
    assert "sip:a@" in (await source.naptr("1.e164.arpa")).records[0].regexp
    path.write_text(ZONE.format(user="bb"))
    clock.now = 2.0
    assert "sip:bb@" in (await source.naptr("1.e164.arpa")).records[0].regexp


async def test_broken_zone_file_leaves_the_old_one_serving(tmp_path: Path) -> None:
    """A new version with a fault, or none at all, changes nothing for the calls."""
    clock, path = Clock(), tmp_path / "demo.zone"
    path.write_text(ZONE.format(user="a"))
    source = ZoneSource(path, clock=clock)
    assert (await source.naptr("1.e164.arpa")).class_ is Class.FOUND
    path.write_text("x NAPTR")
    clock.now = 1.0
    assert (await source.naptr("1.e164.arpa")).class_ is Class.FOUND
    path.unlink()
    clock.now = 2.0
    assert (await source.naptr("1.e164.arpa")).class_ is Class.FOUND


async def test_broken_zone_file_at_start_is_named(tmp_path: Path) -> None:
    """A zone file with a fault fails look-ups with `ZONE_INVALID`, and the words name file and line."""
    path = tmp_path / "demo.zone"
    path.write_text("x NAPTR\n")
    answer = await ZoneSource(path).naptr("1.e164.arpa")
    assert answer.class_ is Class.ZONE_INVALID
    assert "demo.zone:1:" in answer.detail


async def test_unreadable_zone_file_counts_as_missing(tmp_path: Path) -> None:
    """A zone file that is a folder, or no text, is missing, not a crash."""
    assert (await ZoneSource(tmp_path).naptr("1.e164.arpa")).class_ is Class.ZONE_MISSING
    path = tmp_path / "binary.zone"
    path.write_bytes(b"\xff\xfe" + os.urandom(10))
    assert (await ZoneSource(path).naptr("1.e164.arpa")).class_ is Class.ZONE_MISSING
