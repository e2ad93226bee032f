"""tel URIs (TEL-01 to TEL-06)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibcf.errors import NumberingError
from ibcf.numbering.tel import TelUri, parse


def same(first: str, second: str) -> bool:
    """Compare two URIs."""
    return parse(first).is_equivalent(parse(second))


def test_separators_mean_nothing() -> None:
    """TEL-01: visual separators do not count in comparison and go from the key, but stay in the text."""
    assert same("tel:+1-201-555-0123", "tel:+1(201)555.0123")
    assert same("TEL:+1-201-555-0123", "tel:+12015550123")
    uri = parse("tel:+44-(1632)-960.083;ext=9")
    assert uri.e164 == "+441632960083"
    assert str(uri) == "tel:+44-(1632)-960.083;ext=9"


@pytest.mark.parametrize("text", ["tel:+", "tel:+1201555O123", "tel:+12*3", "tel:++1201", "tel:+-", "tel:+12 3"])
def test_a_global_number_is_digits(text: str) -> None:
    """TEL-02: behind the plus stand decimal digits, at least one."""
    with pytest.raises(NumberingError, match="after \\+ only digits"):
        parse(text)


def test_a_local_number_needs_its_context() -> None:
    """TEL-03: a local number may hold more characters, but means nothing without phone-context."""
    assert parse("tel:7042;phone-context=example.com").e164 is None
    assert parse("tel:*21%23;phone-context=+1").parameter("phone-context") == "+1"
    with pytest.raises(NumberingError, match="phone-context"):
        parse("tel:7042")


@pytest.mark.parametrize("number", ["", "70 42", "70#42", "7g", "--", "%2371%24"])
def test_a_local_number_has_its_alphabet(number: str) -> None:
    """TEL-03: hexadecimal digits, star and an escaped hash, nothing else and not nothing."""
    with pytest.raises(NumberingError):
        parse(f"tel:{number};phone-context=example.com")


def test_context_is_compared_as_what_it_is() -> None:
    """TEL-04: a domain without case, a number prefix without separators; the number is not put together from them."""
    assert same("tel:863-1234;phone-context=+1-914-555", "tel:8631234;phone-context=+1914555")
    assert same("tel:7042;phone-context=Example.COM", "tel:7042;phone-context=example.com")
    assert parse("tel:863-1234;phone-context=+1-914-555").e164 is None
    with pytest.raises(NumberingError, match="phone-context"):
        parse("tel:7042;phone-context=-")


@pytest.mark.parametrize("name", ["ext", "isub", "phone-context", "x"])
def test_a_parameter_stands_once(name: str) -> None:
    """TEL-05: a second parameter of the same name is a fault, in whatever case."""
    with pytest.raises(NumberingError, match="stands twice"):
        parse(f"tel:+12;{name}=1;{name.upper()}=1" if name != "phone-context" else f"tel:12;{name}=+1;{name}=+1")


def test_parameters_are_compared_without_order_and_case() -> None:
    """TEL-05: order, case and separators of ext do not count; a parameter on one side only makes a difference."""
    assert same("tel:+12;ext=1-2;foo=A", "tel:+12;FOO=a;Ext=12")
    assert not same("tel:+12;ext=1", "tel:+12")
    assert not same("tel:+12;foo=a", "tel:+12;foo=b")
    assert not same("tel:+12;foo", "tel:+12")


@pytest.mark.parametrize(
    "text", ["tel:+12;ext", "tel:+12;ext=1x", "tel:+12;=1", "tel:+12;a b=1", "tel:+12;x=\r\n", "tel:+12;x="]
)
def test_a_broken_parameter_is_a_fault(text: str) -> None:
    """A parameter without a name, or with a value outside its alphabet, is refused."""
    with pytest.raises(NumberingError):
        parse(text)


def test_sip_uri_of_a_number_has_its_parameters_in_order() -> None:
    """TEL-06: to SIP, isub and postd go first, the rest by name, all in lower case, the number as written."""
    assert (
        parse("tel:+358-555-1234567;postd=pp22").to_sip("foo.com")
        == "sip:+358-555-1234567;postd=pp22@foo.com;user=phone"
    )
    assert (
        parse("tel:+358-555-1234567;postd=PP22;isub=1411").to_sip("foo.com")
        == "sip:+358-555-1234567;isub=1411;postd=pp22@foo.com;user=phone"
    )
    assert parse("tel:+12;x=[1]:2").to_sip("h") == "sip:+12;x=%5B1%5D%3A2@h;user=phone"


def test_what_is_no_tel_uri_is_said_so() -> None:
    """Another scheme and an endless URI are refused."""
    with pytest.raises(NumberingError, match="does not begin with tel:"):
        parse("sip:+12@h")
    with pytest.raises(NumberingError, match="longer than"):
        parse("tel:+1" + "2" * 2000)


def test_too_many_digits_are_no_key() -> None:
    """TEL-16: 16 digits parse, but are no E.164 number."""
    assert parse("tel:+1234567890123456").e164 is None


@given(st.text(max_size=40))
def test_no_text_breaks_the_parser(text: str) -> None:
    """Any text is a tel URI or a fault of ours, never another error."""
    try:
        uri = parse(f"tel:{text}")
    except NumberingError:
        return
    assert uri.normalised() == uri.normalised().normalised()
    assert isinstance(uri, TelUri)
