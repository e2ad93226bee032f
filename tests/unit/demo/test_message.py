import pytest

from ibcf.demo.message import Message, address_of, parameter, uri_of

TEXT = (
    b"INVITE tel:+441632960083 SIP/2.0\r\nv: SIP/2.0/UDP b;branch=z9hG4bK1,\r\n SIP/2.0/UDP a;branch=z9hG4bK2\r\n"
    b'f: "A, the first" <sip:a@a.example;x=1>;tag=8\r\nTo: <tel:+441632960083>\r\ni: one\r\nCSeq: 7 INVITE\r\n'
    b"l: 4\r\n\r\nv=0\nleft over"
)


def test_compact_names_folds_and_lists_are_read() -> None:
    """A message may use every way of writing a header that RFC 3261 §7.3 allows."""
    message = Message.parse(TEXT)
    assert (message.method, message.number, message.call_id) == ("INVITE", 7, "one")
    assert list(message.values("Via")) == ["SIP/2.0/UDP b;branch=z9hG4bK1", "SIP/2.0/UDP a;branch=z9hG4bK2"]
    assert message.branch == "z9hG4bK1"
    assert message.request_uri == "tel:+441632960083"
    assert message.status is None


def test_commas_in_quotes_and_brackets_do_not_divide() -> None:
    """A comma inside a display name or a URI belongs to the value."""
    message = Message.parse(TEXT.replace(b"To: <tel:+441632960083>", b'To: "B, too" <sip:b,c@b.example>'))
    assert list(message.values("To")) == ['"B, too" <sip:b,c@b.example>']
    assert list(message.values("From")) == ['"A, the first" <sip:a@a.example;x=1>;tag=8']


def test_body_ends_where_content_length_says() -> None:
    """Bytes behind the body are not part of the message."""
    assert Message.parse(TEXT).body == b"v=0\n"


def test_what_was_encoded_reads_the_same() -> None:
    """Encoding and parsing lose nothing."""
    message = Message.parse(TEXT)
    again = Message.parse(message.encode())
    assert (again.start, again.body, again.first("From")) == (message.start, message.body, message.first("From"))


def test_status_and_phrase_of_a_response() -> None:
    """A response has a status, a phrase of several words, and the method of its CSeq."""
    message = Message.parse(TEXT.replace(b"INVITE tel:+441632960083 SIP/2.0", b"SIP/2.0 403 Premium Rate Barred"))
    assert (message.status, message.phrase, message.method) == (403, "Premium Rate Barred", "INVITE")
    assert message.request_uri == ""


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n",
        TEXT.partition(b"\r\n\r\n")[0],
        TEXT.replace(b"SIP/2.0\r\n", b"HTTP/1.1\r\n", 1),
        TEXT.replace(b"CSeq: 7 INVITE", b"CSeq 7 INVITE"),
        TEXT.replace(b"CSeq: 7 INVITE\r\n", b""),
        TEXT.replace(b"tag=8", b"tag=\xff"),
        TEXT.replace(b"l: 4", b"l: four"),
    ],
)
def test_what_is_no_message_is_refused(data: bytes) -> None:
    """A core takes nothing for SIP that is not: the border must not get away with it."""
    with pytest.raises(ValueError):
        Message.parse(data)


def test_parameters_belong_to_the_header_and_not_to_the_uri() -> None:
    """A tag inside of the brackets is not the tag of the dialog."""
    assert parameter("<sip:b@b;tag=no>;tag=yes", "tag") == "yes"
    assert parameter("<sip:b@b;tag=no>", "tag") is None
    assert parameter("SIP/2.0/UDP a;rport;branch=x", "rport") == ""


def test_addresses_of_uris() -> None:
    """A URI leads to its host and port, 5060 unless it says otherwise."""
    assert address_of(uri_of("<sip:token@127.0.0.1:40000;lr>")) == ("127.0.0.1", 40000)
    assert address_of("sip:ims.b.example;user=phone") == ("ims.b.example", 5060)
    assert address_of("sip:b@[::1]:5070") == ("::1", 5070)


@pytest.mark.parametrize("value", ["", "<>", "nothing"])
def test_what_leads_nowhere_is_refused(value: str) -> None:
    """A header without a URI, and text that is no URI, have no address."""
    with pytest.raises(ValueError):
        uri_of(value)
    with pytest.raises(ValueError):
        address_of(value)
