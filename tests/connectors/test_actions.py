"""The record of runs: leases between processes, states, and how much is kept."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lakou.connectors import actions, queries
from lakou.connectors.models import ConnectorRun, ConnectorState
from lakou.connectors.running import RunResult
from lakou.kernel.errors import NotFound

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LASTS = timedelta(seconds=150)
NAME = "ioc_sealevel"


@pytest.fixture(autouse=True)
def _empty(civic_database: Path) -> None:
    ConnectorState.objects.all().delete()


def record(outcome: str = "ok", *, at: datetime = NOW, due: datetime | None = None, failures: int = 0) -> None:
    result = RunResult(NAME, outcome, 7, 0, 1, 0.25, "" if outcome == "ok" else "no answer")  # type: ignore[arg-type]
    actions.record_run(result=result, started=at, due=due, failures=failures, holder="a")


def lease(holder: str, at: datetime = NOW, *, scheduled: bool = True) -> bool:
    return actions.take_lease(name=NAME, holder=holder, now=at, lasts=LASTS, scheduled=scheduled)


def test_only_one_process_gets_the_lease() -> None:
    assert lease("a")
    assert not lease("b")
    assert not lease("b", scheduled=False)


def test_a_lease_left_by_a_dead_process_ends() -> None:
    assert lease("a")
    assert lease("b", NOW + LASTS)


def test_a_lease_left_by_a_dead_process_of_this_machine_does_not_count() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    host = actions.holder().rpartition(":")[0]
    assert lease(f"{host}:{ended.pid}")
    assert lease(actions.holder())
    assert not lease("b")
    assert not lease(f"elsewhere:{ended.pid}")


def test_a_recorded_run_gives_the_lease_back_and_waits_until_due() -> None:
    assert lease("a")
    record(due=NOW + timedelta(seconds=300))
    assert not lease("b", NOW + timedelta(seconds=299))
    assert lease("b", NOW + timedelta(seconds=300))


def test_a_person_may_run_it_before_it_is_due() -> None:
    record(due=NOW + timedelta(seconds=300))
    assert lease("b", scheduled=False)


def test_an_unknown_connector_gets_no_state() -> None:
    with pytest.raises(NotFound):
        actions.take_lease(name="nothing", holder="a", now=NOW, lasts=LASTS)
    assert not ConnectorState.objects.exists()


def test_a_failure_keeps_the_last_success() -> None:
    record()
    record("failed", at=NOW + timedelta(minutes=5), failures=1)
    state = ConnectorState.objects.get(name=NAME)
    assert (state.last_success, state.last_run) == (NOW, NOW + timedelta(minutes=5))
    assert (state.last_error, state.failures) == ("no answer", 1)
    assert queries.failures_of(NAME) == 1


def test_a_partial_run_is_no_success() -> None:
    record("partial")
    assert ConnectorState.objects.get(name=NAME).last_success is None


def test_the_last_two_hundred_runs_are_kept() -> None:
    for minute in range(actions.KEPT_RUNS + 5):
        record(at=NOW + timedelta(minutes=minute))
    assert ConnectorRun.objects.count() == actions.KEPT_RUNS
    assert queries.last_runs(NAME)[0].started == NOW + timedelta(minutes=actions.KEPT_RUNS + 4)


def test_every_known_connector_is_listed_also_when_it_never_ran() -> None:
    standings = {standing.meta.name: standing.state for standing in queries.standings()}
    assert set(standings) >= {"ioc_sealevel", "lorawan", "usgs_earthquakes"}
    assert standings["lorawan"] is None
