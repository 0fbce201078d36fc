"""`make bench` at a small size: it runs through, measures every row, and reports it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import measure, tables, writing
from bench.places import Folders, Home, Schemas
from bench.promises import BY_KEY, GROWTH, POSTGRES, POSTGRES_TWO, PROMISES, SQLITE
from bench.report import Machine, read
from bench.server import product
from bench.session import Session, Settings
from tests.harness.postgres import POSTGRES_URL

MAY_BE_LEFT_OUT = {"mqtt_rate", "mqtt_p50", "mqtt_p99", "mqtt_cpu"}
"""Where nothing listens on the MQTT port."""


def _session(home: Home, column: str, small: Settings, work: Path) -> Session:
    return Session(home, column, small, work, None, lambda text: None)


@pytest.mark.slow
@pytest.mark.parametrize(
    "column",
    [
        SQLITE,
        pytest.param(
            POSTGRES, marks=[pytest.mark.postgres, pytest.mark.skipif(POSTGRES_URL is None, reason="no PostgreSQL")]
        ),
    ],
)
def test_a_small_run_measures_every_row_of_its_column(column: str, small: Settings, tmp_path: Path) -> None:
    machine = Machine()
    work = tmp_path / "work"
    home: Home = Folders(work, None) if column == SQLITE else Schemas(POSTGRES_URL or "", work, None)
    session = _session(home, column, small, work)
    try:
        measure.one_worker(session)
    finally:
        home.close()

    assert session.left_out == []
    found = {m.key: m for m in session.found if m.rows is None}
    assert {p.key for p in PROMISES if column in p.columns} - MAY_BE_LEFT_OUT <= set(found)
    assert all(m.value is None or m.value > 0 for m in session.found)
    assert found["live_delivered"].value == 100
    assert {m.key for m in session.found if m.rows} == {p.key for p in GROWTH}

    report = machine.report(small, session.found, [], [], failed=False)
    assert read(report.write(tmp_path / "results")) == report
    table = tables.markdown(report)
    assert all(BY_KEY[key].what in table for key in found)


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.skipif(POSTGRES_URL is None, reason="no PostgreSQL")
def test_all_processes_of_two_workers_are_counted(small: Settings, tmp_path: Path) -> None:
    home = Schemas(POSTGRES_URL or "", tmp_path, None)
    session = _session(home, POSTGRES_TWO, small, tmp_path)
    try:
        key, entities = session.prepared(0)
        with session.copied(key, "two") as place, product(place, 2) as server:
            assert len(server.pids) >= 3
            session.meet(server, entities, 2)
            writing.singles_alone(session, server, entities)
    finally:
        home.close()

    assert session.added[server.port] > entities.shape.streams
    assert all(m.value is not None and m.value > 0 for m in session.found)
