"""The scheduler on a clock of its own: periods, back-off, jitter, hanging sources, other processes."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable

import pytest

from lakou.connectors.running import RunResult
from lakou.connectors.scheduler import MAX_BACK_OFF_S, Job, Scheduler, delay_s


class Clock:
    """Time that passes only when everybody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        wake: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (self.now + seconds, self._count, wake))
        await wake

    async def until(self, end: float) -> None:
        """Let time pass to `end`, waking sleepers in order."""
        while True:
            for _ in range(20):
                await asyncio.sleep(0)
            while self._sleepers and self._sleepers[0][2].done():
                heapq.heappop(self._sleepers)
            if not self._sleepers or self._sleepers[0][0] > end:
                break
            at, _, wake = heapq.heappop(self._sleepers)
            self.now = max(self.now, at)
            wake.set_result(None)
        self.now = end


class Register:
    def __init__(self, allowed: Callable[[], bool] = lambda: True, failures: int = 0, broken: int = 0) -> None:
        self.records: list[tuple[RunResult, int, float]] = []
        self._allowed, self._failures, self._broken = allowed, failures, broken

    async def failures(self, name: str) -> int:
        return self._failures

    async def may_run(self, name: str, lasts_s: float) -> bool:
        return self._allowed()

    async def record(self, result: RunResult, failures: int, next_in_s: float) -> None:
        if self._broken:
            self._broken -= 1
            raise ConnectionError("the civic database is away")
        self.records.append((result, failures, next_in_s))


def ended(outcome: str = "ok") -> RunResult:
    return RunResult("x", outcome, 1, 0, 0, 0.0, "" if outcome == "ok" else "down")  # type: ignore[arg-type]


def simulate(
    run: Callable[[Clock], Callable[[], Awaitable[RunResult]]], register: Register, seconds: float, period_s: float = 60
) -> Clock:
    clock = Clock()

    async def scenario() -> None:
        job = Job("x", period_s, run(clock), timeout_s=30)
        task = asyncio.create_task(Scheduler([job], register, clock=clock, draw=lambda: 0.5).run())
        await clock.until(seconds)
        task.cancel()
        await asyncio.wait({task}, timeout=5)

    asyncio.run(scenario())
    return clock


def test_a_job_runs_once_a_period() -> None:
    starts: list[float] = []

    def make(clock: Clock) -> Callable[[], Awaitable[RunResult]]:
        async def run() -> RunResult:
            starts.append(clock.now)
            return ended()

        return run

    register = Register()
    simulate(make, register, 200)
    assert starts == [3.0, 63.0, 123.0, 183.0]
    assert [failures for _, failures, _ in register.records] == [0, 0, 0, 0]


def test_a_failure_doubles_the_wait_and_a_success_ends_it() -> None:
    starts: list[float] = []

    def make(clock: Clock) -> Callable[[], Awaitable[RunResult]]:
        async def run() -> RunResult:
            starts.append(clock.now)
            return ended("failed" if len(starts) <= 2 else "ok")

        return run

    register = Register()
    simulate(make, register, 500)
    assert starts == [3.0, 123.0, 363.0, 423.0, 483.0]
    assert [failures for _, failures, _ in register.records] == [1, 2, 0, 0, 0]


def test_back_off_goes_on_after_a_restart() -> None:
    register = Register(failures=3)

    async def run() -> RunResult:
        return ended("failed")

    simulate(lambda _: run, register, 10)
    assert register.records[0][1:] == (4, 960.0)


@pytest.mark.parametrize(("failures", "expected"), [(0, 60), (1, 120), (5, 1920), (6, MAX_BACK_OFF_S), (10_000, 3600)])
def test_delay_doubles_to_a_cap(failures: int, expected: float) -> None:
    assert delay_s(60, failures, 0.5) == expected


def test_delay_has_jitter_and_never_goes_below_a_long_period() -> None:
    assert delay_s(60, 0, 0.0) == pytest.approx(54)
    assert delay_s(60, 0, 1.0) == pytest.approx(66)
    assert delay_s(86_400, 3, 0.5) == 86_400


def test_a_hanging_source_is_cut_and_the_next_run_comes() -> None:
    register = Register()

    def make(clock: Clock) -> Callable[[], Awaitable[RunResult]]:
        async def run() -> RunResult:
            await asyncio.Event().wait()
            return ended()

        return run

    simulate(make, register, 200)
    assert [(r.outcome, f) for r, f, _ in register.records] == [("failed", 1), ("failed", 2)]
    assert "no end after 30 s" in register.records[0][0].error
    assert register.records[0][0].duration_s == 30


def test_two_runs_of_one_connector_never_overlap() -> None:
    running = 0
    most = 0

    def make(clock: Clock) -> Callable[[], Awaitable[RunResult]]:
        async def run() -> RunResult:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await clock.sleep(25)
            running -= 1
            return ended()

        return run

    simulate(make, Register(), 300, period_s=10)
    assert most == 1


def test_an_exception_is_a_failed_run_and_tells_no_detail() -> None:
    async def run() -> RunResult:
        raise RuntimeError("secret path")

    register = Register()
    simulate(lambda _: run, register, 10)
    assert register.records[0][0].error == "internal error (RuntimeError)"


def test_a_run_that_another_process_holds_is_left_to_it() -> None:
    async def run() -> RunResult:
        raise AssertionError

    register = Register(allowed=lambda: False)
    simulate(lambda _: run, register, 200)
    assert register.records == []


def test_the_scheduler_survives_a_database_that_is_away() -> None:
    async def run() -> RunResult:
        return ended()

    register = Register(broken=1)
    simulate(lambda _: run, register, 200)
    assert len(register.records) >= 1


def test_without_jobs_it_ends_at_once() -> None:
    asyncio.run(Scheduler([], Register()).run())
