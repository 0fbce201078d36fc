"""The control of a running simulator: a small HTTP API on loopback, with the secret of the private file.

GET and PUT /clock, GET and PUT /scenario, GET /injects, GET /report. JSON in and out; errors as the product's.
"""

from __future__ import annotations

import contextlib
import hmac
import socket
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any, TypeVar

import msgspec
import uvicorn

from lakou.kernel.errors import BadRequest, LakouError, MethodNotAllowed, NotFound, Unauthorized, Unavailable
from lakou.simulator import scenario as scenarios
from lakou.simulator.director import Director, instant
from lakou.simulator.report import make_report

MOST_BYTES = 64 * 1024

T = TypeVar("T")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class ClockChange(msgspec.Struct, forbid_unknown_fields=True):
    """What PUT /clock may ask: any of a speed, a pause, and an instant to go to (`+47` or ISO)."""

    speed: float | None = None
    paused: bool | None = None
    at: str | None = None


class ScenarioChange(msgspec.Struct, forbid_unknown_fields=True):
    """What PUT /scenario asks: a scenario by name, its speed, and whether what was written may be deleted first."""

    name: str
    speed: float = 1.0
    rewrite: bool = False


class Control:
    """The ASGI application."""

    def __init__(self, director: Director, secret: str) -> None:
        self._director = director
        self._secret = f"Bearer {secret}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            status, answer = 200, await self._answer(scope, receive)
        except LakouError as error:
            status, answer = error.status, error.body()
        headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": msgspec.json.encode(answer)})

    async def _answer(self, scope: Scope, receive: Receive) -> Any:
        given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        if not hmac.compare_digest(given, self._secret):
            raise Unauthorized("The control needs its secret", hint="Authorization: Bearer …, from the private file")
        match scope["method"], scope["path"]:
            case "GET", "/clock" | "/scenario":
                return self._director.state()
            case "PUT", "/clock":
                return await self._change_clock(await _body(receive, ClockChange))
            case "PUT", "/scenario":
                wanted = await _body(receive, ScenarioChange)
                await self._director.play(scenarios.load(wanted.name), wanted.speed, rewrite=wanted.rewrite)
                return self._director.state()
            case "GET", "/injects":
                return self._injects()
            case "GET", "/report":
                report = await make_report(self._director)
                return {**msgspec.to_builtins(report), "whole": report.is_whole}
            case _, "/clock" | "/scenario" | "/injects" | "/report":
                raise MethodNotAllowed(f"{scope['method']} is not possible here")
        raise NotFound("There are /clock, /scenario, /injects and /report")

    async def _change_clock(self, change: ClockChange) -> Any:
        director = self._director
        if change.at is not None:
            await director.jump(director.instant_of(change.at))
        if change.speed is not None:
            director.clock.run_at(change.speed)
        if change.paused is not None:
            (director.clock.pause if change.paused else director.clock.resume)()
        return director.state()

    def _injects(self) -> list[dict[str, Any]]:
        now_s = self._director.clock.now_s
        return [
            {**msgspec.to_builtins(told.inject), "instant": instant(told.at_s), "told": told.at_s <= now_s}
            for told in self._director.injects()
        ]


async def _body(receive: Receive, kind: type[T]) -> T:
    content = b""
    while True:
        message = await receive()
        content += message.get("body", b"")
        if len(content) > MOST_BYTES:
            raise BadRequest("The body is too large")
        if not message.get("more_body"):
            break
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.DecodeError as error:
        raise BadRequest(f"The body cannot be read: {error}", place="body") from error


def bind(port: int) -> socket.socket:
    """A socket on loopback; 0 takes a free port. Raises Unavailable when the port is taken."""
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError as error:
        raise Unavailable(
            f"The control cannot listen on port {port}: {error.strerror}", place="--control-port", hint="0: a free one"
        ) from error


class Server(uvicorn.Server):
    """Serves the control in the simulator's own loop; signals belong to the run."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def make_server(director: Director, secret: str) -> Server:
    """A server for `serve(sockets=[…])`; end it with `should_exit`."""
    return Server(
        uvicorn.Config(
            Control(director, secret), log_config=None, access_log=False, lifespan="off", server_header=False,
            timeout_graceful_shutdown=2,
        )
    )  # fmt: skip
