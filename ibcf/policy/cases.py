"""The file of tests beside a policy (`*_test.yaml`): what is given to the border, and what is expected of it.

Loaded as the configuration is: whole, or with every fault and its place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import ConfigDict, Field, ValidationError, field_validator, model_validator

from ibcf.boundary import (
    EnumAnswer,
    HookAdd,
    HookChanges,
    HookContinue,
    HookFailed,
    HookReject,
    HookRemove,
    HookRoute,
    HookSet,
)
from ibcf.config.fault import unknown
from ibcf.config.problems import faults_of
from ibcf.config.routes import Reject  # noqa: TC001 - pydantic looks it up
from ibcf.config.section import Section, at_most_one, exactly_one, one_of_schema
from ibcf.config.tree import parse_file
from ibcf.config.values import FilePath, Grammar, Id, Method, OneOrMany, Parsed, Text, Token, shown
from ibcf.dns.records import Class
from ibcf.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path as FileSystemPath

    from ibcf.boundary import HookVerdict
    from ibcf.config import Config, Fault
    from ibcf.config.tree import Path, Tree

SUFFIX = "_test.yaml"


def parse_moment(value: object) -> datetime:
    """Return the moment that *value* names.

    >>> parse_moment("2026-11-30T08:30+01:00").isoformat()
    '2026-11-30T08:30:00+01:00'
    """
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError(f"must be a moment with its zone: 2026-11-30T08:30Z (got {shown(value)})")
    return moment


Moment = Annotated[datetime, Parsed(parse_moment, {"type": "string", "format": "date-time"})]
Number = Annotated[str, Grammar(r"\+[0-9]{1,15}", 'a global number in quotes: "+441632960083"', 16)]
Uri = Annotated[str, Grammar(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>]+", "a URI: sip:+441632960083@a.example", 512)]
Status = Annotated[int, Field(ge=100, le=699)]
HeaderValues = Annotated[tuple[Text, ...], Field(min_length=1), OneOrMany]


def parse_enum_answer(value: object) -> EnumAnswer:
    """Return what ENUM is to answer: an outcome, or URIs.

    >>> parse_enum_answer("not_found"), parse_enum_answer("sip:a@b.example").candidates
    (EnumAnswer(outcome='not_found', class_='NXDOMAIN', candidates=(), ttl_ms=0), ('sip:a@b.example',))
    """
    if isinstance(value, str) and value in _NO_ANSWERS:
        return _NO_ANSWERS[value]
    uris = value if isinstance(value, tuple) else (value,)
    if not uris or not all(isinstance(uri, str) and _URI.fullmatch(uri) for uri in uris):
        raise ValueError(f"must be not_found, failed, a URI or a list of them (got {shown(value)})")
    return EnumAnswer(outcome="found", class_=str(Class.FOUND), candidates=uris)


_NO_ANSWERS = {
    "not_found": EnumAnswer(outcome="not_found", class_=str(Class.NXDOMAIN)),
    "failed": EnumAnswer(outcome="failed", class_=str(Class.TIMEOUT)),
}
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>]+")
Answers = dict[Number, Annotated[EnumAnswer, Parsed(parse_enum_answer, {"type": ["string", "array"]})]]


class GivenVerdict(Section):
    """What a hook answers: `continue`, `failed`, or what it wants otherwise."""

    reject: Reject | None = None
    """It refuses."""
    route: Id | None = None
    """It sends the request to this peer."""
    set: dict[Token, Text] = Field(default_factory=dict)
    """Headers that it sets."""
    add: dict[Token, Text] = Field(default_factory=dict)
    """Headers that it adds."""
    remove: Annotated[tuple[Token, ...], OneOrMany] = ()
    """Headers that it removes."""
    request_uri: Uri | None = None
    """The Request-URI that it gives."""
    tag: Id | None = None
    """The tag that it gives."""
    failed: Literal[True] | None = None
    """It gives no usable answer."""

    @model_validator(mode="before")
    @classmethod
    def take_word(cls, value: object) -> object:
        """Let a word stand for a verdict without more."""
        words: dict[object, dict[str, object]] = {"continue": {}, "failed": {"failed": True}}
        if isinstance(value, str) and value not in words:
            raise ValueError(f"must be continue, failed or a mapping (got {shown(value)})")
        return words[value] if isinstance(value, str) else value

    @model_validator(mode="after")
    def check_one(self) -> Self:
        """Refuse two verdicts."""
        at_most_one(self, "reject", "route", "failed")
        return self

    def as_answered(self) -> HookVerdict:
        """Return it as it crosses to the core."""
        if self.failed:
            return HookFailed()
        if self.reject is not None:
            refused = self.reject
            seconds = None if refused.retry_after is None else int(refused.retry_after.total_seconds())
            return HookReject(refused.reason, refused.status, refused.phrase, seconds)
        edits: tuple[HookAdd | HookRemove | HookSet, ...] = (
            *(HookRemove(name) for name in self.remove),
            *(HookSet(name, value) for name, value in self.set.items()),
            *(HookAdd(name, value) for name, value in self.add.items()),
        )
        changes = HookChanges(edits, self.request_uri, self.tag)
        return HookContinue(changes) if self.route is None else HookRoute(self.route, changes)


Verdicts = dict[Id, GivenVerdict]


class GivenAnswer(Section):
    """A response of the far side."""

    status: Status
    """Its status."""
    headers: dict[Token, HeaderValues] = Field(default_factory=dict)
    """Headers that it has besides."""


class Given(Section):
    """A request, made up for a number or a URI, or as it stands in a message."""

    model_config = ConfigDict(json_schema_extra=one_of_schema("number", "uri", "message", "message_file"))

    from_: Id = Field(alias="from")
    """The peer that sends it."""
    listener: Id | None = None
    """The listener that it comes to; the first of the peer unless set."""
    number: Number | None = None
    """The number that is called."""
    uri: Uri | None = None
    """The Request-URI, instead of a number."""
    message: str | None = None
    """The whole message."""
    message_file: FilePath | None = None
    """A file with the whole message."""
    method: Method | None = None
    """Another method than INVITE."""
    calling: Number | None = None
    """The number that calls, in From and P-Asserted-Identity."""
    headers: dict[Token, HeaderValues | None] = Field(default_factory=dict)
    """Headers instead of those of that name; nothing takes them away."""
    at: Moment | None = None
    """When it comes; now, unless set."""
    enum: Answers = Field(default_factory=dict)
    """What ENUM answers in this case, before what it answers in all."""
    hooks: Verdicts = Field(default_factory=dict)
    """What hooks answer in this case, by their rules, before what they answer in all."""
    answer: GivenAnswer | None = None
    """What the far side answers to the request."""

    @model_validator(mode="after")
    def check_one(self) -> Self:
        """Refuse two requests, or none, and what cannot be done to a message that is given whole."""
        if exactly_one(self, "number", "uri", "message", "message_file").startswith("message"):
            for name in ("method", "calling", "headers"):
                if getattr(self, name):
                    raise ValueError(f"{name} belongs to a request that is made up: it stands in the message already")
        return self


class ExpectedHeader(Section):
    """What is expected of a header that leaves."""

    model_config = ConfigDict(json_schema_extra=one_of_schema("present", "equals", "regex"))

    present: bool | None = None
    """Is it there?"""
    equals: HeaderValues | None = None
    """All its values, in their order. May stand alone, without this word."""
    regex: Annotated[str, Field(min_length=1)] | None = None
    """An expression that is found in one of its values."""

    @model_validator(mode="before")
    @classmethod
    def take_values(cls, value: object) -> object:
        """Let values stand for what they equal."""
        return value if isinstance(value, dict) else {"equals": value}

    @field_validator("regex")
    @classmethod
    def check_regex(cls, value: str | None) -> str | None:
        """Refuse what does not compile."""
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(f"does not compile: {error}") from error
        return value

    @model_validator(mode="after")
    def check_one(self) -> Self:
        """Refuse two tests, or none."""
        exactly_one(self, "present", "equals", "regex")
        return self


ExpectedHeaders = dict[Token, ExpectedHeader]


class ExpectedAnswer(Section):
    """What is expected of the response that goes back."""

    status: Status | None = None
    """Its status."""
    headers: ExpectedHeaders = Field(default_factory=dict)
    """Its headers: a value, or what is expected of it."""


class Expected(Section):
    """What the border is to do; at least one thing."""

    to: Id | None = None
    """The peer that it sends the request to."""
    target: Id | None = None
    """The target of that peer."""
    reject: str | None = None
    """The reason under which it refuses it."""
    drop: Literal[True] | None = None
    """It does nothing."""
    status: Status | None = None
    """The status that it answers."""
    rules: Annotated[tuple[Id, ...], OneOrMany] | None = None
    """The rules of `routes` that hold, all of them in their order."""
    header_rules: Annotated[tuple[Id, ...], Field(min_length=1), OneOrMany] | None = None
    """Rules of `header_rules` that change something, among others."""
    request_uri: Uri | None = None
    """The Request-URI that leaves."""
    headers: ExpectedHeaders = Field(default_factory=dict)
    """Headers of the request that leaves: a value, or what is expected of it."""
    answer: ExpectedAnswer | None = None
    """What becomes of the response that was given."""

    @model_validator(mode="after")
    def check_any(self) -> Self:
        """Refuse a case that expects nothing, and one that expects what excludes each other."""
        if not self.model_fields_set:
            raise ValueError("expects nothing: such a case could not fail")
        at_most_one(self, "to", "reject", "drop")
        return self


class Case(Section):
    """One case."""

    id: Id
    """Its name in reports."""
    given: Given
    """What comes."""
    expect: Expected
    """What the border is to do."""


class PolicyTests(Section):
    """The tests of one policy."""

    model_config = ConfigDict(title="ibcf policy tests")

    policy: FilePath
    """The configuration that is tested, relative to this file."""
    enum: Answers = Field(default_factory=dict)
    """What ENUM answers; a service with a zone file is asked where nothing stands here, a server never."""
    hooks: Verdicts = Field(default_factory=dict)
    """What hooks answer, by their rules; one of which nothing stands here runs."""
    cases: Annotated[tuple[Case, ...], Field(min_length=1)]
    """The cases. A file without any fails."""


def tests_beside(policy: FileSystemPath) -> FileSystemPath:
    """Return where the cases of *policy* stand.

    >>> from pathlib import Path
    >>> tests_beside(Path("a/demo.yaml")).as_posix()
    'a/demo_test.yaml'
    """
    return policy.with_name(f"{policy.stem}{SUFFIX}")


@dataclass(frozen=True, slots=True)
class LoadedTests:
    """Tests without faults, and the file that they came from."""

    tests: PolicyTests
    tree: Tree


def read_tests(path: FileSystemPath) -> LoadedTests:
    """Read and check a file of tests; what it says about its policy is checked by `check_names`.

    Raises:
        ConfigError: with every fault of the file.
    """
    tree = parse_file(path)
    faults = list(tree.faults)
    tests = None
    if tree.root is not None:
        try:
            tests = PolicyTests.model_validate(tree.root, context={"directory": path.parent})
        except ValidationError as error:
            faults += faults_of(error, tree, PolicyTests)
    if faults or tests is None:
        raise ConfigError(sorted(set(faults)) or [tree.fault((), "is empty")])
    return LoadedTests(tests, tree)


def check_names(loaded: LoadedTests, config: Config, reasons: Collection[str]) -> list[Fault]:
    """Return a fault for each name that stands for nothing in the policy, and for each case that stands twice."""
    tree = loaded.tree
    rules = [route.id for route in config.routes]
    known: list[tuple[str, tuple[str, ...], Collection[str]]] = [
        ("peer", ("given", "from"), [peer.id for peer in config.peers]),
        ("listener", ("given", "listener"), [listener.id for listener in config.listeners]),
        ("peer", ("expect", "to"), [peer.id for peer in config.peers]),
        ("reason", ("expect", "reject"), reasons),
        ("rule", ("expect", "rules", "*"), rules),
        (
            "header rule",
            ("expect", "header_rules", "*"),
            [rule.id for one in config.header_rules for rule in one.rules],
        ),
    ]
    faults = [
        tree.fault(path, unknown(kind, value, names))
        for kind, pattern, names in known
        for path, value in tree.find("cases", "*", *pattern)
        if isinstance(value, str) and value not in names
    ]
    return sorted([*faults, *_unknown_hooks(loaded, config), *_repeated(loaded)])


def _unknown_hooks(loaded: LoadedTests, config: Config) -> Iterator[Fault]:
    known = [route.id for route in config.routes if route.hook is not None]
    tests = loaded.tests
    places: list[tuple[Path, Verdicts]] = [(("hooks",), tests.hooks)]
    places += [(("cases", at, "given", "hooks"), case.given.hooks) for at, case in enumerate(tests.cases)]
    for path, verdicts in places:
        for rule in verdicts:
            if rule not in known:
                yield loaded.tree.fault((*path, rule), unknown("rule with a hook", rule, known), at_key=True)


def _repeated(loaded: LoadedTests) -> Iterator[Fault]:
    seen: dict[str, int] = {}
    for at, case in enumerate(loaded.tests.cases):
        if case.id in seen:
            path = ("cases", at, "id")
            first = loaded.tree.values["cases", seen[case.id], "id"].line
            yield loaded.tree.fault(path, f'"{case.id}" stands twice (first in line {first})')
        seen.setdefault(case.id, at)
