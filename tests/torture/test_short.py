"""Short runs of the torture commands, on every `make test`. The long ones are run by hand."""

from __future__ import annotations

import pytest

from tests.conftest import DATABASES, POSTGRES_URL
from tests.harness.server import running
from tests.torture import backup, fuzz_http, kill9, powercut


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


@pytest.mark.parametrize("database", DATABASES)
def test_backup_under_load(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    with running(database, POSTGRES_URL) as server:
        report = backup.run(server, rate=2_500, seconds=1.5, superuser_url=POSTGRES_URL)
    with capsys.disabled():
        print(f"\n{database}: {backup.told(report)}")
    assert report.passed, report
    assert report.rate >= 2_000


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
