from ibcf.demo.masking import Mask

MASK = Mask({"127.0.0.1:4000": "border", "127.0.0.2:5060": "carrier-a"})
TOKEN = "abcdefghijklmnopqrstuvwxyz234567" * 2


def test_what_differs_from_run_to_run_has_a_name() -> None:
    """Addresses, branches, tags and tokens are the same text in every run."""
    assert MASK(f"<sip:{TOKEN}@127.0.0.1:4000;lr>") == "<sip:TOKEN@border;lr>"
    assert MASK("SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bK7;rport=5060;received=127.0.0.2") == (
        "SIP/2.0/UDP carrier-a;branch=BRANCH;rport=PORT;received=HOST"
    )
    assert MASK("<sip:b@b.example>;tag=8f,<sip:c>") == "<sip:b@b.example>;tag=TAG,<sip:c>"


def test_what_is_the_same_in_every_run_stays() -> None:
    """Numbers, names and addresses that only begin alike are left alone."""
    for text in ("sip:+441632960083@ims.b.example;user=phone", "127.0.0.1:40001", "227.0.0.1:4000", "icid-demo-1"):
        assert MASK(text) == text
