"""The scheduler's register in the civic database: who may run a connector now, and how its runs went."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from asgiref.sync import sync_to_async
from django.db import close_old_connections

from lakou.connectors import actions, queries
from lakou.connectors.running import RunResult

T = TypeVar("T")

# A timer may wake a moment before the wall clock says that the run is due; it must not lose its turn for that.
TOLERANCE = timedelta(seconds=1)


class CivicRegister:
    """Implements `scheduler.Register`; the database work happens off the event loop."""

    def __init__(self) -> None:
        self._holder = f"{socket.gethostname()[:28]}:{os.getpid()}"[:40]
        self._started: dict[str, datetime] = {}

    async def failures(self, name: str) -> int:
        return await _off_the_loop(lambda: queries.failures_of(name))

    async def may_run(self, name: str, lasts_s: float, *, scheduled: bool = True) -> bool:
        now = datetime.now(UTC)
        self._started[name] = now
        return await _off_the_loop(
            lambda: actions.take_lease(
                name=name, holder=self._holder, now=now, lasts=timedelta(seconds=lasts_s), scheduled=scheduled
            )
        )

    async def record(self, result: RunResult, failures: int, next_in_s: float | None) -> None:
        now = datetime.now(UTC)
        due = None if next_in_s is None else now + timedelta(seconds=next_in_s) - TOLERANCE
        started = self._started.pop(result.name, now)
        await _off_the_loop(
            lambda: actions.record_run(result=result, started=started, due=due, failures=failures, holder=self._holder)
        )


async def _off_the_loop(work: Callable[[], T]) -> T:
    def call() -> T:
        # No request ends here, so nobody else drops a connection that the database has closed.
        close_old_connections()
        try:
            return work()
        finally:
            close_old_connections()

    return await sync_to_async(call)()
