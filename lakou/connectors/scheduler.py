"""Runs the polling connectors that the configuration enables, each by its own period.

One task a connector, so two runs of one never overlap here; a lease in the civic database holds other processes
off. A failure doubles the wait, up to an hour, with jitter so that sources are not asked by all at once. Time is
the monotonic clock; a run that hangs is cut.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from lakou.connectors.running import RunResult

log = structlog.get_logger(__name__)

JITTER = 0.1
MAX_BACK_OFF_S = 3600.0
RUN_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Job:
    """A connector to run every `period_s`; `run` returns its result and is cut after `timeout_s`."""

    name: str
    period_s: float
    run: Callable[[], Awaitable[RunResult]]
    timeout_s: float = RUN_TIMEOUT_S


class Register(Protocol):
    """Where runs are agreed on between processes and written down; `register.CivicRegister` in the product."""

    async def failures(self, name: str) -> int:
        """Failed runs in a row, from before this process started."""
        ...

    async def may_run(self, name: str, lasts_s: float) -> bool:
        """True when no other process runs it and it is due; holds it for `lasts_s`."""
        ...

    async def record(self, result: RunResult, failures: int, next_in_s: float) -> None:
        """Write the run down and let go of it."""
        ...


class Clock(Protocol):
    def monotonic(self) -> float: ...
    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """Real time."""

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def delay_s(period_s: float, failures: int, jitter: float) -> float:
    """Seconds to the next run: the period, doubled for each failure in a row; `jitter` from 0 to 1 moves it ±10 %."""
    # 2**12 periods of one second pass the cap already; more would overflow a float for a source dead for months.
    backed_off = max(period_s, min(period_s * 2.0 ** min(failures, 12), MAX_BACK_OFF_S))
    return backed_off * (1 + JITTER * (2 * jitter - 1))


class Scheduler:
    """`run()` until cancelled. `draw` gives a number from 0 to 1."""

    def __init__(
        self,
        jobs: Sequence[Job],
        register: Register,
        *,
        clock: Clock | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self.jobs = tuple(jobs)
        self._register = register
        self._clock = clock or SystemClock()
        self._draw = draw

    async def run(self) -> None:
        """Run all jobs until cancelled; returns at once when there is none."""
        async with asyncio.TaskGroup() as group:
            for job in self.jobs:
                group.create_task(self._repeat(job), name=f"connector {job.name}")

    async def _repeat(self, job: Job) -> None:
        failures = -1
        # The first runs are spread over a tenth of the period.
        wait = job.period_s * JITTER * self._draw()
        while True:
            await self._clock.sleep(wait)
            try:
                if failures < 0:
                    failures = await self._register.failures(job.name)
                failures, wait = await self._once(job, failures)
            except Exception:  # the edge: the civic database may be away; the sources must be read again after it
                log.exception("the run of a connector cannot be recorded", connector=job.name)
                wait = delay_s(job.period_s, max(failures, 0) + 1, self._draw())

    async def _once(self, job: Job, failures: int) -> tuple[int, float]:
        """One turn: failures in a row after it, and seconds to wait."""
        # The lease outlives the cut of a hanging run, so it ends only for a process that died.
        if not await self._register.may_run(job.name, job.timeout_s + 30):
            return failures, delay_s(job.period_s, 0, self._draw())
        result = await self._cut(job)
        failures = failures + 1 if result.outcome == "failed" else 0
        wait = delay_s(job.period_s, failures, self._draw())
        if result.error:
            log.warning("connector run", connector=job.name, outcome=result.outcome, error=result.error)
        await self._register.record(result, failures, wait)
        return failures, wait

    async def _cut(self, job: Job) -> RunResult:
        started = self._clock.monotonic()
        running = asyncio.ensure_future(job.run())
        cut = asyncio.ensure_future(self._clock.sleep(job.timeout_s))
        try:
            await asyncio.wait({running, cut}, return_when=asyncio.FIRST_COMPLETED)
            if running.done() and not running.cancelled():
                return running.result()
            return self._failed(job, started, f"no end after {job.timeout_s:.0f} s")
        except Exception as error:  # the edge of a run; `run_connector` reports its own failures
            log.exception("connector failed", connector=job.name)
            return self._failed(job, started, f"internal error ({type(error).__name__})")
        finally:
            await _end(running)
            await _end(cut)

    def _failed(self, job: Job, started: float, error: str) -> RunResult:
        return RunResult(job.name, "failed", 0, 0, 0, self._clock.monotonic() - started, error)


async def _end(task: asyncio.Future[Any]) -> None:
    """Cancel what still runs, and wait for it, but not for ever: a task may swallow its cancellation."""
    if not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=5)
