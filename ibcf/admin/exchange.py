"""How the admin endpoint is asked to change something, and how it answers."""

from __future__ import annotations

from http import HTTPStatus
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Mapping


async def asked(request: web.Request) -> dict[str, Any]:
    """Return what a request says, if it may change anything."""
    remote = ip_address(request.remote or "::")
    if not remote.is_loopback:
        raise web.HTTPForbidden(text="from this host only\n")
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(text="application/json only\n")
    try:
        body = msgspec.json.decode(await request.read() or b"{}")
    except msgspec.DecodeError as error:
        raise web.HTTPBadRequest(text=f"{error}\n") from error
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(text="an object, or nothing\n")
    return body


def json_response(told: Mapping[str, Any], status: HTTPStatus = HTTPStatus.OK) -> web.Response:
    """Return *told* as it is written."""
    return web.Response(body=msgspec.json.encode(told), status=status, content_type="application/json")
