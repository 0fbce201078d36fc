"""Rows packed for COPY: what is stored is what was given, whichever of the two ways a row takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lakou.sensorthings.store.database import OBSERVATION_COLUMNS, Lookup
from lakou.sensorthings.store.postgres import PostgresDatabase
from lakou.sensorthings.store.session import NeedsExclusive
from tests.sensorthings.conftest import emptied

pytestmark = pytest.mark.postgres

USUAL = {"datastream_id": 1, "time_start": 1_700_000_000_000_000, "id": 1, "result_type": 1, "result_number": 2.5,
         "feature_id": 3, "digest": -(2**63)}  # fmt: skip
FULL = {**USUAL, "id": 2, "time_start": -62_135_596_800_000_000, "time_end": 5, "result_time": 0, "valid_start": -1,
        "valid_end": 253_402_300_799_999_999, "result_type": 5, "result_number": 7, "result_boolean": True,
        "result_text": "é𝄞", "result_json": "[1]", "result_quality": "{}", "parameters": '{"a":1}',
        "digest": 2**63 - 1}  # fmt: skip
EMPTY = {**USUAL, "id": 3, "result_number": None, "digest": None, "result_boolean": False}
WHOLE = {**USUAL, "id": 4, "time_start": 2, "result_number": 10**15, "result_time": 4}


def row(values: dict[str, Any]) -> list[Any]:
    return [values.get(name) for name in OBSERVATION_COLUMNS]


def test_every_kind_of_row_comes_back(postgres_urls: Callable[[int], str]) -> None:
    url = postgres_urls(0)
    emptied(url)
    database = PostgresDatabase(url)
    rows = [row(values) for values in (USUAL, FULL, EMPTY, WHOLE)]
    for exclusive in (False, True):
        tx = database.begin(exclusive=exclusive)
        assert tx.add_observations([list(r) for r in rows]) == []
        found = tx.rows(f"select {', '.join(OBSERVATION_COLUMNS)} from observation order by id")  # noqa: S608
        database.rollback()
        assert [list(r) for r in found] == rows
    database.close()


def test_what_another_process_stored_is_found_by_the_second_attempt(postgres_urls: Callable[[int], str]) -> None:
    url = postgres_urls(0)
    emptied(url)
    database = PostgresDatabase(url)
    first = database.begin(exclusive=False)
    first.add_observations([row(USUAL)])
    database.commit()
    again = [row({**USUAL, "id": 9}), row({**USUAL, "id": 10, "time_start": 7})]
    with pytest.raises(NeedsExclusive):
        database.begin(exclusive=False).add_observations(again)
    database.rollback()
    assert database.begin(exclusive=True).add_observations(again) == [(9, 1)]
    database.commit()
    assert Lookup(database, 5.0).rows("select id from observation order by id") == [(1,), (10,)]
    database.close()
