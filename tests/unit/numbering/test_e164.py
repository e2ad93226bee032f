"""E.164 numbers and their domain names (ENUM-01 to ENUM-04)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibcf.errors import NumberingError
from ibcf.numbering.e164 import check_e164, enum_domain, is_e164, number_of_domain

numbers = st.from_regex(r"\+[0-9]{1,15}", fullmatch=True)


def test_digits_are_reversed_under_the_apex() -> None:
    """ENUM-02: the plus goes, the digits are reversed and dotted, the apex is appended."""
    assert enum_domain("+441632960083") == "3.8.0.0.6.9.2.3.6.1.4.4.e164.arpa"
    assert enum_domain("+441632960083", apex="E164enum.NET.") == "3.8.0.0.6.9.2.3.6.1.4.4.e164enum.net"


@given(numbers)
def test_domain_leads_back_to_its_number(number: str) -> None:
    """The inverse of the domain of any number is that number."""
    assert number_of_domain(enum_domain(number, apex="a.example"), apex="a.example") == number


@pytest.mark.parametrize(
    "text", ["", "+", "441632", "+44-1632", "+1234567890123456", "+44163x", "+٤٤", "+44\n", "++44", " +44"]
)
def test_anything_else_is_no_number(text: str) -> None:
    """ENUM-04, TEL-16: only plus and 1 to 15 ASCII digits may ever reach DNS."""
    assert not is_e164(text)
    with pytest.raises(NumberingError, match="not an E\\.164 number"):
        check_e164(text)
    with pytest.raises(NumberingError):
        enum_domain(text)


@pytest.mark.parametrize("domain", ["e164.arpa", "3.8.example", "38.e164.arpa", "3.x.e164.arpa", "3.8.e164.arpa.org"])
def test_a_name_that_is_no_number_is_refused(domain: str) -> None:
    """Names outside the apex, and labels that are not one digit, have no number."""
    with pytest.raises(NumberingError):
        number_of_domain(domain)
