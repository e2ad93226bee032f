"""Talks to the admin endpoint of a border that runs: what `ibcf status` and `ibcf policy reload` need."""

from __future__ import annotations

import json
from typing import Any
from urllib import request
from urllib.error import HTTPError, URLError

from ibcf.errors import IbcfError

TIMEOUT_S = 60.0
"""A reload compiles a million prefixes and tries all cases."""


class AdminError(IbcfError):
    """The endpoint does not answer, or not as a border does."""


def get(address: str, path: str) -> dict[str, Any]:
    """Return what the border at *address* (`ip:port`) shows at *path*.

    Raises:
        AdminError: it does not answer.
    """
    return _ask(request.Request(f"http://{address}{path}"))


def post(address: str, path: str, **values: object) -> dict[str, Any]:
    """Tell the border at *address* to do something; returns what came of it, also when it refused.

    Raises:
        AdminError: it does not answer.
    """
    body = json.dumps(values).encode()
    headers = {"Content-Type": "application/json"}
    return _ask(request.Request(f"http://{address}{path}", body, headers, method="POST"))


def _ask(asked: request.Request) -> dict[str, Any]:
    try:
        try:
            with request.urlopen(asked, timeout=TIMEOUT_S) as answer:  # noqa: S310 - as above
                body = answer.read()
        except HTTPError as error:
            if error.headers.get_content_type() != "application/json":
                raise AdminError(f"{asked.full_url}: {error.code} {error.reason}") from error
            body = error.read()
        told = json.loads(body)
    except (URLError, TimeoutError, OSError) as error:
        reason = getattr(error, "reason", error)
        raise AdminError(f"no border answers at {asked.host}: {reason}; say --admin IP:PORT (admin.address)") from error
    except ValueError as error:
        raise AdminError(f"{asked.full_url}: the answer is no JSON") from error
    if not isinstance(told, dict):
        raise AdminError(f"{asked.full_url}: the answer is no object")
    return told
