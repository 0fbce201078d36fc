"""`make bench` at a small size: it runs through, measures everything, and reports it. No figure is judged here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import dataset
from bench.__main__ import measure
from bench.measure import Settings
from bench.places import Folders
from bench.promises import BY_KEY, PROMISES, SQLITE

SMALL = Settings(rows=6_000, things=10, datastreams_each=5, seconds=0.3, warm_s=0.1, rounds=1)


@pytest.mark.slow
def test_a_small_run_measures_every_promise_on_sqlite(tmp_path: Path) -> None:
    done = measure(SMALL, None, None, tmp_path / "work")

    assert [reason for reason in done.left_out if not reason.startswith("PostgreSQL")] == []
    found = {m.key: m for m in done.measured}
    assert {p.key for p in PROMISES if SQLITE in p.databases} <= set(found)
    assert all(m.value is None or m.value > 0 for m in done.measured)

    kept = json.loads(done.write(tmp_path / "results").read_bytes())
    assert kept["settings"]["rows"] == SMALL.rows
    table = done.markdown()
    assert all(BY_KEY[key].what in table for key in found)


def test_a_filled_store_is_made_once_and_kept(tmp_path: Path) -> None:
    said: list[str] = []
    first = dataset.prepare(Folders(tmp_path / "a", tmp_path / "cache"), 4, 2, 1_000, said.append)
    again = dataset.prepare(Folders(tmp_path / "b", tmp_path / "cache"), 4, 2, 1_000, said.append)

    assert first == again
    assert len(said) == 2
    assert again[1].rows == again[1].dense_rows + 7 * again[1].rows_each
