from ibcf.demo.checks import Checks


def test_a_claim_that_does_not_hold_says_what_was_seen() -> None:
    """The line of a broken claim names what was expected and what was seen."""
    checks = Checks()
    checks.equal("status", 200, 200)
    before = checks.hold
    checks.equal("status", 500, 200)
    assert (before, checks.hold) == (True, False)
    assert [str(check) for check in checks.broken()] == ["status: expected 200, saw 500"]
    assert [check.holds for check in checks] == [True, False]
