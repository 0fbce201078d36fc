"""The real service with its MQTT endpoint on a free port of loopback, in a thread of its own.

Nothing of the product is replaced; only tokens are those of `Tokens`: a name is its own token, and may be revoked.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Coroutine
from typing import Any

import msgspec

from lakou.kernel.errors import Unauthorized
from lakou.sensorthings.access import ADMIN, Principal
from lakou.sensorthings.limits import Limits
from lakou.sensorthings.request import Answer
from lakou.sensorthings.service import Service, ServiceConfig
from lakou.sensorthings.sql.dialect import Statement
from tests.harness.mqtt import Wire
from tests.sensorthings.caller import Store, Tokens, made

HELD = Statement("select 1 from change where transaction >= pg_snapshot_xmin(pg_current_snapshot()) limit 1", {})
"""Whether something is committed that is not told yet."""


class Revocable(Tokens):
    """Tokens of which some are revoked, or have other rights now."""

    def __init__(self) -> None:
        self.revoked: set[str] = set()
        self.changed: dict[str, Principal] = {}

    def principal(self, authorization: str | None) -> Principal:
        name = (authorization or "").removeprefix("Bearer ")
        if name in self.revoked:
            raise Unauthorized("This token was revoked")
        return self.changed.get(name) or super().principal(authorization)


class Broker:
    """One started service that listens."""

    def __init__(self, store: Store, limits: Limits | None = None) -> None:
        self.tokens = Revocable()
        self.store = store
        self._config = ServiceConfig(store.folder, store.url, "http://test", limits or Limits())
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.port = 0
        self.service = self._opened()

    def _opened(self) -> Service:
        service = Service(self._config, self.tokens)
        service.migrate()
        listener = socket.create_server(("127.0.0.1", self.port))
        self.port = listener.getsockname()[1]

        async def start() -> None:
            await service.start()
            await service.mqtt.start(listener, 80)

        self.run(start())
        return service

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine in the service's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def restart(self) -> None:
        """Stop, and start again on the same port: what the process remembered is gone."""
        self.run(self.service.stop())
        self.service = self._opened()

    def close(self) -> None:
        self.run(self.service.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _wait_for_the_log(self) -> None:
        """On PostgreSQL what is committed is told once no older transaction of the whole server is open."""
        readers = self.service._readers
        deadline = time.monotonic() + 10
        while readers is not None and readers.dialect.name == "postgres":
            if not self.run(readers.rows(HELD, 5.0)) or time.monotonic() > deadline:
                return
            time.sleep(0.02)

    # ── callers ──

    def wire(self, name: str | None = ADMIN.name, version: int = 5, client_id: str = "", **more: Any) -> Wire:
        """A connection that was accepted. It is told of nothing that was done before."""
        self._wait_for_the_log()
        wire = Wire(self.port, version)
        answer = wire.connect(name, name, client_id, **more)
        assert answer.reason == 0, answer
        return wire

    def call(self, method: str, target: str, body: Any = None, who: Principal = ADMIN) -> Answer:
        raw = b"" if body is None else msgspec.json.encode(body)
        found: Answer = self.run(self.service.call(who, method, target, raw))
        return found

    def make(self, target: str, body: Any, who: Principal = ADMIN) -> int:
        """The id of a new entity; fails when it is refused."""
        answer = self.call("POST", target, body, who)
        assert answer.status == 201, answer.body
        return made(answer)

    def change(self, target: str, body: Any) -> None:
        answer = self.call("PATCH", target, body)
        assert answer.status == 200, answer.body

    def read(self, target: str, who: Principal = ADMIN) -> Any:
        answer = self.call("GET", target, who=who)
        assert answer.status == 200, (target, answer.body)
        return msgspec.json.decode(answer.body)

    def results(self, stream: int) -> list[Any]:
        """The results of a Datastream, by time."""
        found = self.read(f"Datastreams({stream})/Observations?$top=10000&$select=result")
        return [item["result"] for item in found["value"]]
