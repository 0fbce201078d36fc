"""Monthly partitions: made ahead, carved out of the future with what it holds, every legal time has a place."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from lakou.sensorthings.sql.dialect import Micros
from lakou.sensorthings.store import partitions, postgres_types
from lakou.sensorthings.store.partitions import AHEAD, BEHIND

pytestmark = pytest.mark.postgres
_INSERT = (
    "insert into observation (datastream_id, time_start, id, result_type, feature_id, digest)"
    " values (1, %s, %s, 0, 1, %s)"
)

FIRST = 10**15
"""An id that no other test of this database gives."""


@pytest.fixture
def connection(postgres_urls: Callable[[int], str]) -> Iterator[psycopg.Connection[Any]]:
    """A database whose partitions tests may move; what they do is rolled back."""
    options = "-c search_path=observations,public -c timezone=UTC"
    with psycopg.connect(postgres_urls(0), options=options) as found:
        postgres_types.register(found)
        yield found
        found.rollback()


def months(connection: psycopg.Connection[Any]) -> list[str]:
    rows = connection.execute(
        "select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid"
        " where i.inhparent = 'observation'::regclass order by 1"
    )
    return [row[0] for row in rows]


def holder(connection: psycopg.Connection[Any], id_: int) -> str:
    (found,) = connection.execute(
        "select tableoid::regclass::text from observation where id = %s", (id_,)
    ).fetchone() or ("",)
    return str(found)


def later(today: datetime.date, ahead: int) -> datetime.date:
    month = today.year * 12 + today.month - 1 + ahead
    return datetime.date(month // 12, month % 12 + 1, 15)


def name(day: datetime.date) -> str:
    return f"observation_y{day:%Y_%m}"


def micros(day: datetime.date) -> Micros:
    return Micros((day - datetime.date(1970, 1, 1)).days * 86_400_000_000)


def test_a_new_store_has_the_last_year_and_two_months_ahead(connection: psycopg.Connection[Any]) -> None:
    today = datetime.datetime.now(datetime.UTC).date()
    found = months(connection)
    assert {"observation_past", "observation_future"} <= set(found)
    assert {name(later(today, n)) for n in range(-BEHIND, AHEAD + 1)} <= set(found)


def test_there_is_nothing_to_do_in_the_same_month(connection: psycopg.Connection[Any]) -> None:
    assert partitions.rotate(connection, datetime.datetime.now(datetime.UTC).date()) == []


@pytest.mark.parametrize("ahead", [1, 3])
def test_months_are_carved_out_of_the_future_with_their_rows(connection: psycopg.Connection[Any], ahead: int) -> None:
    today = datetime.datetime.now(datetime.UTC).date()
    days = [later(today, AHEAD + 1), later(today, AHEAD + ahead), later(today, AHEAD + ahead + 1)]
    for id_, day in enumerate(days, FIRST):
        connection.execute(_INSERT, (micros(day), id_, id_))
    assert holder(connection, FIRST) == "observation_future"
    made = partitions.rotate(connection, later(today, ahead))
    assert made == [name(later(today, AHEAD + n)) for n in range(1, ahead + 1)]
    assert [holder(connection, id_) for id_ in range(FIRST, FIRST + 3)] == [
        name(days[0]),
        name(days[1]),
        "observation_future",
    ]
    assert partitions.rotate(connection, later(today, ahead)) == []
    connection.execute("savepoint twice")
    with pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute(_INSERT, (micros(days[0]), 9, FIRST))
    connection.execute("rollback to savepoint twice")


@pytest.mark.parametrize("year", [1, 1969, 1990, 2200, 9999])
def test_every_legal_time_has_a_place(connection: psycopg.Connection[Any], year: int) -> None:
    connection.execute(_INSERT, (micros(datetime.date(year, 12, 31)), FIRST, FIRST))
    assert holder(connection, FIRST) in ("observation_past", "observation_future")
    (found,) = connection.execute(
        "select time_start from observation where id = %s", (FIRST,), binary=True
    ).fetchone() or (0,)
    assert found == micros(datetime.date(year, 12, 31))
