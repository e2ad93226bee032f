"""The static zone file (RFC 1035 §5.1)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibcf.dns.records import Class, Naptr
from ibcf.errors import NumberingError
from ibcf.numbering.zone import parse_zone

HEAD = "$ORIGIN e164.arpa.\n$TTL 300\n"
WHOLE = r"""
; carriers
$ORIGIN e164.arpa.
$TTL 1h
@       IN SOA ns.example. host.example. ( 1 2 3   ; serial
                4 5 )
        NS ns.example.
4.3.2.1 60 IN NAPTR 100 10 "u" "E2U+sip" "!^(.*)$!sip:\\1@b.example;x=\"a;b\"!" .  ; first
        IN 1m30s NAPTR ( 100 20
            "u" "E2U+sip"
            "!^.*$!sip:\065@b.example!" . )
9.9     NAPTR 1 1 "" "" "" 4.3.2.1
*.8     NAPTR 1 1 "u" "E2U+sip" "!^.*$!sip:w@b.example!" .
"""


def test_whole_grammar_is_read() -> None:
    """Origin, TTL forms, comments, parentheses, quotes, escapes, omitted owner and class all mean what they should."""
    zone = parse_zone(WHOLE)
    assert zone.lookup("4.3.2.1.E164.ARPA.").records == (
        Naptr(100, 10, "u", "E2U+sip", '!^(.*)$!sip:\\1@b.example;x="a;b"!', "", 60),
        Naptr(100, 20, "u", "E2U+sip", "!^.*$!sip:A@b.example!", "", 90),
    )
    assert zone.lookup("9.9.e164.arpa").records == (Naptr(1, 1, "", "", "", "4.3.2.1.e164.arpa", 3600),)


def test_answers_are_those_of_an_authoritative_server() -> None:
    """No such name, a name without records, and a wildcard are told apart (RFC 1034 §4.3.3)."""
    zone = parse_zone(WHOLE)
    assert zone.lookup("7.7.e164.arpa").class_ is Class.NXDOMAIN
    assert zone.lookup("3.2.1.e164.arpa").class_ is Class.NODATA, "an empty name between others exists"
    assert zone.lookup("e164.arpa").class_ is Class.NODATA
    assert zone.lookup("1.2.8.e164.arpa").class_ is Class.FOUND
    assert zone.lookup("1.9.9.e164.arpa").class_ is Class.NXDOMAIN
    assert zone.lookup("elsewhere").class_ is Class.NXDOMAIN


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("x NAPTR", "a NAPTR record has 6 fields, not 0"),
        ('x NAPTR 1 1 "u" "E2U+sip" "!a!b!"', "a NAPTR record has 6 fields, not 5"),
        ('x NAPTR 70000 1 "u" "" "" .', "70000 is no number from 0 to 65535"),
        ('x NAPTR 1 -1 "u" "" "" .', "-1 is no number"),
        ('x NAPTR 1 1 "u" "E2U+sip" "!a!b .', "a string without its closing quote"),
        ('x NAPTR 1 1 "u" "E2U+sip" "!^(.*)$!sip:\\1@x!" .', "a backslash of the expression stands doubled"),
        ('x NAPTR 1 1 "u" "E2U+sip" "\\999" .', "no octet"),
        ('x NAPTR ( 1 1 "u" "" "" .', "an opening parenthesis without its closing one"),
        ('x NAPTR 1 1 "u" "" "" . )', "a closing parenthesis without its opening one"),
        ("x CNAME y", "CNAME is not a type"),
        ("x 300 IN", "a record without a type"),
        ("x 1/2 y", "no type: 1/2"),
        ("$INCLUDE other", "$INCLUDE is not supported"),
        ("$TTL", "$TTL is not supported"),
        ("$TTL soon", "soon is no time"),
        ("x\\", "a backslash at the end"),
        ('x NAPTR 1 1 "u" "s" "' + "a" * 256 + '" .', "at most 255"),
    ],
)
def test_a_fault_is_named_with_its_line(text: str, fault: str) -> None:
    """Whatever is wrong, the error says file, line and what."""
    with pytest.raises(NumberingError) as caught:
        parse_zone(HEAD + text + "\n", source="demo.zone")
    assert str(caught.value).startswith("demo.zone:3: ")
    assert fault in str(caught.value)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('x NAPTR 1 1 "u" "" "" .', "x is relative, but there is no $ORIGIN"),
        ('  NAPTR 1 1 "u" "" "" .', "the first record names no owner"),
        ('x. NAPTR 1 1 "u" "" "" .', "no TTL"),
    ],
)
def test_what_a_record_leaves_out_must_be_known(text: str, fault: str) -> None:
    """Owner, origin and TTL come from somewhere above, or the record is a fault."""
    with pytest.raises(NumberingError, match=fault.replace("$", "\\$")):
        parse_zone(text)


def test_ttl_of_the_record_before_counts_without_a_default() -> None:
    """RFC 1035: an omitted TTL is the last one stated."""
    zone = parse_zone('x. 7 NAPTR 1 1 "u" "" "" .\ny. NAPTR 1 1 "u" "" "" .\n')
    assert zone.lookup("y").records[0].ttl_s == 7


@given(st.text(alphabet='x.()"; \n\\$1NAPTR@', max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    """Any text is a zone or a fault of ours, never another error."""
    try:
        parse_zone(HEAD + text)
    except NumberingError:
        return
