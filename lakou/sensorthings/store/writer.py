"""The one thread that commits: takes whatever arrived while the last commit ran, commits, then answers.

No timer: an idle writer commits at once, a busy one gathers (DESIGN §4 rule 1). A job that fails gets its own
error and leaves no trace; an error of the database fails the batch with 503; a full queue refuses with 503.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Any

from lakou.kernel.errors import Fault, LakouError, Unavailable
from lakou.sensorthings.store import deleting
from lakou.sensorthings.store.database import Database, cannot_evaluate, out_of_order
from lakou.sensorthings.store.figures import WriterFigures
from lakou.sensorthings.store.registry import Registry
from lakou.sensorthings.store.session import Commit, NeedsExclusive, Session
from lakou.sensorthings.witness import EXPIRED

log = logging.getLogger(__name__)

Work = Callable[[Session], Any]
Published = Callable[[Commit], None]

# After a failure of work that nobody waits for; commits go on.
PAUSE_S = 1.0


class Job:
    """Work to be done in a commit. `entities` tells that it may change more than Observations.

    `whole` work runs under a savepoint; other work must check before it changes anything.
    """

    __slots__ = ("entities", "future", "loop", "result", "rows", "whole", "work")

    def __init__(self, work: Work, *, rows: int, entities: bool, whole: bool) -> None:
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self.loop.create_future()
        self.work = work
        self.rows = rows
        self.entities = entities
        self.whole = whole
        self.result: tuple[bool, Any] | None = None


class Writer:
    """Owns the writing connection. `published` is called with what each commit made, on the writer's thread."""

    def __init__(self, database: Database, published: Published, *, commit_rows: int, queue_rows: int) -> None:
        self._database = database
        self._published = published
        self._commit_rows = commit_rows
        self._queue_rows = queue_rows
        self._registry = Registry()
        self._queue: deque[Job] = deque()
        self._queued = 0
        self._wake = threading.Condition()
        self._stopping = False
        self._purging = True
        self._rest_until = 0.0
        self._failures = 0
        self._thread: threading.Thread | None = None
        self.figures = WriterFigures()
        self.acted: Callable[[], None] = _nothing
        """Called on the writer's thread after a commit that has put acts into the outbox."""

    @property
    def queued(self) -> int:
        """Rows that wait for a commit."""
        return self._queued

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="lakou-writer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Commit what is queued, then end."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def submit(self, work: Work, *, rows: int = 1, entities: bool = True, whole: bool = True) -> asyncio.Future[Any]:
        """Queue work; the future has its result after the commit. Raises Unavailable when the queue is full."""
        if self._queued + rows > self._queue_rows and self._queued:
            raise Unavailable("Too many Observations are waiting to be stored", hint="Send slower.", code="queue_full")
        if self._stopping or self._thread is None or not self._thread.is_alive():
            raise Unavailable("The store is stopping", hint="Try again shortly.")
        job = Job(work, rows=rows, entities=entities, whole=whole)
        with self._wake:
            self._queue.append(job)
            self._queued += rows
            is_first = len(self._queue) == 1
        if is_first:
            # Woken after the tasks that are ready now: they share a commit, and the two threads do not fight.
            job.loop.call_soon(self._notify)
        return job.future

    def _notify(self) -> None:
        with self._wake:
            self._wake.notify()

    # ── the thread ──

    def _run(self) -> None:
        while True:
            batch = self._take()
            if batch is None:
                return
            try:
                if batch:
                    self._commit(batch)
            except BaseException as error:  # the writer must outlive anything, and nobody may wait for ever
                self._note_failure(error)
                self._reset()
                self._fail(batch, out_of_order())
            if not batch or self._database.is_behind(idle=False):
                self._tidy()

    def _take(self) -> list[Job] | None:
        """The jobs of the next commit; [] when idle, None at the end."""
        with self._wake:
            while not self._queue:
                if self._stopping:
                    return None
                rest_s = self._rest_until - time.monotonic()
                if rest_s <= 0 and (self._purging or self._database.is_behind(idle=True)):
                    return []
                self._wake.wait(rest_s if rest_s > 0 else None)
            batch = [self._queue.popleft()]
            rows = batch[0].rows
            while self._queue and rows + self._queue[0].rows <= self._commit_rows:
                batch.append(self._queue.popleft())
                rows += batch[-1].rows
            self._queued -= rows
        return batch

    def _commit(self, batch: list[Job]) -> None:
        exclusive = any(job.entities for job in batch)
        started = perf_counter()
        try:
            try:
                session = self._attempt(batch, exclusive=exclusive, apart=False)
            except NeedsExclusive:
                self._reset()
                session = self._attempt(batch, exclusive=True, apart=False)
        except Exception as error:
            self._reset()
            if not self._database.is_data_error(error):
                self._note_failure(error)
                self._fail(batch, out_of_order())
                return
            session = self._attempt(batch, exclusive=True, apart=True)
        self._note_success()
        told = session.told()
        self.figures.committed(len(told.observed), session.repeats + len(session.replayed), perf_counter() - started)
        self._answer(batch, session)
        if told.observed or told.changed:
            self._purging = self._purging or any(c.verb == "delete" for c in session.changed)
            self._published(told)
        if session.acts and any(one.act != EXPIRED for one in session.acts):
            self.acted()

    def _attempt(self, batch: list[Job], *, exclusive: bool, apart: bool) -> Session:
        """Run and commit a batch; with `apart` every job is flushed under a savepoint of its own."""
        tx = self._database.begin(exclusive=exclusive)
        epoch = tx.epoch()
        if epoch != self._registry.epoch:
            self._registry.forget()
            self._registry.epoch = epoch
        session = Session(tx, self._registry, exclusive=exclusive)
        for job in batch:
            job.result = self._one(session, job, apart=apart)
        session.finish()
        self._database.commit()
        return session

    def _one(self, session: Session, job: Job, *, apart: bool) -> tuple[bool, Any]:
        if not (job.whole or apart):
            try:
                return True, job.work(session)
            except LakouError as error:
                return False, error
            except NeedsExclusive:
                raise
            except Exception as error:
                if self._database.is_failure(error) or self._database.is_data_error(error):
                    raise
                return False, _fault(error)
        mark = session.mark()
        try:
            value = job.work(session)
            session.release()
        except NeedsExclusive:
            raise
        except Exception as error:
            if self._database.is_failure(error):
                raise
            session.undo(mark)
            if not self._database.is_data_error(error):
                return False, _fault(error)
            return False, error if isinstance(error, LakouError) else cannot_evaluate()
        return True, value

    def _answer(self, batch: list[Job], session: Session) -> None:
        replayed = session.replayed
        done: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], bool, Any]]] = {}
        for job in batch:
            ok, value = job.result or (False, out_of_order())
            if replayed and ok:
                value = _stored(value, replayed)
            done.setdefault(job.loop, []).append((job.future, ok, value))
        for loop, answers in done.items():
            _call(loop, answers)

    def _fail(self, batch: list[Job] | None, error: LakouError) -> None:
        for job in batch or ():
            _call(job.loop, [(job.future, False, error)])

    def _reset(self) -> None:
        self._registry.forget()
        try:
            self._database.rollback()
        except Exception:
            log.exception("A rollback failed")

    def _tidy(self) -> None:
        """A slice of what nobody waits for: sealing and purging. After an error it rests."""
        if time.monotonic() < self._rest_until:
            return
        try:
            if self._purging and not self._queue:
                self._purge()
            else:
                started = perf_counter()
                if self._database.settle():
                    self.figures.settling.add(perf_counter() - started)
        except Exception as error:
            self._note_failure(error)
            self._rest_until = time.monotonic() + PAUSE_S
            self._reset()

    def _purge(self) -> None:
        tx = self._database.begin(exclusive=True)
        session = Session(tx, self._registry, exclusive=True)
        more = deleting.purge(session)
        session.finish()
        self._database.commit()
        self._purging = more
        self._note_success()

    def _note_failure(self, error: BaseException) -> None:
        """Log an outage once and whole: writing its trace takes longer than a commit, and the disk may be full."""
        self.figures.failed += 1
        if not self._failures:
            log.error("The store cannot write: %s", type(error).__name__, exc_info=error)
        self._failures += 1

    def _note_success(self) -> None:
        if self._failures:
            log.warning("The store writes again, after %d failures", self._failures)
            self._failures = 0


def _nothing() -> None:
    pass


def _fault(error: Exception) -> Fault:
    """The answer to an error that nobody foresaw, which is logged whole."""
    log.error("A job met a fault", exc_info=error)
    return Fault("The service met an error")


def _stored(value: Any, replayed: dict[int, int]) -> Any:
    """Ids of replays become those of the stored Observations, wherever a result holds ids."""
    if isinstance(value, int):
        return replayed.get(value, value)
    if isinstance(value, list):
        return [_stored(v, replayed) for v in value]
    return value


def _call(loop: asyncio.AbstractEventLoop, answers: list[tuple[asyncio.Future[Any], bool, Any]]) -> None:
    try:
        loop.call_soon_threadsafe(_resolve, answers)
    except RuntimeError:  # the loop is closed: nobody waits any more
        log.info("An answer came after the end of its loop")


def _resolve(answers: list[tuple[asyncio.Future[Any], bool, Any]]) -> None:
    for future, ok, value in answers:
        if future.done():
            continue
        if ok:
            future.set_result(value)
        else:
            future.set_exception(value)
