"""Short runs of the torture commands, on every `make test`. The long ones are run by hand."""

from __future__ import annotations

import pytest

from tests.conftest import DATABASES, POSTGRES_URL
from tests.harness.server import running
from tests.torture import fuzz_http, kill9, powercut


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


def test_power_cut() -> None:
    report = powercut.run(cuts=25, requests=240)
    assert report.passed, report.faults


def test_the_power_cut_finds_a_store_that_does_not_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """The judge is judged: with syncs that do nothing, acknowledged rows are lost."""
    monkeypatch.setattr(powercut.RecordedFile, "xSync", lambda self, flags: None)
    assert not powercut.run(cuts=10, requests=160).passed
