"""Numbers are hidden in one place (ENUM-52), for the lines of calls and all others."""

import pytest

from ibcf.observe.masking import mask_numbers


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("+441632960083", "+44163296xxxx"),
        ("tel:+441632960083", "tel:+44163296xxxx"),
        ("tel:+44-1632-960-083;ext=12", "tel:+44-1632-96x-xxx;ext=12"),
        ("sip:+441632960083@b.example;user=phone", "sip:+44163296xxxx@b.example;user=phone"),
        ("<sips:01632960083@b.example>", "<sips:0163296xxxx@b.example>"),
        ("sip:01632960083;npdi;rn=+441632960999@b.example", "sip:0163296xxxx;npdi;rn=+44163296xxxx@b.example"),
        ("TEL:01632960083;phone-context=+44", "TEL:0163296xxxx;phone-context=+44"),
        ("sip:01632960083;x=tel:01632960084@b.example", "sip:0163296xxxx;x=tel:0163296xxxx@b.example"),
        ("from +441632960083 to +33123456789", "from +44163296xxxx to +3312345xxxx"),
        ("3.8.0.0.6.9.2.3.6.1.4.4.e164.arpa", "x.x.x.x.6.9.2.3.6.1.4.4.e164.arpa"),
        ('"+441632960083" <sip:+441632960083@h>', '"+44163296xxxx" <sip:+44163296xxxx@h>'),
    ],
)
def test_last_four_digits_are_hidden(text: str, masked: str) -> None:
    """A number loses its last four digits wherever it stands, separators stay."""
    assert mask_numbers(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1:5060",
        "[::1]:5060",
        "sip:10.0.0.1:5060",
        "sip:alice@10.0.0.1:5060;lr",
        "2026-11-23T04:14:00.123Z",
        "tel:112",
        "gossip:01632960083@b.example",
        "sip:01632960083 <other@b.example>",
        "sip:999@b.example",
        "+4490",
        "v1.2.3.4 of 10.20.30.40",
        "a84b4c76e66710@pc33.example",
        "503 Service Unavailable",
        "",
    ],
)
def test_what_is_no_number_stays(text: str) -> None:
    """Addresses, ports, times, service numbers and names are left alone."""
    assert mask_numbers(text) == text


def test_a_text_that_is_not_unicode_is_masked_all_the_same() -> None:
    """What a file name may have in it costs a character of the line, and no exception."""
    assert mask_numbers("\udcff +441632960083").endswith(" +44163296xxxx")


def test_masking_twice_changes_nothing() -> None:
    """A masked text has nothing left to hide."""
    once = mask_numbers("sip:+441632960083@h")
    assert mask_numbers(once) == once
