"""The SensorThings service of a process: opens the store, routes requests, and answers from inside the process.

`__call__` is the ASGI data plane, `live` the event stream, `call` the same requests without HTTP (used by
connectors, pages and $batch). Everything is committed before it is answered.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from lakou.kernel import time
from lakou.kernel.bus import Bus
from lakou.kernel.errors import BadRequest, Forbidden, LakouError, Unauthorized, Unavailable
from lakou.kernel.histogram import Histogram
from lakou.sensorthings import batch, bulk, http, live, root
from lakou.sensorthings.access import PUBLIC, Authority, Principal
from lakou.sensorthings.broadcast import Broadcast
from lakou.sensorthings.feed import Feed
from lakou.sensorthings.grammar.lexer import DEFAULT_LIMITS
from lakou.sensorthings.limits import Limits
from lakou.sensorthings.model import MULTI_DATASTREAM, OBSERVATION
from lakou.sensorthings.mqtt.endpoint import Endpoint
from lakou.sensorthings.plan.target import target_of
from lakou.sensorthings.rates import Rates
from lakou.sensorthings.reading import Reading
from lakou.sensorthings.request import Answer, Request, empty, error_answer, json_answer, not_allowed
from lakou.sensorthings.store import changes, databases, figures, held
from lakou.sensorthings.store.database import Database, Lookup
from lakou.sensorthings.store.follower import Follower
from lakou.sensorthings.store.held import Held
from lakou.sensorthings.store.past import StoredPast
from lakou.sensorthings.store.position import after
from lakou.sensorthings.store.readers import Readers
from lakou.sensorthings.store.retention import Policy, Retention
from lakou.sensorthings.store.session import Commit
from lakou.sensorthings.store.writer import Writer
from lakou.sensorthings.telling import Teller
from lakou.sensorthings.witness import Witness
from lakou.sensorthings.work import Work, Written
from lakou.sensorthings.writing import Writing, check_writer

log = logging.getLogger(__name__)

ROOT = "/sta/v1.1"
OPENAPI = "/api/openapi.json"
FILES = {(b"content-type", b"text/csv;charset=UTF-8"): "CSV", (b"content-type", b"application/geo+json"): "GeoJSON"}
"""The first header of answers that are files for other programs."""
UPKEEP_S = 600.0
WAIT_S = 5.0
START_S = 30.0


class ServiceConfig(msgspec.Struct, frozen=True):
    """Where the store is and how the service is seen from outside.

    SQLite when `database_url` is None: `observations.db` in `data_dir`. `base_url` is the external root, such
    as https://capteurs.example.org; None takes it from the Host header.
    """

    data_dir: Path | None = None
    database_url: str | None = None
    base_url: str | None = None
    limits: Limits = Limits()
    retention: Policy = Policy()


def _nothing() -> None:
    pass


class _Listeners:
    """Who is told of the commits of all processes: the bus of this one (store/follower.py)."""

    def __init__(self, bus: Bus, feed: Feed) -> None:
        self._bus = bus
        self._feed = feed
        self.publish = bus.publish
        self.settle = feed.settle

    def asking(self) -> Hashable:
        others = self._bus.count(Commit) - 1  # the feed itself listens to the bus only for others
        asked = self._feed.asking()
        return None if asked is None and not others else (asked, others)


class Service:
    """One store, one writer, a few readers. Without a witness, acts stay in the outbox until somebody has one."""

    def __init__(self, config: ServiceConfig, authority: Authority, witness: Witness | None = None) -> None:
        self.config = config
        self.authority = authority
        self.witness = witness
        self._teller: Teller | None = None
        self.limits = config.limits
        self.bus = Bus()
        self.rates = Rates(config.limits)
        self._database: Database = databases.open_database(
            config.data_dir, config.database_url, hot_rows=config.limits.hot_rows
        )
        self.feed = Feed(is_steady=self._database.is_local)
        self.bus.subscribe(Commit, self.feed.committed)
        self._follower: Follower | None = None
        self._broadcast: Broadcast | None = None
        self._readers: Readers | None = None
        self._writer: Writer | None = None
        self._reading: Reading | None = None
        self._writing = Writing(config.limits)
        self._upkeep: tuple[asyncio.Task[None], ...] = ()
        self.refused: dict[str, int] = {}
        self.mqtt = Endpoint(self)

    def migrate(self) -> None:
        """Create or update the observation store."""
        self._database.migrate()

    async def start(self) -> None:
        """Open the store; it must have been migrated."""
        self.feed.bind(asyncio.get_running_loop())
        self._readers = Readers(self._database)
        self._reading = Reading(self._readers, self.limits)
        past = StoredPast(self._database, self._readers)
        self._broadcast = Broadcast(self.feed, past, lambda one: live.renewed(one, self.authority), self.limits)
        self._follower = databases.open_follower(self._database, _Listeners(self.bus, self.feed))
        if self._follower is None:
            # The writer tells its commits itself; what is there already comes before the first of them.
            self._broadcast.start_at(after(await self._readers.run(changes.end, Lookup(self._database, START_S))))
        else:
            self.feed.wake = self._follower.wake
            self._follower.start()
        self._writer = Writer(
            self._database,
            self.bus.publish if self._follower is None else self._follower.committed,
            commit_rows=self.limits.commit_rows,
            queue_rows=self.limits.queue_rows,
        )
        telling: tuple[asyncio.Task[None], ...] = ()
        if self.witness is not None:
            self._teller = Teller(self.witness, self._readers, self.submitter)
            self._writer.acted = self._teller.wake
            telling = (asyncio.create_task(self._teller.run(), name="lakou-telling"),)
        self._writer.start()
        self._upkeep = (
            *telling,
            asyncio.create_task(self._keep_up(), name="lakou-upkeep"),
            asyncio.create_task(self._work_beside(), name="lakou-beside"),
        )

    async def stop(self) -> None:
        """Commit what is queued and close the store."""
        for task in self._upkeep:
            task.cancel()
        await asyncio.gather(*self._upkeep, return_exceptions=True)
        await self.mqtt.stop()
        if self._broadcast is not None:
            self._broadcast.close()
            await asyncio.sleep(0)
        if self._teller is not None:
            await self._teller.finish()
        if self._writer is not None:
            await asyncio.to_thread(self._writer.stop)
        if self._follower is not None:
            self.feed.wake = _nothing
            await asyncio.to_thread(self._follower.stop)
        if self._readers is not None:
            await asyncio.to_thread(self._readers.close)
        self._writer = self._readers = self._reading = self._follower = self._broadcast = self._teller = None
        self._database.close()

    async def _keep_up(self) -> None:
        """Now and then: prune the change log in slices, make partitions of months to come, remove what is not kept."""
        more = False
        retention = Retention(self.config.retention.defaults)
        while True:
            await asyncio.sleep(0.05 if more else UPKEEP_S)
            try:
                more = await self.submitter()(lambda session: changes.prune(session.tx), entities=False)
                if self.config.retention.applies:
                    goes_on = await self.submitter()(lambda session: retention.step(session, time.now()))
                    self._gather_expired(goes_on)
                    more = goes_on or more
                if not more:
                    await asyncio.to_thread(self._database.maintain)
            except LakouError as error:
                log.warning("Upkeep has to wait: %s", error.message)

    def _gather_expired(self, goes_on: bool) -> None:
        """A run of retention is one act: it is told when the run has ended."""
        if self._teller is not None:
            if self._teller.is_expiring and not goes_on:
                self._teller.wake()
            self._teller.is_expiring = goes_on

    async def _work_beside(self) -> None:
        """Checkpoints and rollups, beside the commits."""
        while True:
            try:
                rest_s = await asyncio.to_thread(self._database.beside)
            except Exception as error:  # a database that is away comes back; until then the work waits
                log.warning("Work beside the commits has to wait: %s", error)
                rest_s = WAIT_S
            if rest_s is None:
                return
            await asyncio.sleep(rest_s)

    # ── what it tells of itself ──

    async def probe(self) -> None:
        """Let the writer commit nothing: it lives and its database answers. Raises Unavailable."""
        await self.submitter()(lambda session: None, entities=False, whole=False)

    @property
    def queue_share(self) -> float:
        """How full the writer's queue is, from 0 to 1."""
        return 0.0 if self._writer is None else self._writer.queued / self.limits.queue_rows

    def figures(self) -> Iterator[tuple[str, tuple[str, ...], float | Histogram]]:
        """Figures of now, for the page of metrics: (name, labels, value). Nothing is asked of the database."""
        yield "lakou_queue_limit_rows", (), self.limits.queue_rows
        yield "lakou_live_listeners", (), 0 if self._broadcast is None else self._broadcast.listeners
        yield from self.mqtt.counts.samples()
        for code, count in list(self.refused.items()):
            yield "lakou_refused_total", (code,), count
        if self._readers is not None:
            yield "lakou_readers_busy", (), self._readers.busy
        if self._writer is not None:
            writer = self._writer.figures
            yield "lakou_queue_rows", (), self._writer.queued
            yield "lakou_observations_total", (), writer.observations
            yield "lakou_replays_total", (), writer.replays
            yield "lakou_commits_failed_total", (), writer.failed
            yield "lakou_commit_rows", (), writer.rows
            yield "lakou_commit_duration_seconds", (), writer.seconds
            yield "lakou_seal_duration_seconds", (), writer.settling
        if self._teller is not None:
            yield "lakou_acts_told_total", (), self._teller.told
            yield "lakou_acts_failed_total", (), self._teller.failed

    async def held(self) -> Held | None:
        """Who holds the readers of the change log up, None when nobody does. Raises Unavailable."""
        if self._readers is None or self._database.is_local:
            return None
        return held.of(await self._readers.rows(held.statement(), figures.LAG_TIMEOUT_S))

    async def sizes(self) -> list[tuple[str, tuple[str, ...], float]]:
        """Figures that have to be looked for, in the form of `figures`; what cannot be read now is left out."""
        found: list[tuple[str, tuple[str, ...], float]] = []
        for name, (size, log_size) in figures.sizes(self.config.data_dir if self._database.is_local else None).items():
            found.append(("lakou_database_bytes", (name,), size))
            found.append(("lakou_wal_bytes", (name,), log_size))
        if self._readers is None:
            return found
        try:
            for meaning, statement in figures.statements(self._database.dialect.name).items():
                rows = await self._readers.rows(statement, figures.LAG_TIMEOUT_S)
                if meaning == "readers":
                    found += [("lakou_change_log_lag_entries", (name,), lag) for name, lag in rows]
                elif meaning == "acts":
                    found.append(("lakou_acts_waiting", (), figures.numbers(rows)))
                elif meaning == "length":
                    found.append(("lakou_change_log_entries", (), figures.numbers(rows)))
                else:
                    found.append(("lakou_database_bytes", ("observations",), figures.numbers(rows)))
            if not self._database.is_local:
                late = await self.held() or Held(0.0, "", "", 0)
                found.append(("lakou_change_log_delay_seconds", (late.database,), late.seconds))
        except LakouError as error:
            log.warning("Sizes cannot be read: %s", error.message)
        return found

    def note_refusal(self, error: LakouError) -> None:
        """Count an error that becomes an answer; codes come from the program, never from input."""
        self.refused[error.error_code] = self.refused.get(error.error_code, 0) + 1

    def note_denial(self, principal: Principal, error: LakouError, address: str | None, part: str) -> None:
        """Somebody who is known may not do what they asked for."""
        if self.witness is not None and isinstance(error, Forbidden):
            self.witness.note_refusal(principal, error, address, part)

    def note_stranger(self, error: Unauthorized, address: str | None, part: str) -> None:
        """Somebody has shown a token that is not valid."""
        if self.witness is not None:
            self.witness.note_refusal(None, error, address, part)

    # ── edges ──

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI 3.0 for every path under the service root."""
        await http.respond(self, scope, receive, send)

    async def live(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI 3.0 for the event stream."""
        await http.stream(self, scope, receive, send)

    @property
    def broadcast(self) -> Broadcast:
        """The clients of the event stream. Raises Unavailable while the service is not started."""
        if self._broadcast is None:
            raise Unavailable("The store is not open")
        return self._broadcast

    async def call(
        self,
        principal: Principal,
        method: str,
        target: str,
        body: bytes = b"",
        headers: tuple[tuple[bytes, bytes], ...] | list[tuple[bytes, bytes]] = (),
    ) -> Answer:
        """The answer to a request from inside the process; `target` is below the service root."""
        path, _, query = target.partition("?")
        base = (self.config.base_url or "http://localhost").rstrip("/") + ROOT
        found = {name.lower(): value for name, value in headers}
        return await self.handle(Request(method, path, query, found, body, principal, base))

    async def handle(self, request: Request) -> Answer:
        """The answer to a request; errors become answers here, and nowhere else."""
        try:
            return await self._route(request)
        except LakouError as error:
            self.note_refusal(error)
            self.denied(request, error)
            return error_answer(error)
        except RecursionError:
            return error_answer(BadRequest("The request is nested too deeply", code="depth"))

    # ── routing ──

    async def _route(self, request: Request) -> Answer:
        path = request.path.strip("/")
        match request.method:
            case "GET" | "HEAD":
                if not path:
                    external = request.base.removesuffix(ROOT)
                    return json_answer(200, root.root(request.base, external + OPENAPI, self.mqtt.port))
                return await self._read(request)
            case "OPTIONS":
                return empty(204, [(b"allow", b"GET, HEAD, POST, PATCH, PUT, DELETE, OPTIONS")])
            case "POST" if (act := ACTIONS.get(path)) is not None:
                return await act(self, request)
            case "POST" if request.media_type in ("application/x-ndjson", "application/ndjson"):
                return await self._ndjson(request)
            case "POST" | "PATCH" | "PUT" | "DELETE":
                if path in ACTIONS:
                    raise not_allowed(f"{request.method} is not possible here", "POST")
                if not path:
                    raise not_allowed(f"{request.method} is not possible here", "GET, HEAD")
                return await self._write(request)
        raise not_allowed(f"There is no method {request.method[:20]}", "GET, HEAD, POST, PATCH, PUT, DELETE")

    async def _read(self, request: Request) -> Answer:
        if self._reading is None:
            raise Unavailable("The store is not open")
        found = await self._reading.answer(request)
        if self.witness is not None and found.headers and found.headers[0] in FILES:
            self._note_taken(request, found)
        return found

    def _note_taken(self, request: Request, found: Answer) -> None:
        """A file of what is not public for all was taken away; within the process a page draws it only."""
        reads = request.principal.reads
        if self.witness is not None and request.client is not None and (reads is None or not reads <= {PUBLIC}):
            form = FILES[found.headers[0]]
            self.witness.note_taken(request.principal, form, len(found.body), request.client)

    def prepare(self, request: Request) -> Work:
        """The work of a writing request, checked as far as it can be without the database."""
        return self._writing.prepare(request)

    async def submit(self, work: Work) -> Any:
        """Commit a work; its outcome. Long deletions go on in further commits until they are done."""
        submit = self.submitter()
        while True:
            done = await submit(work.run, entities=work.entities, whole=work.whole)
            if not (isinstance(done, Written) and done.more):
                return done

    def readers(self) -> Readers:
        """The readers of the store; raises Unavailable while it is not open."""
        if self._readers is None:
            raise Unavailable("The store is not open")
        return self._readers

    def submitter(self) -> bulk.Submit:
        """What queues work for the writer; raises Unavailable while the store is not open."""
        if self._writer is None:
            raise Unavailable("The store is not open")
        return self._writer.submit

    async def _write(self, request: Request) -> Answer:
        work = self.prepare(request)
        done = await self.submit(work)
        return await self.shown(request, done, work.answer(done))

    async def shown(self, request: Request, done: Any, answer: Answer) -> Answer:
        """The answer with the entity as it is now, for what was created or changed."""
        if not isinstance(done, Written) or request.method == "DELETE" or not done.id:
            return answer
        if "return=minimal" in (request.header(b"prefer") or ""):
            return answer
        query = next((p for p in request.query.split("&") if "resultMetadata" in p), "")
        again = Request("GET", f"{done.type.plural}({done.id})", query, {}, b"", request.principal, request.base)
        entity = await self._read(again)
        kept = [h for h in entity.headers if h[0] in (b"content-type", b"etag")]
        return Answer(answer.status, [*answer.headers, *kept], entity.body)

    async def _ndjson(self, request: Request) -> Answer:
        check_writer(request.principal)
        target = target_of(request.path, DEFAULT_LIMITS)
        if target.type is not OBSERVATION or target.single or target.member or target.ref or target.count:
            raise BadRequest("Lines are Observations", place="path", code="ndjson")
        stream_id, multi = None, False
        if len(target.hops) == 2 and target.hops[0].type.table == "datastream":
            stream_id, multi = target.hops[0].key, target.hops[0].type is MULTI_DATASTREAM
        elif len(target.hops) > 1:
            raise BadRequest("Lines go to Observations or to a Datastream's", place="path", code="ndjson")
        denied, submit = partial(self.denied, request), self.submitter()
        return await bulk.ndjson(request, stream_id, multi=multi, submit=submit, limits=self.limits, denied=denied)

    def denied(self, request: Request, error: LakouError) -> None:
        """Somebody who is known may not do what a request asks for."""
        self.note_denial(request.principal, error, request.client, "sensorthings")


async def _create_observations(service: Service, request: Request) -> Answer:
    check_writer(request.principal)
    denied = partial(service.denied, request)
    return await bulk.create_observations(request, service.submitter(), service.limits, denied)


ACTIONS: dict[str, Callable[[Service, Request], Awaitable[Answer]]] = {
    "$batch": batch.answer,
    "%24batch": batch.answer,
    "CreateObservations": _create_observations,
}
"""What is posted to beside the sets."""

__all__ = ["Answer", "Service", "ServiceConfig"]
