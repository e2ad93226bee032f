"""Holds what the border did against what a case expects of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ibcf.policy.coverage import matched_rules
from ibcf.policy.explain import header_values, target_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ibcf.config import Config
    from ibcf.config.tree import Path
    from ibcf.policy.cases import Expected, ExpectedHeaders
    from ibcf.policy.explain import Explanation


@dataclass(frozen=True, slots=True)
class Difference:
    """What is not as it was expected."""

    key: Path
    """Below `expect`."""
    problem: str


def differences(expect: Expected, told: Explanation, config: Config) -> Iterator[Difference]:
    """Yield all that is not as expected."""
    yield from _of_the_way(expect, told, config)
    yield from _of_the_rules(expect, told)
    sent = b"" if told.forwarded is None else told.forwarded.data
    if expect.request_uri is not None and (uri := _request_uri(sent)) != expect.request_uri:
        yield Difference(("request_uri",), f"must be {expect.request_uri}; it was {uri or 'nothing'}")
    yield from _of_headers(("headers",), expect.headers, sent)
    yield from _of_the_answer(expect, told)


def _of_the_way(expect: Expected, told: Explanation, config: Config) -> Iterator[Difference]:
    request, answer = told.forwarded, told.answered
    place = None if request is None else target_at(config, told.located, request.destination)
    peer, target = place or (None, None)
    went = f"it went to {peer}, target {target}" if request else _answered(told)
    checks = (
        ("to", expect.to, peer, "go to {}"),
        ("target", expect.target, target, "go to the target {}"),
        ("reject", expect.reject, None if request else told.reason, "be refused with {}"),
        ("status", expect.status, answer and answer.status, "be answered {}"),
        ("drop", expect.drop, None if request or answer else True, "be dropped"),
    )
    for key, wanted, found, words in checks:
        if wanted is not None and wanted != found:
            yield Difference((key,), f"must {words.format(wanted)}; {went}")


def _of_the_rules(expect: Expected, told: Explanation) -> Iterator[Difference]:
    if expect.rules is not None and (found := tuple(matched_rules(told))) != expect.rules:
        yield Difference(("rules",), f"must be {_listed(expect.rules)}; it was {_listed(found)}")
    edits = told.edits()
    for at, rule in enumerate(expect.header_rules or ()):
        if rule not in edits:
            yield Difference(("header_rules", at), f"{rule} changed nothing")


def _of_headers(key: Path, expected: ExpectedHeaders, message: bytes) -> Iterator[Difference]:
    for name, wanted in expected.items():
        values = header_values(message, name)
        problem = None
        if wanted.present is not None and wanted.present != bool(values):
            problem = "must be there" if wanted.present else "must not be there"
        elif wanted.equals is not None and wanted.equals != values:
            problem = f"must be {_listed(wanted.equals)}"
        elif wanted.regex is not None and not any(re.search(wanted.regex, value) for value in values):
            problem = f"must match {wanted.regex}"
        if problem is not None:
            yield Difference((*key, name), f"{problem}; it is {_listed(values)}")


def _of_the_answer(expect: Expected, told: Explanation) -> Iterator[Difference]:
    if expect.answer is None:
        return
    status = None if told.returned is None else told.returned.status
    if expect.answer.status is not None and expect.answer.status != status:
        yield Difference(("answer", "status"), f"must go back as {expect.answer.status}; it was {status or 'nothing'}")
    data = b"" if told.returned is None else told.returned.data
    yield from _of_headers(("answer", "headers"), expect.answer.headers, data)


def _answered(told: Explanation) -> str:
    reason = f" ({told.reason})" if told.reason else ""
    return f"it was answered {told.answered.status}{reason}" if told.answered else f"nothing left{reason}"


def _request_uri(message: bytes) -> str:
    words = message.partition(b"\r\n")[0].decode("utf-8", "backslashreplace").split(" ")
    return words[1] if len(words) == 3 else ""


def _listed(values: tuple[str, ...]) -> str:
    return ", ".join(values) or "nothing"
