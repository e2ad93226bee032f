"""HTTP for the run of a candidate policy: `/policy/shadow`, and to begin and to end one."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from ibcf.admin.exchange import asked, json_response
from ibcf.errors import ConfigError, IbcfError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ibcf.policy.shadow_runs import ShadowRuns


class Wanted(msgspec.Struct, forbid_unknown_fields=True):
    """What a run is asked for with."""

    file: str
    percent: float
    seconds: float


def add_shadow(app: web.Application, runs: ShadowRuns, is_masked: Callable[[], bool]) -> None:
    """Add the routes to *app*."""

    async def show(_request: web.Request) -> web.Response:
        return json_response(runs.status(masked=is_masked()))

    async def start(request: web.Request) -> web.Response:
        try:
            wanted = msgspec.convert(await asked(request), Wanted)
        except msgspec.ValidationError as error:
            raise web.HTTPBadRequest(text=f"{error}\n") from error
        try:
            await asyncio.to_thread(runs.start, wanted.file, wanted.percent, wanted.seconds)
        except IbcfError as error:
            faults = error.faults if isinstance(error, ConfigError) else (error,)
            return json_response({"ok": False, "faults": [str(fault) for fault in faults]}, HTTPStatus.CONFLICT)
        return json_response({"ok": True, **runs.status(masked=is_masked())})

    async def stop(request: web.Request) -> web.Response:
        await asked(request)
        await asyncio.to_thread(runs.stop)
        return json_response({"ok": True, **runs.status(masked=is_masked())})

    app.router.add_get("/policy/shadow", show)
    app.router.add_post("/policy/shadow/start", start)
    app.router.add_post("/policy/shadow/stop", stop)
