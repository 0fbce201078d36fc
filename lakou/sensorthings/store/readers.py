"""A small pool of threads that run reads, so that a long one never holds up the loop.

Rows are fetched whole before anything is sent: no cursor pins the log while a slow client reads
(DESIGN §4 rule 8); a page has at most 10,000 entities.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from lakou.sensorthings.sql.dialect import Dialect, Statement
from lakou.sensorthings.store.database import Database, Lookup, Row

Result = TypeVar("Result")


class Readers:
    """Runs statements on `threads` connections; short ones may run at once on the loop's own."""

    def __init__(self, database: Database, threads: int = 4) -> None:
        self._database = database
        self.busy = 0
        """Reads at work or waited for."""
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="lakou-reader")

    @property
    def dialect(self) -> Dialect:
        return self._database.dialect

    @property
    def is_local(self) -> bool:
        """Whether this process is the only writer, of a database on its own disk."""
        return self._database.is_local

    async def rows(self, statement: Statement, timeout_s: float, *, short: bool = False) -> list[Row]:
        """The rows of a statement. `short` promises an indexed look-up of few rows."""
        if short and self._database.is_local:
            return self._database.read(statement, timeout_s)
        return await self._busy(self._database.read, statement, timeout_s)

    async def made(self, statement: Statement, timeout_s: float, make: Callable[[list[Row]], Result]) -> Result:
        """What `make` makes of the rows of a statement, on the thread that has read them: to hand many rows over takes
        longer than it seems."""

        def work() -> Result:
            return make(self._database.read(statement, timeout_s))

        return await self._busy(work)

    async def _busy(self, work: Callable[..., Result], *given: Any) -> Result:
        # The context goes along, so that a line logged by the reader names the request.
        run = contextvars.copy_context().run
        self.busy += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, run, work, *given)
        finally:
            self.busy -= 1

    def lookup(self, timeout_s: float) -> Lookup:
        """Short reads for work that is given to `run`."""
        return Lookup(self._database, timeout_s)

    async def run(self, work: Callable[..., Result], *given: Any) -> Result:
        """Do short reading work of several statements on one of the threads."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *given)

    def close(self) -> None:
        """End, and do not wait for what a slow read still does: its answer has nobody to go to."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._database.interrupt()
        self._pool.shutdown(wait=True)
