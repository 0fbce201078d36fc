"""A SensorThings service in a loop of its own, called without HTTP and restarted at will.

`Caller` is the real service over a real store; nothing of the product is replaced. `Store` says where the store is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from lakou.kernel.errors import Unauthorized
from lakou.sensorthings.access import ADMIN, ANONYMOUS, Changes, Principal
from lakou.sensorthings.limits import Limits
from lakou.sensorthings.service import Answer, Service, ServiceConfig
from lakou.sensorthings.store import databases
from lakou.sensorthings.store.database import Database
from lakou.sensorthings.witness import Witness

DEVICE = Principal(id=11, name="gauge", role="device", reads=frozenset({0, 101}), home=101, changes=Changes.OWN)
OTHER = Principal(id=12, name="other", role="device", reads=frozenset({0, 102}), home=102, changes=Changes.OWN)
AGENT = Principal(id=13, name="agent", role="agent", reads=frozenset({0, 103}), home=103, changes=Changes.ALL)
SCOPED = Principal(
    id=15, name="scoped", role="device", reads=frozenset({0, 105}), home=105, changes=Changes.GIVEN,
    streams=frozenset({1}), things=frozenset({2}),
)  # fmt: skip
"""A token that was given Datastream 1 and Thing 2."""
READER = Principal(id=14, name="reader", role="reader", reads=frozenset({0, 104}), home=104)

HOT_ROWS = 4
"""So few that what a test writes lies in both tiers of SQLite."""


class Tokens:
    """An authority that knows the principals of these tests by their names."""

    def principal(self, authorization: str | None) -> Principal:
        if authorization is None:
            return ANONYMOUS
        for known in (ADMIN, DEVICE, OTHER, AGENT, READER, SCOPED):
            if authorization == f"Bearer {known.name}":
                return known
        raise Unauthorized("There is no such token")


class Store(msgspec.Struct, frozen=True):
    """Where a store is: a folder for SQLite, or the URL of a PostgreSQL database."""

    name: str
    folder: Path | None = None
    url: str | None = None

    def open(self) -> Database:
        """The database, to be closed by the caller."""
        return databases.open_database(self.folder, self.url)

    def caller(self, limits: Limits | None = None, witness: Witness | None = None) -> Caller:
        """A started service over this store."""
        return Caller(self, limits or Limits(hot_rows=HOT_ROWS), witness)


Asked = tuple[str, str, Any]
"""Method, target and body of a request."""


class Caller:
    """A started service; every call is done when it returns."""

    def __init__(self, store: Store, limits: Limits, witness: Witness | None = None) -> None:
        self._witness = witness
        self._config = ServiceConfig(store.folder, store.url, "http://test", limits)
        self._runner = asyncio.Runner()
        self.service = self._opened()

    def _opened(self) -> Service:
        service = Service(self._config, Tokens(), self._witness)
        service.migrate()
        self._runner.run(service.start())
        return service

    def restart(self) -> None:
        """What the process remembered is gone; what it had acknowledged must be there."""
        self._runner.run(self.service.stop())
        self.service = self._opened()

    def close(self) -> None:
        self._runner.run(self.service.stop())
        self._runner.close()

    # ── requests ──

    def call(
        self,
        method: str,
        target: str,
        body: Any = None,
        *,
        who: Principal = ADMIN,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """The answer to one request; `body` is JSON unless it is bytes."""
        return self._runner.run(self._call(method, target, body, who, headers or {}))

    def together(self, asked: Iterable[Asked], *, who: Principal = ADMIN) -> list[Answer]:
        """The answers to requests that are all on their way at once."""

        async def run() -> list[Answer]:
            return await asyncio.gather(*(self._call(m, t, b, who, {}) for m, t, b in asked))

        return self._runner.run(run())

    def cut_off(self, asked: Iterable[Asked], *, who: Principal = ADMIN) -> None:
        """Requests whose answers nobody gets, for the service stops while they are under way; then it is back."""

        async def run() -> None:
            tasks = [asyncio.ensure_future(self._call(m, t, b, who, {})) for m, t, b in asked]
            await asyncio.sleep(0)
            await self.service.stop()
            await asyncio.gather(*tasks, return_exceptions=True)

        self._runner.run(run())
        self.service = self._opened()

    def run(self, work: Any) -> Any:
        """Run a coroutine in the service's loop."""
        return self._runner.run(work)

    async def _call(self, method: str, target: str, body: Any, who: Principal, headers: Mapping[str, str]) -> Answer:
        raw = body if isinstance(body, bytes) else b"" if body is None else msgspec.json.encode(body)
        sent = [(n.lower().encode(), v.encode()) for n, v in headers.items()]
        return await self.service.call(who, method, target, raw, sent)

    # ── checked requests ──

    def read(self, target: str, *, who: Principal = ADMIN) -> Any:
        """The decoded body of a GET that must succeed."""
        answer = self.call("GET", target, who=who)
        assert answer.status == 200, (target, answer.body)
        return msgspec.json.decode(answer.body)

    def ids(self, target: str, *, who: Principal = ADMIN) -> list[int]:
        """The ids of a page."""
        return [entity["@iot.id"] for entity in self.read(target, who=who)["value"]]

    def make(self, target: str, body: Any, *, who: Principal = ADMIN) -> int:
        """The id of a new entity; fails when it is refused."""
        answer = self.call("POST", target, body, who=who)
        assert answer.status == 201, (target, answer.body)
        return made(answer)


def made(answer: Answer) -> int:
    """The id in the Location of an answer."""
    return int((answer.header(b"location") or "(0)").rpartition("(")[2].rstrip(")"))


def body_of(answer: Answer) -> Any:
    """The decoded body of an answer."""
    return msgspec.json.decode(answer.body)
