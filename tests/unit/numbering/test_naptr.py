"""NAPTR rules (ENUM-10 to ENUM-19) and substitution expressions (RX-01 to RX-20)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibcf.dns.records import Naptr
from ibcf.errors import NumberingError
from ibcf.numbering.ere import EreError
from ibcf.numbering.naptr import Judgement, Rules, Skip, in_order, judge, parse_substitution, wanted_services

NUMBER = "+441632960083"
RULES = Rules(services=("sip", "pstn:sip", "pstn:tel", "voice:tel"))
URI = "!^.*$!sip:a@b.example!"


def record(
    flags: str = "u", service: str = "E2U+sip", regexp: str = URI, replacement: str = "", order: int = 1, pref: int = 1
) -> Naptr:
    """Make a record."""
    return Naptr(order, pref, flags, service, regexp, replacement, 60)


def judged(regexp: str, *, service: str = "E2U+sip", rules: Rules = RULES) -> Judgement:
    """Judge an expression for the number."""
    return judge(record(service=service, regexp=regexp), NUMBER, rules)


@pytest.mark.parametrize(
    ("regexp", "uri"),
    [
        pytest.param(r"!^.*$!sip:info@example.com!", "sip:info@example.com", id="RX-01"),
        pytest.param(
            r"!^(.*)$!sip:\1@ims.mnc015.mcc234.3gppnetwork.org;user=phone!",
            "sip:+441632960083@ims.mnc015.mcc234.3gppnetwork.org;user=phone",
            id="RX-02",
        ),
        pytest.param(
            r"!^\+44(.*)$!sip:0\1@gw.example.net;user=phone!", "sip:01632960083@gw.example.net;user=phone", id="RX-03"
        ),
        pytest.param(r"!^[+]*(.*)$!sip:\1@os2.example.net!", "sip:441632960083@os2.example.net", id="RX-04"),
        pytest.param(r"/^(.*)$/sip:\1@a.example;x=a\/b/", "sip:+441632960083@a.example;x=a/b", id="RX-05"),
        pytest.param(r",^\+44([0-9]{4})([0-9]+)$,sip:\2@z\1.example.net,", "sip:960083@z1632.example.net", id="RX-06"),
        pytest.param(r"!^.*$!SIP:Ops@Example.NET!i", "SIP:Ops@Example.NET", id="RX-08"),
        pytest.param(r"!^(\+4|\+44)(1?)(.*)$!sip:\3@x.example!", "sip:41632960083@x.example", id="RX-18"),
        pytest.param(r"x^(.*)$xsip:\1@e\xample.netx", "sip:+441632960083@example.net", id="letter-delimiter"),
        pytest.param(r"!^(.*)(z)?$!sip:\1\2@x.example!", "sip:+441632960083@x.example", id="group-without-a-part"),
        pytest.param(r"!^.*$!sips:a@[2001:db8::1]:5061;lr!", "sips:a@[2001:db8::1]:5061;lr", id="ipv6"),
    ],
)
def test_expression_gives_the_uri(regexp: str, uri: str) -> None:
    """An expression that a zone may hold gives exactly the URI of the table."""
    assert judged(regexp).uri == uri


def test_expression_gives_a_tel_uri_with_routing_number() -> None:
    """RX-07: pstn:tel leads to a tel URI that keeps npdi and rn."""
    result = judged(r"!^(\+44)(.*)$!tel:\1\2;npdi;rn=+441632960999!", service="E2U+pstn:tel")
    assert result.uri == "tel:+441632960083;npdi;rn=+441632960999"


@pytest.mark.parametrize(
    ("regexp", "skip", "words"),
    [
        pytest.param(r"!^.*$!sip:a@b.example!x", Skip.REGEXP, 'unknown flag "x"', id="RX-09"),
        pytest.param(r"!^.*$!sip:a@b.example!1", Skip.REGEXP, 'unknown flag "1"', id="RX-09-digit"),
        pytest.param(r"!^.*$!sip:a@b.example", Skip.REGEXP, "instead of three", id="RX-10"),
        pytest.param(r"!^.*$!sip:a@b!.example!i", Skip.REGEXP, "instead of three", id="RX-10-more"),
        pytest.param(r"!^(.*)$!sip:\2@x.example!", Skip.REGEXP, r"back-reference \2", id="RX-11"),
        pytest.param(r"!^(.*)$!sip:\0@x.example!", Skip.REGEXP, r"back-reference \0", id="RX-11-nought"),
        pytest.param(r"1^.*$1sip:a@b.example1", Skip.REGEXP, "delimiter", id="RX-12"),
        pytest.param(r"0^.*$0sip:a@b.example0", Skip.REGEXP, "delimiter", id="RX-12-nought"),
        pytest.param(r"i^.*$isip:a@bi", Skip.REGEXP, "delimiter", id="RX-12-i"),
        pytest.param("\\^.*$\\sip:a@b\\", Skip.REGEXP, "delimiter", id="RX-12-backslash"),
        pytest.param(r"!^\+33(.*)$!sip:\1@fr.example!", Skip.NO_MATCH, "does not match", id="RX-13"),
        pytest.param(r"!441632!sip:x@y.example!", Skip.URI, "no scheme", id="RX-14"),
        pytest.param(r"!^+44(.*)$!sip:\1@x.example!", Skip.REGEXP, "nothing to repeat", id="RX-15"),
        pytest.param(r"!^(.*)$!\1@x.example!", Skip.URI, "no scheme", id="RX-16"),
        pytest.param(r"!^\+44(\d+)$!sip:\1@x.example!", Skip.REGEXP, "not POSIX", id="RX-17"),
        pytest.param(r"!^((((\+?[0-9]*)*)*)*)*X$!sip:a@b!", Skip.NO_MATCH, "does not match", id="RX-19"),
        pytest.param("!^.*$!sip:a b@c!", Skip.URI, "blank", id="RX-20-blank"),
        pytest.param("!^.*$!sip:a@b\r\nX-Evil: 1!", Skip.URI, "control", id="RX-20-line-end"),
        pytest.param("!^.*$!sip:a@b\0!", Skip.REGEXP, "ASCII", id="RX-20-nul"),
        pytest.param("!^.*$!sip:ä@b!", Skip.REGEXP, "ASCII", id="RX-20-non-ascii"),
        pytest.param("!^.*$!sip:a@b?Route=%3Csip:evil%3E!", Skip.URI, "headers", id="RX-20-headers"),
        pytest.param("!^.*$!sip:a@b?x=y@z!", Skip.URI, "not a SIP URI", id="RX-20-headers-with-at"),
        pytest.param("!^.*$!sip:a@!", Skip.URI, "not a SIP URI", id="no-host"),
        pytest.param("!!sip:a@b!", Skip.REGEXP, "empty", id="empty-expression"),
        pytest.param("", Skip.REGEXP, "needs a regexp", id="ENUM-18-empty"),
    ],
)
def test_record_is_skipped_and_the_words_say_why(regexp: str, skip: Skip, words: str) -> None:
    """A record that cannot be used is skipped with the field that is to blame."""
    result = judged(regexp)
    assert (result.uri, result.skip) == (None, skip)
    assert words in result.detail


def test_lenient_rules_accept_two_classic_slips() -> None:
    """RX-15, RX-17: an operator may have misplaced plus signs and backslash d read as meant."""
    rules = Rules(services=("sip",), lenient=True)
    assert judged(r"!^+44(\d+)$!sip:\1@x.example!", rules=rules).uri == "sip:1632960083@x.example"


def test_long_result_is_refused() -> None:
    """A replacement that blows the number up beyond any URI is refused."""
    assert judged("!^(.*)$!sip:" + r"\1" * 110 + "@x.example!").skip is Skip.URI


@pytest.mark.parametrize("flags", ["s", "a", "p", "nU", "ux", " u", "1"])
def test_flags_are_judged_first(flags: str) -> None:
    """ENUM-10: a stray flag costs the record whatever its other fields hold."""
    assert judge(record(flags=flags, service="rubbish", regexp="rubbish"), NUMBER, RULES).skip is Skip.FLAGS


def test_flag_u_has_no_case() -> None:
    """ENUM-10: u and U are the same terminal flag."""
    assert judge(record(flags="U"), NUMBER, RULES).uri == "sip:a@b.example"


@pytest.mark.parametrize("service", ["e2u+SIP", "E2U+sip", "E2U+pstn:sip+sip", "E2U+voice:sip+PSTN:SIP", "sip+E2U"])
def test_service_is_found_in_any_form(service: str) -> None:
    """ENUM-11, ENUM-12: case does not count, one of several services is enough, the old order is understood."""
    assert judge(record(service=service), NUMBER, RULES).uri == "sip:a@b.example"


@pytest.mark.parametrize(
    "service",
    [
        "E2U+sips",
        "E2U+sip:x",
        "E2U+X-sip",
        "X-sip+E2U",
        "E2U+email:mailto",
        "E2U",
        "",
        "E2U+",
        "E2U_pstn:tel",
        "E2U+si p",
    ],
)
def test_other_services_are_not_taken_for_sip(service: str) -> None:
    """ENUM-11, ENUM-13: the match is on whole types, and the words blame the service field."""
    result = judge(record(service=service), NUMBER, Rules(services=("sip",)))
    assert result.skip is Skip.SERVICE
    assert "service field" in result.detail


def test_old_order_can_be_switched_off() -> None:
    """ENUM-12: without RFC 2916, sip+E2U is no service field."""
    rules = Rules(services=("sip",), accept_rfc2916=False)
    assert judge(record(service="sip+E2U"), NUMBER, rules).skip is Skip.SERVICE


def test_private_types_need_a_private_apex() -> None:
    """ENUM-13: a type that begins with P- is discarded unless this apex is meant for it."""
    assert wanted_services("E2U+P-x:sip", Rules(services=("p-x:sip",))) == ()
    assert wanted_services("E2U+P-x:sip", Rules(services=("p-x:sip",), private_services=True)) == ("p-x:sip",)


def test_services_are_wanted_from_left_to_right() -> None:
    """ENUM-14: unknown services are stepped over, wanted ones keep the order of the field."""
    assert wanted_services("E2U+web:http+pstn:sip+sip", RULES) == ("pstn:sip", "sip")


@pytest.mark.parametrize(
    ("service", "uri", "taken"),
    [
        ("E2U+sip", "sips:a@b.example", True),
        ("E2U+sip", "tel:+1", False),
        ("E2U+pstn:tel", "tel:+1", True),
        ("E2U+pstn:tel", "sip:a@b.example", False),
        ("E2U+pstn:tel+sip", "sip:a@b.example", True),
        ("E2U+voice:tel", "tel:1", False),
        ("E2U+sip", "http://b.example/", False),
    ],
)
def test_scheme_agrees_with_the_service(service: str, uri: str, taken: bool) -> None:  # noqa: FBT001 - a column
    """ENUM-14: a record whose URI is not of a kind that its wanted service can mean is skipped."""
    result = judge(record(service=service, regexp=f"!^.*$!{uri}!"), NUMBER, RULES)
    assert (result.uri == uri) is taken
    assert (result.skip is Skip.URI) is not taken


def test_regexp_and_replacement_exclude_each_other() -> None:
    """ENUM-18: a terminal record with both is skipped."""
    assert judge(record(replacement="x.example"), NUMBER, RULES).skip is Skip.REGEXP


def test_non_terminal_ignores_service_and_regexp() -> None:
    """ENUM-19: only the replacement of a non-terminal record counts."""
    result = judge(record(flags="", service="rubbish", regexp="rubbish", replacement="Next.Example."), NUMBER, RULES)
    assert (result.next_name, result.skip) == ("next.example", None)


@pytest.mark.parametrize(
    "replacement", ["", ".", "a..b", "-a.b", "a b", "x" * 64 + ".example", ".".join(["abcdefg"] * 40)]
)
def test_non_terminal_needs_a_name(replacement: str) -> None:
    """ENUM-19: a non-terminal record without a usable name is skipped."""
    assert judge(record(flags="", replacement=replacement), NUMBER, RULES).skip is Skip.REPLACEMENT


def test_following_can_be_switched_off() -> None:
    """ENUM-19: without it a non-terminal record is skipped."""
    rules = Rules(follow_non_terminal=False)
    assert judge(record(flags="", replacement="x.example"), NUMBER, rules).skip is Skip.NON_TERMINAL


@given(st.permutations([(1, 20), (1, 10), (2, 1), (100, 5), (99, 65535)]))
def test_order_of_arrival_does_not_matter(pairs: list[tuple[int, int]]) -> None:
    """ENUM-15: records are sorted by ORDER, then PREFERENCE, as numbers."""
    ordered = in_order(tuple(record(order=order, pref=pref) for order, pref in pairs))
    assert [(one.order, one.preference) for one in ordered] == sorted(pairs)


def test_equal_pairs_stay_as_they_came() -> None:
    """ENUM-15: records of the same ORDER and PREFERENCE are not shuffled."""
    records = tuple(record(service=f"E2U+s{number}") for number in range(9))
    assert tuple(in_order(records)) == records


@given(st.text(max_size=60), st.text(max_size=20), st.text(max_size=3))
def test_no_record_breaks_the_rules(regexp: str, service: str, flags: str) -> None:
    """Whatever a record holds, the outcome is a URI, a name or a reason."""
    result = judge(Naptr(1, 1, flags, service, regexp, ""), NUMBER, RULES)
    assert (result.uri or result.next_name or result.skip) is not None


@given(st.text(alphabet="!\\10ia+.*()[]$^", max_size=40))
def test_no_expression_breaks_the_parser(text: str) -> None:
    """Any regexp field is a substitution or a fault of ours."""
    try:
        parse_substitution("!" + text).apply(NUMBER)
    except (EreError, NumberingError):
        return
