"""HTTP for machines: `/metrics`, `/health/live`, `/health/ready`, `/status`, and what changes the policy in force.

POST `/policy/...` is for this host only, and for no browser: it has to come from loopback and to be JSON, which a
page of another origin cannot send unasked.

A port that is taken is said plainly and costs only this: SIP goes on without it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aiohttp import web

from ibcf.admin.exchange import asked, json_response
from ibcf.admin.shadow import add_shadow
from ibcf.observe.metrics import CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from ibcf.observe.health import Health
    from ibcf.observe.metrics import Metrics
    from ibcf.policy.generations import Generations
    from ibcf.policy.shadow_runs import ShadowRuns

_REQUEST_BYTES_MAX = 4_096


@dataclass(frozen=True, slots=True)
class Control:
    """What may be changed by HTTP."""

    reload: Callable[[bool], Awaitable[bool]]
    """With `True` the modules of hooks are imported anew."""
    rollback: Callable[[int | None], Awaitable[bool]]
    lift: Callable[[str | None, str | None], int]
    generations: Generations
    shadow: ShadowRuns
    is_masked: Callable[[], bool]
    """Are telephone numbers hidden in what is shown of calls?"""


def build_app(
    *, metrics: Metrics, health: Health, status: Callable[[], Mapping[str, Any]], control: Control
) -> web.Application:
    """Make the application."""

    async def show_metrics(_request: web.Request) -> web.Response:
        body = await asyncio.to_thread(metrics.render)  # some 10,000 series: not on the loop that answers questions
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE})

    async def show_live(_request: web.Request) -> web.Response:
        return _state(health.is_live, health.fault or health.state)

    async def show_ready(_request: web.Request) -> web.Response:
        return _state(health.is_ready, health.fault or health.state)

    async def show_status(_request: web.Request) -> web.Response:
        return json_response(status())

    app = web.Application(client_max_size=_REQUEST_BYTES_MAX)
    app.router.add_get("/metrics", show_metrics)
    app.router.add_get("/health/live", show_live)
    app.router.add_get("/health/ready", show_ready)
    app.router.add_get("/status", show_status)
    _add_control(app, control)
    return app


def _add_control(app: web.Application, control: Control) -> None:
    """Add what changes the policy in force."""

    async def reload(request: web.Request) -> web.Response:
        import_again = (await asked(request)).get("hooks", False)
        if not isinstance(import_again, bool):
            raise web.HTTPBadRequest(text="hooks is true or false\n")
        return _changed(control, is_done=await control.reload(import_again))

    async def rollback(request: web.Request) -> web.Response:
        number = (await asked(request)).get("generation")
        if number is not None and not isinstance(number, int):
            raise web.HTTPBadRequest(text="generation is a number\n")
        return _changed(control, is_done=await control.rollback(number))

    async def unblock(request: web.Request) -> web.Response:
        told = await asked(request)
        pattern, key = told.get("pattern"), told.get("key")
        if not all(value is None or isinstance(value, str) for value in (pattern, key)):
            raise web.HTTPBadRequest(text="pattern and key are text\n")
        return json_response({"lifted": control.lift(pattern, key)})

    app.router.add_post("/policy/reload", reload)
    app.router.add_post("/policy/rollback", rollback)
    app.router.add_post("/policy/unblock", unblock)
    add_shadow(app, control.shadow, control.is_masked)


def _changed(control: Control, *, is_done: bool) -> web.Response:
    current, refusal = control.generations.current, control.generations.refusal
    told = {
        "ok": is_done,
        "generation": current.number,
        "as_generation": current.origin,
        "cases": current.cases,
        "warnings": current.warnings,
        "faults": () if refusal is None else refusal.faults,
    }
    return json_response(told, HTTPStatus.OK if is_done else HTTPStatus.CONFLICT)


def _state(good: bool, text: str) -> web.Response:  # noqa: FBT001 - one of two answers
    return web.Response(text=text + "\n", status=200 if good else 503)


class AdminServer:
    """The running endpoint."""

    def __init__(self, app: web.Application, host: str, port: int) -> None:
        """Serve *app* on *host*:*port*; port 0 lets the system choose."""
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False)
        self._host = host
        self._port = port
        self.address: str | None = None
        """As bound, once started."""

    async def start(self) -> None:
        """Bind and serve.

        Raises:
            OSError: the address cannot be bound.
        """
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError:
            await self._runner.cleanup()
            raise
        host, port = self._runner.addresses[0][:2]
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    async def stop(self) -> None:
        """Close the port."""
        await self._runner.cleanup()
