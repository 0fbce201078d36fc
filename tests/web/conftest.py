"""The pages over a small data plane, with Django's client or in a real browser."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from django.core.handlers.asgi import ASGIHandler
from django.test import Client
from playwright.sync_api import Browser, sync_playwright

from lakou.server.static import StaticFiles
from lakou.web import service_access
from tests.web.double import Double, Thing, lamentin

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture
def data() -> Iterator[Double]:
    """The demonstration's network, two of whose Things are silent; a test may change it."""
    double = Double(lamentin())
    service_access.set_service(double)
    yield double
    service_access.set_service(None)


@pytest.fixture
def web() -> Client:
    """A visitor without JavaScript."""
    return Client()


class Site:
    """The pages at an address, with their static files and an event stream that the test feeds."""

    def __init__(self, things: list[Thing]) -> None:
        self.double = Double(things)
        self.base = ""
        self.live_is_up = True
        self._pages: Any = ASGIHandler()
        self._static = StaticFiles()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._readers: list[asyncio.Queue[str]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self._loop = asyncio.get_running_loop()
        if scope["path"] == "/live":
            await self._live(send)
        elif scope["path"].startswith("/static/"):
            await self._static(scope, receive, send)
        else:
            await self._pages(scope, receive, send)

    async def _live(self, send: Any) -> None:
        status = 200 if self.live_is_up else 503
        headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        if not self.live_is_up:
            await send({"type": "http.response.body", "body": b""})
            return
        await send({"type": "http.response.body", "body": b": hello\n\n", "more_body": True})
        queue: asyncio.Queue[str] = asyncio.Queue()
        self._readers.append(queue)
        while (event := await queue.get()) != "":
            await send({"type": "http.response.body", "body": event.encode(), "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    def publish(self, event: str, data: object = None) -> None:
        """Send an event to every open page."""
        self._to_all(f"event: {event}\nid: 1\ndata: {json.dumps(data)}\n\n")

    def cut(self) -> None:
        """End every event stream and refuse new ones."""
        self.live_is_up = False
        self._to_all("")

    def _to_all(self, text: str) -> None:
        assert self._loop
        for queue in self._readers:
            self._loop.call_soon_threadsafe(queue.put_nowait, text)


@contextlib.contextmanager
def serving(things: list[Thing]) -> Iterator[Site]:
    """The pages on a free port of the loopback, in a thread."""
    site = Site(things)
    service_access.set_service(site.double)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        site.base = f"http://127.0.0.1:{listener.getsockname()[1]}"
        config = uvicorn.Config(site, lifespan="off", log_level="error", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])), daemon=True)
        thread.start()
        try:
            yield site
        finally:
            if site._loop is not None:
                site.cut()
            server.should_exit = True
            thread.join(10)
            service_access.set_service(None)


@pytest.fixture
def site() -> Iterator[Site]:
    """The pages over the demonstration's network, for a browser."""
    with serving(lamentin()) as started:
        yield started


# Not for the whole run: while it is open, Playwright keeps an event loop running in this thread, and
# `asyncio.run` in the tests of other files would refuse to start one.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed: the pages are not seen in a browser")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield started
        started.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The text of axe-core, from node_modules; `python -m lakou.web.vendor` fetches it."""
    path = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
    if not path.is_file():
        pytest.skip("axe-core is not there: run `python -m lakou.web.vendor` to fetch it")
    return path.read_text("utf-8")
