"""Short runs of the torture commands, on every `make test`. The long ones are run by hand."""

from __future__ import annotations

import pytest

from tests.conftest import DATABASES
from tests.harness import cluster
from tests.harness.postgres import POSTGRES_URL
from tests.harness.server import running
from tests.torture import backup, clients, disks, faults, fuzz_http, hostile, kill9, pg_restart, powercut

pytestmark = pytest.mark.slow

SLOW_KINDS = ("idle", "pipeliner", "slow_header", "slow_body", "deaf_reader", "reset_storm")


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
        outcome = kill9.run(server, rounds=0)
    assert outcome.passed, outcome.report
    assert not outcome.skipped, f"{outcome.skipped} not tested: the port is closed"


@pytest.mark.postgres
@pytest.mark.skipif(cluster.programs() is None, reason="needs the programs of a PostgreSQL server")
def test_postgres_restarts_under_load() -> None:
    with cluster.cluster() as postgres:
        report = pg_restart.run(postgres, rounds=5, workers=2, load_s=0.3, down_s=0.2)
    assert report.passed, report


@pytest.mark.parametrize("database", DATABASES)
def test_backup_under_load(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    with running(database, POSTGRES_URL) as server:
        report = backup.run(server, rate=2_500, seconds=1.2, prefill=50_000, superuser_url=POSTGRES_URL)
    with capsys.disabled():
        print(f"\n{database}: {backup.told(report)}")
    assert report.whole, report
    assert report.held_up() == [], backup.told(report)


def _steady(began: float, ended: float) -> backup.Ledger:
    """A writer who gets a row acknowledged every 10 ms, each within 5 ms."""
    count = round((ended - began) * 100)
    return backup.Ledger(1, [(began + n / 100, began + n / 100 + 0.005, n, n + 1) for n in range(count)])


def _judged(during: backup.Ledger) -> list[str]:
    report = backup.Report()
    backup.compare(report, [_steady(0.0, 2.0), during, _steady(4.0, 6.0)], (0.0, 2.0, 4.0, 6.0))
    return report.held_up()


def test_the_backup_finds_writers_that_are_held_up() -> None:
    """The judge is judged: a steady writer passes; one that waits for the copy, is slowed or stands still does not."""
    assert _judged(_steady(2.0, 4.0)) == []
    waiting = backup.Ledger(1, [(2.1, 4.1, 0, 1), *_steady(2.0, 2.1).answers])
    assert len(_judged(waiting)) == 3
    slowed = backup.Ledger(1, [(sent, sent + 0.2, a, b) for sent, _, a, b in _steady(2.0, 4.0).answers])
    assert [said.partition(" ")[0] for said in _judged(slowed)] == ["p99"]
    rare = backup.Ledger(1, _steady(2.0, 4.0).answers[::3])
    assert [said.partition(" ")[2] for said in _judged(rare)] == ["rows a second during the backup, 100 beside it"]
    assert _judged(backup.Ledger(1)) != []
    assert backup.Report(during=backup.stretch([_steady(2.0, 4.0)], 2.0, 4.0)).held_up() != []


def test_power_cut() -> None:
    report = powercut.run(cuts=25, requests=240)
    assert report.passed, report.faults


def test_power_cut_of_a_disk_whose_syncs_fail_now_and_then() -> None:
    report = powercut.run(cuts=10, requests=240, fault=powercut.failing_now_and_then)
    assert report.passed, report.faults
    assert report.failed_syncs


def test_power_cut_under_load_from_outside() -> None:
    report = powercut.run_outside(cuts=3, seconds=0.7, by=("single", "array", "mqtt"))
    assert report.passed, report.faults
    assert not report.skipped, f"{report.skipped} not tested: the port is closed"


def test_the_power_cut_finds_a_log_that_is_not_synced(monkeypatch: pytest.MonkeyPatch) -> None:
    """The judge is judged: when the syncs of the write-ahead log are not recorded, acknowledged rows are lost."""
    sync = disks.OddFile.xSync

    def lazy(self: disks.OddFile, flags: int) -> None:
        if not self.path.endswith("-wal"):
            sync(self, flags)

    monkeypatch.setattr(disks.OddFile, "xSync", lazy)
    report = powercut.run(cuts=10, requests=160)
    assert any("lost" in fault for fault in report.faults), report


def test_a_disk_that_is_full_or_fails() -> None:
    outcome = faults.run_on_odd_disk([("sync", False), ("full", True)], ("single", "array", "mqtt"), span_s=0.6)
    assert outcome.complaints() == []
    assert not outcome.skipped, f"{outcome.skipped} not tested: the port is closed"


def test_slow_and_broken_clients() -> None:
    """The kinds that are cut at once or within seconds; the slow ones need the half minute of the command."""
    kinds = {name: kind for name, kind in hostile.KINDS.items() if name not in SLOW_KINDS}
    with running("sqlite") as server:
        report = clients.run(server, 100, kinds, patience_s=12.0, rows=1000)
    assert report.smuggled == 0
    assert not report.not_cut
    assert report.probes.asked > 20
    assert report.probes.failed == []
