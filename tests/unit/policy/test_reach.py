from hypothesis import given
from hypothesis import strategies as st

from ibcf.config.match import Match, NumberList
from ibcf.config.rewrite import NumberEdit, Rewrite
from ibcf.config.routes import Route
from ibcf.policy.reach import NUMBER, TARGET, _shadows, unreachable

DOMAINS = ("example", "*.example", "b.example", "B.example", "*.b.example", "x.b.example", "c.test")


def some(*values: str) -> st.SearchStrategy[tuple[str, ...] | None]:
    """Return one or two of *values*, or nothing."""
    return st.none() | st.lists(st.sampled_from(values), min_size=1, max_size=2, unique=True).map(tuple)


matches = st.builds(
    Match,
    peer=some("a", "b"),
    direction=st.none() | st.sampled_from(["exit", "entry"]),
    method=some("INVITE", "MESSAGE"),
    number_length=st.none() | st.sampled_from(["1-9", "7-15"]),
    number_prefix=some("+4", "+44", "+4490", "+49"),
    domain=some(*DOMAINS),
    number_list=some("x", "y"),
    user=some("^a", "^b"),
    enum=some("found", "failed"),
)
routes = st.lists(
    st.builds(
        lambda match, action: Route.model_construct(id="r", match=match, **action),
        matches,
        st.sampled_from([{"enum": "n"}, {"drop": True}, {"rewrite": Rewrite(number=NumberEdit(strip=1))}]),
    ),
    max_size=12,
)


def changed(between: list[Route]) -> tuple[str, ...]:
    """Return the matchers whose value is another one behind these rules."""
    is_rewritten = any(rule.rewrite is not None for rule in between)
    is_looked_up = any(rule.enum is not None for rule in between)
    return (*(TARGET if is_looked_up or is_rewritten else ()), *(NUMBER if is_rewritten else ()))


@given(routes)
def test_looking_at_a_few_rules_finds_what_comparing_all_pairs_finds(rules: list[Route]) -> None:
    """No rule is missed for the short cuts, and none is accused that a comparison of all pairs would not accuse."""
    expected = [
        at
        for at, route in enumerate(rules)
        if any(
            rules[before].drop and _shadows(rules[before].match, route.match, changed=changed(rules[before:at]))
            for before in range(at)
        )
    ]
    assert [at for at, _ in unreachable(rules)] == expected


def test_ten_thousand_rules_are_looked_over_at_once() -> None:
    """The time grows with the number of rules and not with its square."""
    rules = [
        Route.model_construct(id=f"r{at}", match=Match(domain=(f"d{at}.example",)), drop=True) for at in range(10_000)
    ]
    rules.append(Route.model_construct(id="last", match=Match(domain=("d77.example",)), drop=True))
    assert list(unreachable(rules)) == [(10_000, 77)]


def test_ten_thousand_rules_for_classes_of_a_list_are_looked_over_at_once() -> None:
    """As an operator has them who sends each carrier its numbers."""

    def of_class(at: int) -> Route:
        members = (NumberList.model_validate({"list": "carriers", "class": (f"c{at}",)}),)
        return Route.model_construct(id="r", match=Match(number_list=members), drop=True)

    rules = [*map(of_class, range(10_000)), of_class(77)]
    assert list(unreachable(rules)) == [(10_000, 77)]
