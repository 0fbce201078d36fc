"""One ASGI application by path: the raw data plane, the event stream, static files, and Django for the rest.

No logic of the product stands here. The lifespan starts what must run (tokens, service, scheduler) and stops it
in the opposite order. `/healthz` says that the process lives, `/readyz` that it can do its work (trust R17).
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import shutil
from collections.abc import Iterator
from typing import Any, NamedTuple, cast

import structlog
from django.core.handlers.asgi import ASGIHandler
from django.urls import get_resolver

from lakou.connectors import inbound, mqtt_pump
from lakou.connectors.register import CivicRegister
from lakou.connectors.scheduler import Scheduler
from lakou.identity import authority as identity
from lakou.identity.journal import witness
from lakou.kernel import jsontext
from lakou.kernel.errors import LakouError
from lakou.sensorthings import http
from lakou.sensorthings.mqtt import websocket
from lakou.sensorthings.service import Service
from lakou.server import clock, databases, describing, lifetime, metrics, processes, readiness, static, systemd
from lakou.server.config import Config
from lakou.server.proxies import Proxies
from lakou.server.readiness import Readiness
from lakou.server.types import Application, Message, Receive, Scope, Send
from lakou.server.watching import Watch
from lakou.web import service_access

DATA_PREFIX = "/sta/v1.1"
STATE = frozenset({"/healthz", "/readyz", "/metrics", "/api/openapi.json"})
WEBSOCKET = "/mqtt"
PLANES: dict[bytes, readiness.Plane] = {b"for=data": "data", b"for=civic": "civic"}
MAX_CIVIC_BODY = 16 * 1024 * 1024
COLLECT_AFTER = 20_000

log = structlog.get_logger(__name__)


class Route(NamedTuple):
    """A path, or with a final slash all that lie below it; the part that answers there; the role that serves it."""

    path: str
    part: str
    role: str


ROUTES: tuple[Route, ...] = (
    Route(f"{DATA_PREFIX}/", "sensorthings", "data"),
    Route(DATA_PREFIX, "sensorthings", "data"),
    Route("/live", "live", "data"),
    *(Route(path, "state", "all") for path in sorted(STATE)),
    Route("/static/", "static", "civic"),
)
"""What is answered beside Django, which has all other paths."""


class Dispatcher:
    """The application of one process."""

    def __init__(self, config: Config, service: Service, authority: identity.TokenAuthority) -> None:
        self._config = config
        self._service = service
        self._authority = authority
        self._civic = cast(Application, ASGIHandler())
        self._static = static.StaticFiles()
        self.metrics = metrics.Metrics(several=config.workers > 1)
        self._watch = Watch(self.metrics.requests, access_log=config.access_log == "on")
        self._proxies = Proxies(config.trusted_proxies)
        self._is_https = (config.base_url or "").startswith("https:")
        self._readiness = Readiness(service, config.data_dir, lambda: authority.is_reachable)
        self._sizes: list[metrics.Sample] = []
        self.metrics.add(service.figures)
        self.metrics.add(self._own_figures)
        parts: dict[str, Application] = {
            "sensorthings": service,
            "live": service.live,
            "state": self._state,
            "static": self._static,
        }
        served = [route for route in ROUTES if "all" in (route.role, config.role) or route.role == config.role]
        self._below = [(route.path, (route.part, parts[route.part])) for route in served if route.path[-1] == "/"]
        self._at = {route.path: (route.part, parts[route.part]) for route in served if route.path[-1] != "/"}
        self._elsewhere = ("elsewhere", _elsewhere) if config.role == "data" else ("pages", self._pages)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI 3.0: `http`, `lifespan`, and `websocket` for MQTT; any other websocket is closed."""
        if scope["type"] == "http":
            if self._proxies:
                self._proxies.settle(scope)
            part, application = self._part(scope["path"])
            await self._watch.run(part, application, scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "websocket" and scope["path"] == WEBSOCKET and self._config.role != "civic":
            if self._proxies:
                self._proxies.settle(scope)
            seen = {**scope, "scheme": "https" if scope["scheme"] == "wss" else "http"}
            base = http.base_url(self._service, seen, dict(scope["headers"]))
            await websocket.serve(self._service.mqtt, scope, receive, send, base)
        else:
            await send({"type": "websocket.close", "code": 1000})

    def _part(self, path: str) -> tuple[str, Application]:
        """The part of the application that answers a path, with the name under which it is counted."""
        for before, part in self._below:
            if path.startswith(before):
                return part
        return self._at.get(path, self._elsewhere)

    async def _state(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What machines ask about this process: life, readiness, figures, and the description of its API."""
        path = scope["path"]
        if path == "/healthz":
            await _answer(send, 200, {"status": "ok"})
        elif path == "/readyz":
            plane = PLANES.get(scope["query_string"])
            status, body = await self._readiness.answer(plane)
            await _answer(send, status, body)
        elif path == "/metrics":
            sent = dict(scope["headers"]).get(b"authorization")
            actor = None
            try:
                actor = self._authority.actor(None if sent is None else sent.decode("latin-1"))
                metrics.check_reader(actor)
                await self._readiness.answer(None)
                self._sizes = [*await self._service.sizes()]
                page = self.metrics.page()
            except LakouError as error:
                witness.note_refusal(actor, error, http.address_of(scope), "metrics")
                await _answer(send, error.status, error.body(), challenge=error.status == 401)
                return
            await _send(send, 200, metrics.CONTENT_TYPE, page)
        else:
            described = describing.document(http.base_url(self._service, scope, dict(scope["headers"])))
            await _answer(send, 200, described)

    async def _pages(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Django, with a cap on bodies: it would otherwise keep any size in a temporary file first.

        Whether the site is seen over https is what `base_url` says, not what a header claims: HSTS and links follow.
        """
        if self._is_https:
            scope = {**scope, "scheme": "https"}
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
                self._readiness.started = False
                await running.aclose()
                lifetime.stored()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _start(self, running: contextlib.AsyncExitStack) -> None:
        running.push_async_callback(asyncio.to_thread, databases.close_shared)
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
            await asyncio.to_thread(_load_pages)
            connectors = asyncio.create_task(Scheduler(side.jobs(), CivicRegister()).run(), name="connectors")
            running.push_async_callback(_cancelled, connectors)
            listening = asyncio.create_task(
                mqtt_pump.run_bridges(side.settings.bridges, side.entities, side.policy, CivicRegister()),
                name="bridges",
            )
            running.push_async_callback(_cancelled, listening)
        running.push_async_callback(_cancelled, asyncio.create_task(clock.watch(), name="clock"))
        if (every_s := systemd.watchdog_s()) is not None:
            feeding = asyncio.create_task(systemd.feed_watchdog(self._service.probe, every_s), name="watchdog")
            running.push_async_callback(_cancelled, feeding)
        _settle_memory()
        lifetime.watch_signals()
        self._readiness.started = True
        systemd.notify("READY=1")

    def _own_figures(self) -> Iterator[metrics.Sample]:
        yield from self._sizes
        yield from (("lakou_ready", (name,), float(holds)) for name, holds in self._readiness.last.items())
        with contextlib.suppress(OSError):
            yield "lakou_disk_free_bytes", (), shutil.disk_usage(self._config.data_dir).free
        if (offset_s := clock.read().offset_s) is not None:
            yield "lakou_clock_offset_seconds", (), offset_s


def _load_pages() -> None:
    """Import all views now: at the first page it would hold up every sensor for a third of a second (measured)."""
    _ = get_resolver().url_patterns


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


async def _elsewhere(scope: Scope, receive: Receive, send: Send) -> None:
    await _answer(send, 404, {"code": "not_found", "status": 404, "message": "Pages are served elsewhere"})


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
