"""One ASGI application by path: the raw data plane, the event stream, static files, and Django for the rest.

No logic of the product stands here. The lifespan starts what must run (tokens, service, scheduler) and stops it
in the opposite order. `/healthz` says that the process lives, `/readyz` that it can do its work (trust R17).
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import shutil
from pathlib import Path
from typing import Any, cast

import structlog
from django.core.handlers.asgi import ASGIHandler

from lakou.connectors import inbound
from lakou.connectors.register import CivicRegister
from lakou.connectors.scheduler import Scheduler
from lakou.identity import authority as identity
from lakou.kernel import jsontext
from lakou.kernel.errors import LakouError
from lakou.sensorthings import http, openapi
from lakou.sensorthings.access import ANONYMOUS
from lakou.sensorthings.mqtt import websocket
from lakou.sensorthings.service import Service
from lakou.server import metrics, processes, static
from lakou.server.config import Config
from lakou.server.types import Application, Message, Receive, Scope, Send
from lakou.web import service_access

DATA_PREFIX = "/sta/v1.1"
STATE = frozenset({"/healthz", "/readyz", "/metrics", "/api/openapi.json"})
MAX_CIVIC_BODY = 16 * 1024 * 1024
MIN_FREE_SHARE = 0.05
PROBE_S = 2.0
COLLECT_AFTER = 20_000

log = structlog.get_logger(__name__)


class Dispatcher:
    """The application of one process."""

    def __init__(self, config: Config, service: Service, authority: identity.TokenAuthority) -> None:
        self._config = config
        self._service = service
        self._authority = authority
        self._civic = cast(Application, ASGIHandler())
        self._static = static.StaticFiles()
        self._counts = metrics.Counts(service.mqtt.counts)
        self._ready = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI 3.0: `http`, `lifespan`, and `websocket` for MQTT; any other websocket is closed."""
        if scope["type"] == "http":
            path: str = scope["path"]
            data_plane = self._config.role != "civic"
            requests = self._counts.requests
            if path.startswith(DATA_PREFIX) and path[len(DATA_PREFIX) :][:1] in ("", "/") and data_plane:
                requests["sensorthings"] += 1
                await self._service(scope, receive, send)
            elif path == "/live" and data_plane:
                requests["live"] += 1
                await self._service.live(scope, receive, send)
            elif path in STATE:
                requests["state"] += 1
                await self._state(path, scope, send)
            elif self._config.role == "data":
                await _answer(send, 404, {"code": "not_found", "status": 404, "message": "Pages are served elsewhere"})
            elif path.startswith("/static/"):
                requests["static"] += 1
                await self._static(scope, receive, send)
            else:
                requests["pages"] += 1
                await self._pages(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "websocket" and scope["path"] == "/mqtt" and self._config.role != "civic":
            self._counts.requests["mqtt"] += 1
            seen = {**scope, "scheme": "https" if scope["scheme"] == "wss" else "http"}
            base = http.base_url(self._service, seen, dict(scope["headers"]))
            await websocket.serve(self._service.mqtt, scope, receive, send, base)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _state(self, path: str, scope: Scope, send: Send) -> None:
        """What machines ask about this process: life, readiness, figures, and the description of its API."""
        if path == "/healthz":
            await _answer(send, 200, {"status": "ok"})
        elif path == "/readyz":
            checks = await self._checks()
            ready = all(checks.values())
            await _answer(send, 200 if ready else 503, {"ready": ready, "checks": checks})
        elif path == "/metrics":
            try:
                page = self._counts.page(http.principal_of(self._service, dict(scope["headers"])))
            except LakouError as error:
                await _answer(send, error.status, error.body(), challenge=error.status == 401)
                return
            await _send(send, 200, metrics.CONTENT_TYPE, page)
        else:
            described = openapi.document(http.base_url(self._service, scope, dict(scope["headers"])))
            await _answer(send, 200, described)

    async def _pages(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Django, with a cap on bodies: it would otherwise keep any size in a temporary file first."""
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if len(length) > 12 or int(length) > MAX_CIVIC_BODY:
            await _too_large(send)
            return
        received = 0
        cut = False

        async def counted() -> Message:
            nonlocal received, cut
            message = await receive()
            received += len(message.get("body", b""))
            if received > MAX_CIVIC_BODY:
                cut = True
                return {"type": "http.disconnect"}
            return message

        await self._civic(scope, counted, send)
        if cut:
            await _too_large(send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        running = contextlib.AsyncExitStack()
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                try:
                    await self._start(running)
                except Exception as error:  # an edge: the server is told, the reason is logged
                    log.exception("start failed")
                    await running.aclose()
                    await send({"type": "lifespan.startup.failed", "message": type(error).__name__})
                    return
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                self._ready = False
                await running.aclose()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _start(self, running: contextlib.AsyncExitStack) -> None:
        await asyncio.to_thread(self._authority.start)
        running.push_async_callback(asyncio.to_thread, self._authority.stop)
        await self._service.start()
        running.push_async_callback(self._service.stop)
        if processes.opens_mqtt(self._config):
            await self._service.mqtt.start(processes.bind_mqtt(self._config), self._config.port)
            running.push_async_callback(self._service.mqtt.stop)
        service_access.set_service(self._service)
        running.callback(service_access.set_service, None)
        side = inbound.install(self._service, self._config.table("connectors"))
        running.callback(inbound.uninstall)
        if self._config.role != "data":
            connectors = asyncio.create_task(Scheduler(side.jobs(), CivicRegister()).run(), name="connectors")
            running.push_async_callback(_cancelled, connectors)
        _settle_memory()
        self._ready = True

    async def _checks(self) -> dict[str, bool]:
        """What has to hold for this process to be sent work."""
        if not self._ready:
            return {"started": False}
        try:
            async with asyncio.timeout(PROBE_S):
                answer = await self._service.call(ANONYMOUS, "GET", "/Things?$top=0")
            store = answer.status == 200
        except TimeoutError:
            store = False
        return {"started": True, "store": store, "disk": await asyncio.to_thread(_disk_has_room, self._config.data_dir)}


def _settle_memory() -> None:
    """Keep the collector away from what lives as long as the process, and let it look less often.

    Measured: a full collection over Django's objects stops every answer for 100 ms, every second or two under load.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 20, 50)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _disk_has_room(folder: Path) -> bool:
    usage = shutil.disk_usage(folder)
    return usage.free >= MIN_FREE_SHARE * usage.total


async def _too_large(send: Send) -> None:
    body = {"code": "too_large", "status": 413, "message": f"The body is above {MAX_CIVIC_BODY} bytes"}
    await _answer(send, 413, body)


async def _answer(send: Send, status: int, body: dict[str, Any], *, challenge: bool = False) -> None:
    await _send(send, status, b"application/json", jsontext.encode(body), challenge=challenge)


async def _send(send: Send, status: int, content_type: bytes, content: bytes, *, challenge: bool = False) -> None:
    headers = [
        (b"content-type", content_type),
        (b"content-length", str(len(content)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    if challenge:
        headers.append((b"www-authenticate", b'Bearer realm="Lakou"'))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
