"""Short runs of the torture commands, on every `make test`. The long ones are run by hand."""

from __future__ import annotations

import pytest

from tests.conftest import DATABASES, POSTGRES_URL
from tests.harness import cluster
from tests.harness.server import running
from tests.torture import fuzz_http, kill9, pg_restart, powercut


@pytest.mark.parametrize("database", DATABASES)
def test_hostile_input(database: str) -> None:
    with running(database, POSTGRES_URL) as server:
        for seed in (1, 2, 3):
            report = fuzz_http.run(server, 400, seed)
            assert report.faults == [], seed
            assert report.growth_bytes < fuzz_http.GROWTH_BYTES


@pytest.mark.parametrize("database", DATABASES)
def test_kill_under_load(database: str) -> None:
    with running(database, POSTGRES_URL) as server:
        report = kill9.run(server, rounds=2)
    assert report.passed, report


@pytest.mark.postgres
@pytest.mark.skipif(cluster.programs() is None, reason="needs the programs of a PostgreSQL server")
def test_postgres_restarts_under_load() -> None:
    with cluster.cluster() as postgres:
        report = pg_restart.run(postgres, rounds=5, workers=2, load_s=0.3, down_s=0.2)
    assert report.passed, report


def test_power_cut() -> None:
    report = powercut.run(cuts=25, requests=240)
    assert report.passed, report.faults


def test_the_power_cut_finds_a_log_that_is_not_synced(monkeypatch: pytest.MonkeyPatch) -> None:
    """The judge is judged: when the syncs of the write-ahead log are not recorded, acknowledged rows are lost."""
    sync = powercut.RecordedFile.xSync

    def lazy(self: powercut.RecordedFile, flags: int) -> None:
        if not self.path.endswith("-wal"):
            sync(self, flags)

    monkeypatch.setattr(powercut.RecordedFile, "xSync", lazy)
    report = powercut.run(cuts=10, requests=160)
    assert any("lost" in fault for fault in report.faults), report
