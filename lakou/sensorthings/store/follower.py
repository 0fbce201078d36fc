"""Follows the change log on PostgreSQL, so that every process hears the commits of all, in one order.

A thread with a connection of its own. Writers wake it: the one of its process directly, those of others by an empty
NOTIFY, sent after the commit and at most every 20 ms; one that is lost is healed by a look every second. It reads
the log only up to the oldest transaction still under way (DESIGN §4 rule 10), so that a slow worker's commit is told
late but never lost. While nobody listens it reads nothing.
"""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import threading
import time
from collections.abc import Hashable
from typing import Any, Protocol

import psycopg

from lakou.sensorthings.store import changes, events
from lakou.sensorthings.store.changes import Cursor
from lakou.sensorthings.store.database import Rows
from lakou.sensorthings.store.session import Commit

log = logging.getLogger(__name__)

CHANNEL = "lakou_change"
PACE_S = 0.02
POLL_S = 1.0
REST_S = 0.5
PAGE = 1_000
"""Entries read at a time."""
BEHIND = 200_000
"""Observations that are told late; when there are more, listeners are told of a gap instead."""


class Source(Protocol):
    """Where a follower gets its connection."""

    def follow(self) -> tuple[psycopg.Connection[Any], Rows]:
        """A new connection in autocommit, and what reads on it. Raises psycopg.Error."""
        ...


class Listeners(Protocol):
    """Who is told. `asking` is None while nobody listens, and another value when others do than before."""

    def asking(self) -> Hashable: ...

    def publish(self, commit: Commit) -> None: ...

    def settle(self) -> None:
        """Return when what was published has been handed on, so that nothing piles up."""
        ...


class Follower:
    """Publishes the commits of all processes while somebody listens, each once and in the order of the log."""

    def __init__(self, source: Source, listeners: Listeners) -> None:
        self._source = source
        self._listeners = listeners
        self._streams = events.Streams()
        self._cursor: Cursor | None = None
        self._asking: Hashable = None
        self._stopping = False
        self._committed = False
        self._failing = False
        self._earliest = 0.0
        self._woken, self._bell = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(self._bell, False)
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="lakou-follower", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; what it has not told yet is told by nobody."""
        self._stopping = True
        self.wake()
        if self._thread is not None:
            self._thread.join(timeout=10)
        os.close(self._woken)
        os.close(self._bell)

    def committed(self, commit: Commit | None = None) -> None:
        """This process has committed: look at once, and tell the others."""
        self._committed = True
        self.wake()

    def wake(self) -> None:
        """Look now. Any thread may call it."""
        with contextlib.suppress(BlockingIOError):  # a full pipe rings already
            os.write(self._bell, b".")

    # ── the thread ──

    def _run(self) -> None:
        while not self._stopping:
            try:
                connection, rows = self._source.follow()
                with connection:
                    self._follow(connection, rows)
            except Exception as error:  # the follower must outlive anything; the cursor knows where to go on
                level = logging.INFO if self._failing else logging.WARNING
                log.log(level, "Following the change log failed: %s", type(error).__name__, exc_info=error)
                self._failing = True
                time.sleep(REST_S)

    def _follow(self, connection: psycopg.Connection[Any], rows: Rows) -> None:
        connection.execute(f"listen {CHANNEL}")
        with selectors.DefaultSelector() as selector:
            selector.register(connection.fileno(), selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            is_idle = True
            while not self._stopping:
                self._round(connection, rows, is_idle=is_idle)
                self._failing = False
                is_idle = not selector.select(POLL_S)
                # Wakes that come close together are one: in a busy second this looks fifty times, not a thousand.
                time.sleep(max(0.0, self._earliest - time.monotonic()))
                self._earliest = time.monotonic() + PACE_S
                with contextlib.suppress(BlockingIOError):
                    os.read(self._woken, 65_536)
                _take_notifications(connection)

    def _round(self, connection: psycopg.Connection[Any], rows: Rows, *, is_idle: bool) -> None:
        if self._committed:
            self._committed = False
            connection.execute(f"notify {CHANNEL}")
        asking = self._listeners.asking()
        if asking is None:
            self._cursor = self._asking = None
            return
        if self._cursor is None:
            self._cursor = changes.end(rows)
        if asking != self._asking:
            self._asking = asking
            self._listeners.publish(Commit([], [], [], self._cursor))
        # Read before the log is, so that all before it has been told afterwards, also where nothing was logged.
        reached = changes.end(rows) if is_idle else self._cursor
        self._tell(rows, self._cursor)
        if self._cursor < reached:
            self._cursor = reached
            self._listeners.publish(Commit([], [], [], reached))

    def _tell(self, rows: Rows, cursor: Cursor) -> None:
        """Publish what was committed after the cursor."""
        while not self._stopping:
            entries = changes.read(rows, cursor, PAGE)
            if len(entries) == PAGE and changes.behind(rows, cursor, BEHIND) > BEHIND:
                cursor = self._cursor = changes.end(rows)
                log.warning("More than %d Observations behind: listeners have to look again", BEHIND)
                self._listeners.publish(Commit([], [], [], cursor, gap=True))
                continue
            for group in events.slices(entries):
                for commit in events.commits(rows, group, self._streams):
                    self._listeners.publish(commit)
                cursor = self._cursor = group[-1].cursor
                self._listeners.settle()
            if len(entries) < PAGE:
                return


def _take_notifications(connection: psycopg.Connection[Any]) -> None:
    """Empty what has arrived: a notification says nothing but that there is something in the log."""
    connection.pgconn.consume_input()
    while connection.pgconn.notifies() is not None:
        pass
