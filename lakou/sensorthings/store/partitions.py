"""The monthly partitions of `observation` on PostgreSQL, made ahead so that no insert ever waits for one.

`past` and `future` take what lies outside: legal times never fail. The last two months and the next two have
a partition each; `rotate` moves what `future` holds of a new month into it (DESIGN §4 rule 3).
"""

from __future__ import annotations

import datetime
from typing import Any

import psycopg
from psycopg import sql

from lakou.sensorthings.store.database import OBSERVATION_COLUMNS

BEHIND = 2
AHEAD = 2


def create(connection: psycopg.Connection[Any], today: datetime.date) -> None:
    """The first partitions, in the transaction that makes the table."""
    first = _month(today, -BEHIND)
    months = [_month(today, n) for n in range(-BEHIND, AHEAD + 1)]
    _attach(connection, "observation_past", None, first)
    for month in months:
        _attach(connection, _name(month), month, _month(month, 1))
    _attach(connection, "observation_future", _month(months[-1], 1), None)


def rotate(connection: psycopg.Connection[Any], today: datetime.date) -> list[str]:
    """Make the partitions that are missing up to two months ahead; their names. One transaction."""
    made: list[str] = []
    if _month(_last(connection), 1) > _month(today, AHEAD):
        return made
    with connection.transaction():
        connection.execute("lock table observation in share row exclusive mode")
        month = _month(_last(connection), 1)
        while month <= _month(today, AHEAD):
            _carve(connection, month)
            made.append(_name(month))
            month = _month(month, 1)
    return made


def _last(connection: psycopg.Connection[Any]) -> datetime.date:
    """The last month that has a partition of its own."""
    row = connection.execute(
        "select max(c.relname) from pg_inherits i join pg_class c on c.oid = i.inhrelid"
        " where i.inhparent = 'observation'::regclass and c.relname like 'observation_y%'"
    ).fetchone()
    return _parse(str(row[0]) if row else "")


def _carve(connection: psycopg.Connection[Any], month: datetime.date) -> None:
    """Take a month out of `future`: detach, move its rows, attach both."""
    after = _month(month, 1)
    name = sql.Identifier(_name(month))
    columns = sql.SQL(", ").join(map(sql.Identifier, OBSERVATION_COLUMNS))
    connection.execute("alter table observation detach partition observation_future")
    connection.execute(sql.SQL("create table {} (like observation including defaults)").format(name))
    move = sql.SQL(
        "with moved as (delete from observation_future where time_start < {} returning {})"
        " insert into {} ({}) select * from moved"
    )
    connection.execute(move.format(_instant(after), columns, name, columns))
    attach = sql.SQL("alter table observation attach partition {} for values from ({}) to ({})")
    connection.execute(attach.format(name, _instant(month), _instant(after)))
    future = sql.SQL("alter table observation attach partition observation_future for values from ({}) to (maxvalue)")
    connection.execute(future.format(_instant(after)))


def _attach(
    connection: psycopg.Connection[Any], name: str, start: datetime.date | None, end: datetime.date | None
) -> None:
    statement = sql.SQL("create table {} partition of observation for values from ({}) to ({})")
    bounds = (
        sql.SQL("minvalue") if start is None else _instant(start),
        sql.SQL("maxvalue") if end is None else _instant(end),
    )
    connection.execute(statement.format(sql.Identifier(name), *bounds))


def _instant(day: datetime.date) -> sql.Literal:
    return sql.Literal(f"{day.isoformat()}T00:00:00Z")


def _month(day: datetime.date, ahead: int) -> datetime.date:
    months = day.year * 12 + day.month - 1 + ahead
    return datetime.date(months // 12, months % 12 + 1, 1)


def _name(month: datetime.date) -> str:
    return f"observation_y{month:%Y_%m}"


def _parse(name: str) -> datetime.date:
    year, month = name.removeprefix("observation_y").split("_")
    return datetime.date(int(year), int(month), 1)
