from datetime import timedelta

import pytest

from ibcf.config.fault import Fault, unknown
from ibcf.config.values import HostPort, Size, parse_bind_address, parse_duration, parse_network, parse_size, written


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("500ms", timedelta(milliseconds=500)),
        ("1.5s", timedelta(milliseconds=1500)),
        ("5m", timedelta(minutes=5)),
        ("1h", timedelta(hours=1)),
        ("7d", timedelta(days=7)),
        ("0s", timedelta(0)),
    ],
)
def test_a_duration_is_a_number_and_a_unit(text: str, value: timedelta) -> None:
    """Each unit means what it says."""
    assert parse_duration(text) == value


@pytest.mark.parametrize("text", ["", "5", "s", "-5s", "5 s", "5S", "1h30m", "1e3s", "٣s", "4000d", "999999999999d"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    """Signs, blanks, several units, other digits and centuries are refused, not guessed at."""
    with pytest.raises(ValueError, match=r"duration|longer"):
        parse_duration(text)


@pytest.mark.parametrize(("text", "value"), [("0B", 0), ("512B", 512), ("64KiB", 65536), ("2GiB", 2**31)])
def test_a_size_is_a_number_and_a_unit(text: str, value: int) -> None:
    """A size is read in bytes and written as it was."""
    assert parse_size(text) == value
    assert written(parse_size(text)) == text


@pytest.mark.parametrize("text", ["64", "64kb", "64KB", "1.5KiB", "-1B", "KiB"])
def test_what_is_no_size_is_refused(text: str) -> None:
    """Only the units that mean one thing are taken."""
    with pytest.raises(ValueError, match="size"):
        parse_size(text)


@pytest.mark.parametrize("text", ["127.0.0.1:0", "[::1]:5060", "[2001:db8::1]:65535"])
def test_an_address_is_written_as_it_was_read(text: str) -> None:
    """IPv4 stands plain, IPv6 in brackets, both with a port."""
    assert str(parse_bind_address(text)) == text


@pytest.mark.parametrize(
    "text", ["[127.0.0.1]:1", "[fe80::1%eth0]:1", "127.0.0.1:", ":5060", "[]:1", "127.1:5060", "[::1]"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """Zones, shortened IPv4, missing parts and wrong brackets are refused."""
    with pytest.raises(ValueError, match=r"address|port|brackets"):
        parse_bind_address(text)


def test_a_network_may_be_one_address() -> None:
    """An address alone is a network of one."""
    assert str(parse_network("192.0.2.1")) == "192.0.2.1/32"
    assert str(parse_network("2001:db8::1")) == "2001:db8::1/128"


def test_a_fault_reads_as_editors_expect() -> None:
    """File, line and column come first, then the key, then the problem; without a key there is no empty place."""
    assert str(Fault("a.yaml", 3, 7, "x.y", "is wrong")) == "a.yaml:3:7 x.y: is wrong"
    assert str(Fault("a.yaml", 3, 7, "", "is wrong")) == "a.yaml:3:7: is wrong"


def test_a_long_list_of_known_names_is_cut() -> None:
    """With thousands of peers an unknown one still leads to one readable line."""
    problem = unknown("peer", "zzz", [f"peer_{number}" for number in range(5000)])
    assert problem.endswith("and 4988 more)")
    assert len(problem) < 250


def test_values_compare_by_what_they_mean() -> None:
    """Two ways to write one value are the same value."""
    assert parse_duration("60s") == parse_duration("1m")
    assert parse_bind_address("[::0001]:1") == parse_bind_address("[::1]:1")
    assert isinstance(parse_bind_address("[::1]:1"), HostPort)
    assert Size(1024) == parse_size("1KiB")
