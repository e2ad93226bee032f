"""HTTP for machines: `/metrics`, `/health/live`, `/health/ready`, `/status`.

A port that is taken is said plainly and costs only this: SIP goes on without it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from ibcf.observe.metrics import CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ibcf.observe.health import Health
    from ibcf.observe.metrics import Metrics


def build_app(*, metrics: Metrics, health: Health, status: Callable[[], Mapping[str, Any]]) -> web.Application:
    """Make the application."""

    async def show_metrics(_request: web.Request) -> web.Response:
        body = await asyncio.to_thread(metrics.render)  # some 10,000 series: not on the loop that answers questions
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE})

    async def show_live(_request: web.Request) -> web.Response:
        return _state(health.is_live, health.fault or health.state)

    async def show_ready(_request: web.Request) -> web.Response:
        return _state(health.is_ready, health.fault or health.state)

    async def show_status(_request: web.Request) -> web.Response:
        return web.Response(body=msgspec.json.encode(status()), content_type="application/json")

    app = web.Application()
    app.router.add_get("/metrics", show_metrics)
    app.router.add_get("/health/live", show_live)
    app.router.add_get("/health/ready", show_ready)
    app.router.add_get("/status", show_status)
    return app


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
