"""What a hook answers is looked at before any of it counts; what it sees cannot be changed."""

import dataclasses
from collections.abc import Callable

import pytest

from ibcf.boundary import HookChanges, HookContinue, HookQuestion, HookReject, HookRoute, HookSet, HookVerdict
from ibcf.hooks import AddHeader, Continue, Reject, RemoveHeader, Request, Route, SetHeader
from ibcf.hooks.request import view
from ibcf.hooks.verdict import NonsenseError, checked


def crossing(answer: object) -> HookVerdict:
    """Return what crosses of an answer, in a policy with one tag and one peer."""
    return checked(answer, tags=("roamer",), peers=("carrier_b",), uri_bytes_max=256)


def test_a_verdict_crosses_as_it_was_meant() -> None:
    """Every field has its counterpart."""
    verdict = Continue(edits=[SetHeader("X-A", "1")], request_uri="sip:a@b.example", tag="roamer")
    changes = HookChanges((HookSet("X-A", "1"),), "sip:a@b.example", "roamer")
    assert crossing(verdict) == HookContinue(changes)
    assert crossing(Route("carrier_b")) == HookRoute("carrier_b", HookChanges())
    refused = Reject("decide.forbidden", status=603, phrase="Décliné", retry_after=60)
    assert crossing(refused) == HookReject("decide.forbidden", 603, "Décliné", 60)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (None, "it answered nothing, which is no Continue, Route or Reject"),
        (True, "it answered a value of type bool, which is no"),
        (Continue, "it answered a value of type type, which is no"),
        (Continue(tag="other"), 'the rule does not list the tag "other"'),
        (Continue(tag=7), "Continue: Expected `str | null`, got `int`"),  # type: ignore[arg-type]
        (Continue(request_uri="no uri"), "request_uri may not be a Request-URI"),
        (Continue(request_uri="sip:a@b?Via=x"), "request_uri may not be a Request-URI"),
        (Continue(request_uri="sip:" + "a" * 300), "request_uri may not be a Request-URI"),
        (Continue(edits="Via"), "edits is a value of type str, and no list"),  # type: ignore[arg-type]
        (Continue(edits=["Via"]), "a value of type str among the edits"),  # type: ignore[list-item]
        (Continue(edits=[SetHeader("X-A", 1)]), "Continue: Expected `str`, got `int`"),  # type: ignore[arg-type]
        (Continue(edits=[RemoveHeader("Route")]), "no rule may touch Route"),
        (Continue(edits=[SetHeader("f", "x")]), "From stands in every message exactly once"),
        (Continue(edits=[AddHeader("X A", "x")]), '"X A" is not a header name'),
        (Continue(edits=[AddHeader("X-A", "a\r\nVia: b")]), "the value of X-A must fit on one header line"),
        (Continue(edits=[RemoveHeader("X-A")] * 33), "33 edits, more than 32"),
        (Route("nobody"), 'no peer "nobody"'),
        (Route(None), "Route: Expected `str`, got `null`"),  # type: ignore[arg-type]
        (Reject("decide.nothing"), '"decide.nothing" is no reason of the catalogue'),
        (Reject(status=200), "Reject: Expected `int` >= 400"),
        (Reject(status=True), "Reject: Expected `int | null`, got `bool`"),
        (Reject(phrase="a\r\nb"), "the phrase is not a line of 1 to 100 characters"),
        (Reject(retry_after=0), "Reject: Expected `int` >= 1"),
    ],
)
def test_nonsense_is_named(answer: object, problem: str) -> None:
    """Each fault has its text, which the log shows."""
    with pytest.raises(NonsenseError) as caught:
        crossing(answer)
    assert problem in str(caught.value)


def test_a_hook_sees_headers_by_any_name_and_the_body_as_bytes(question: Callable[..., HookQuestion]) -> None:
    """Long and compact forms are one header, what is no Unicode does no harm, and the view is frozen."""
    request = view(question("hooks.it:check"))
    assert (request.headers["VIA"], request.headers.all("v")) == ("1", ("1", "2"))
    assert (request.call_id, request.headers["subject"], request.body) == ("abc", "café", b"v=0\r\n\xff")
    assert "Route" not in request.headers
    with pytest.raises(dataclasses.FrozenInstanceError):
        request.number = "+1"  # type: ignore[misc]
    assert isinstance(request, Request)
