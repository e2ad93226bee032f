"""The HTTP endpoint."""

import json
import socket

import aiohttp
import pytest

from ibcf.admin.server import AdminServer, build_app
from ibcf.observe.health import Health, State
from ibcf.observe.metrics import Metrics


def make(health: Health, host: str = "127.0.0.1", port: int = 0) -> AdminServer:
    """Make a server."""
    metrics = Metrics(version="1", core_version="2", node="n")
    return AdminServer(build_app(metrics=metrics, health=health, status=lambda: {"generation": 3}), host, port)


async def get(server: AdminServer, path: str) -> tuple[int, str, str]:
    """Ask a path: status, content type, text."""
    async with aiohttp.ClientSession() as session, session.get(f"http://{server.address}{path}") as response:
        return response.status, response.headers["Content-Type"], await response.text()


async def test_all_paths_answer() -> None:
    """Metrics, health and status are served on the port that the system chose."""
    health = Health(State.SERVING)
    server = make(health)
    await server.start()
    try:
        status, kind, text = await get(server, "/metrics")
        assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
        assert "ibcf_build_info" in text
        assert (await get(server, "/health/live"))[0] == 200
        assert (await get(server, "/health/ready"))[::2] == (200, "serving\n")
        assert json.loads((await get(server, "/status"))[2]) == {"generation": 3}
        assert (await get(server, "/nowhere"))[0] == 404
        health.state = State.DRAINING
        assert (await get(server, "/health/live"))[0] == 200
        assert (await get(server, "/health/ready"))[::2] == (503, "draining\n")
    finally:
        await server.stop()


async def test_address_of_ipv6_is_in_brackets() -> None:
    """The bound address can be put into a URL as it is."""
    server = make(Health(), "::1")
    await server.start()
    try:
        assert server.address is not None
        assert server.address.startswith("[::1]:")
    finally:
        await server.stop()


async def test_taken_port_is_an_error_for_the_caller() -> None:
    """A port that is taken raises at start and leaves nothing open."""
    with socket.socket() as occupant:
        occupant.bind(("127.0.0.1", 0))
        occupant.listen()
        server = make(Health(), port=occupant.getsockname()[1])
        with pytest.raises(OSError, match="address already in use"):
            await server.start()
        assert server.address is None
