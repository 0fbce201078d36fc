"""Migrations: what a site has applied is never changed again, and sites of every version come to the same schema."""

from __future__ import annotations

import hashlib
from pathlib import Path

import apsw
import pytest

from lakou.kernel.time import HOUR
from lakou.sensorthings.sql import slot
from lakou.sensorthings.store import migrations
from lakou.sensorthings.store.database import OBSERVATION_COLUMNS
from lakou.sensorthings.store.sqlite import SQLiteDatabase
from lakou.sensorthings.store.tiers import whole
from tests.sensorthings.store.test_tiers import row

APPLIED = {
    "postgres_0001_sensing": "9211bad727d2318f",
    "postgres_0002_rollups": "9b12c445989e5f6a",
    "postgres_0003_mqtt": "4657237a712b8049",
    "postgres_0004_retention": "d4fb6adb34b23fc3",
    "postgres_0005_total_functions": "7ca37dc2597c6baa",
    "postgres_0006_outbox": "09ee976b1c232f7b",
    "postgres_0007_overlong": "7a604e2650f87845",
    "postgres_0008_no_view": "7aec28de73a58ca9",
    "sqlite_0001_sensing": "d7ec9e1f3d902fb8",
    "sqlite_0002_tiers": "8411ced57c2c0ef3",
    "sqlite_0003_mqtt": "97b852151cd7cb7d",
    "sqlite_0004_retention": "959e31ee35967cf1",
    "sqlite_0005_outbox": "7d5bd1e4c5ebc615",
    "sqlite_0006_overlong": "7afc351eea2efe41",
    "sqlite_0007_slots": "e64b68a629467676",
}


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_no_migration_is_changed_once_a_site_may_have_applied_it(database: str) -> None:
    found = {name: hashlib.sha256(text.encode()).hexdigest()[:16] for name, text in migrations.of(database)}
    known = {name: digest for name, digest in APPLIED.items() if name.startswith(database)}
    assert found == known, "write a new migration; its digest is added here"


def test_rows_sealed_with_wide_slots_are_found_by_id_again(tmp_path: Path) -> None:
    """Stores of 26 November 2026 before 17:16 UTC had slots of 2^26 µs, also for rows that were still drained."""
    path = tmp_path / "observations.db"
    old = apsw.Connection(str(path))
    old.execute("create table migration (name text primary key, applied_at integer)")
    for name, text in migrations.of("sqlite"):
        if name < "sqlite_0005":
            old.execute(text.replace("<< 21", "<< 26").replace(">> 21", ">> 26"))
            old.execute("insert into migration values (?, 0)", (name,))
    old.execute("create index hot_a_time on hot_a (time_start)")
    places = ", ".join("?" * len(OBSERVATION_COLUMNS))
    columns = ", ".join(OBSERVATION_COLUMNS)
    rows = {n: row(n, stream=n % 2 + 1, start=n * HOUR) for n in range(1, 7)}
    for n, table in {1: "sealed", 2: "sealed", 3: "hot_b", 4: "hot_b", 5: "hot_a", 6: "hot_a"}.items():
        old.execute(f"insert into {table} ({columns}) values ({places})", rows[n])  # noqa: S608
    old.execute("insert into sealed_key select id, datastream_id, time_start >> 26 from sealed")
    old.execute("insert into sealed_key select id, datastream_id, time_start >> 26 from hot_b")
    old.close()

    database = SQLiteDatabase(path)
    database.migrate()
    database.close()

    new = apsw.Connection(str(path))
    for n, stored in rows.items():
        (found,) = new.execute(f"select {columns} from observation_by_id where id = ?", (n,))  # noqa: S608
        assert whole(found) == tuple(stored)
    keys = new.execute("select id, slot from sealed_key order by id").fetchall()
    expected = new.execute(f"select id, {slot.of('time_start')} from observation where id <= 4 order by id")  # noqa: S608
    assert keys == expected.fetchall()
    assert not new.execute("select 1 from sqlite_master where name = 'hot_a_time'").fetchall()
    new.close()
