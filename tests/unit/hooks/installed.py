"""A hook that is installed."""

from ibcf.hooks import Continue, Request


async def check(request: Request) -> Continue:
    """Let everything pass."""
    assert request.method
    return Continue()
