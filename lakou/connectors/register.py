"""The scheduler's register in the civic database: who may run a connector now, and how its runs went."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from lakou.connectors import actions, queries
from lakou.connectors.civic import off_the_loop
from lakou.connectors.running import RunResult

# A timer may wake a moment before the wall clock says that the run is due; it must not lose its turn for that.
TOLERANCE = timedelta(seconds=1)


class CivicRegister:
    """Implements `scheduler.Register`; the database work happens off the event loop."""

    def __init__(self) -> None:
        self._holder = actions.holder()
        self._started: dict[str, datetime] = {}

    async def failures(self, name: str) -> int:
        return await off_the_loop(lambda: queries.failures_of(name))

    async def may_run(self, name: str, lasts_s: float, *, scheduled: bool = True) -> bool:
        """As `scheduler.Register`; `scheduled` False asks out of turn, on a person's word."""
        now = datetime.now(UTC)
        self._started[name] = now
        return await off_the_loop(
            lambda: actions.take_lease(
                name=name, holder=self._holder, now=now, lasts=timedelta(seconds=lasts_s), scheduled=scheduled
            )
        )

    async def record(self, result: RunResult, failures: int, next_in_s: float | None) -> None:
        """As `scheduler.Register`; without `next_in_s` the next scheduled run is due at once."""
        now = datetime.now(UTC)
        due = None if next_in_s is None else now + timedelta(seconds=next_in_s) - TOLERANCE
        started = self._started.pop(result.name, now)
        await off_the_loop(
            lambda: actions.record_run(result=result, started=started, due=due, failures=failures, holder=self._holder)
        )
