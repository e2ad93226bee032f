"""The HTTP endpoint."""

import json
import socket
from types import SimpleNamespace
from typing import cast

import aiohttp
import pytest
from aiohttp import web

from ibcf.admin.server import AdminServer, Control, build_app
from ibcf.observe.health import Health, State
from ibcf.observe.metrics import Metrics
from ibcf.policy.generations import Generations, Refusal
from ibcf.policy.shadow_runs import ShadowRuns


def make(health: Health, host: str = "127.0.0.1", port: int = 0) -> AdminServer:
    """Make a server."""
    metrics = Metrics(version="1", core_version="2", node="n")
    app = build_app(metrics=metrics, health=health, status=lambda: {"generation": 3}, control=control())
    return AdminServer(app, host, port)


def control(done: list[object] | None = None) -> Control:
    """Return a control that takes note, does what it is told, and refuses generation 9."""
    done = [] if done is None else done

    async def reload(import_again: bool) -> bool:  # noqa: FBT001 - what the endpoint was told
        done.append("reload with hooks" if import_again else "reload")
        return True

    async def rollback(number: int | None) -> bool:
        done.append(number)
        return number != 9

    current = SimpleNamespace(number=3, origin=1, cases=12, warnings=0)
    generations = SimpleNamespace(current=current, refusal=Refusal("rollback", 0.0, ("no",)))

    def lift(pattern: str | None, key: str | None) -> int:
        done.append((pattern, key))
        return 2

    shadow = SimpleNamespace(start=lambda *_asked: None, stop=lambda: None, status=lambda **_how: {"running": False})
    return Control(reload, rollback, lift, cast("Generations", generations), cast("ShadowRuns", shadow), lambda: True)


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


async def test_the_policy_is_changed_by_this_host_only_and_by_json_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser's form, another host and nonsense change nothing; what was asked for is answered with its outcome."""
    done: list[object] = []
    metrics = Metrics(version="1", core_version="2", node="n")
    app = build_app(metrics=metrics, health=Health(State.SERVING), status=dict, control=control(done))
    server = AdminServer(app, "127.0.0.1", 0)
    await server.start()
    try:
        async with aiohttp.ClientSession(f"http://{server.address}") as session:

            async def post(path: str, **options: object) -> tuple[int, str]:
                async with session.post(path, **options) as response:  # type: ignore[arg-type]
                    return response.status, await response.text()

            assert (await post("/policy/reload", data={"a": "b"}))[0] == 415
            assert (await post("/policy/rollback", json=[1]))[0] == 400
            assert (await post("/policy/rollback", json={"generation": "x"}))[0] == 400
            headers = {"Content-Type": "application/json"}
            assert (await post("/policy/rollback", data=b"{", headers=headers))[0] == 400
            assert done == []
            status, text = await post("/policy/reload", json={})
            assert (status, json.loads(text)["ok"], json.loads(text)["generation"]) == (200, True, 3)
            status, text = await post("/policy/rollback", json={"generation": 9})
            assert (status, json.loads(text)["ok"], json.loads(text)["faults"]) == (409, False, ["no"])
            assert done == ["reload", 9]
            assert (await post("/policy/reload", json={"hooks": 1}))[0] == 400
            assert (await post("/policy/reload", json={"hooks": True}))[0] == 200
            assert done.pop() == "reload with hooks"
            assert (await post("/policy/unblock", json={"key": 44}))[0] == 400
            assert (await post("/policy/unblock", json={"key": "+44"})) == (200, '{"lifted":2}')
            assert done == ["reload", 9, (None, "+44")]
            monkeypatch.setattr(web.BaseRequest, "remote", "192.0.2.1")
            assert (await post("/policy/reload", json={}))[0] == 403
            assert (await post("/policy/unblock", json={}))[0] == 403
            assert done == ["reload", 9, (None, "+44")]
    finally:
        await server.stop()
