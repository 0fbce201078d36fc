"""A database that looks up and stores nothing: what the server costs without one.

It is the SQLite store without its transactions: what the writer asks about a Datastream the first time it meets it
is read from a real file, so that every Observation passes the real checks; all that would be written is dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from lakou.sensorthings.store.database import Row
from lakou.sensorthings.store.sqlite import SQLiteDatabase, SQLiteTransaction
from lakou.sensorthings.store.tiers import Tiers


class NullDatabase(SQLiteDatabase):
    """See `database.Database`. The file must have been migrated, and stays as it is."""

    def begin(self, *, exclusive: bool) -> SQLiteTransaction:
        if self._writer is None:
            self._writer = self._connect()
            self._writer.execute("pragma query_only = on")
            self._next_id = 1
        return NullTransaction(self, self._writer, Tiers(self._writer, self._hot_rows))

    def commit(self) -> None: ...

    def rollback(self) -> None: ...


class NullTransaction(SQLiteTransaction):
    """See `database.Transaction`."""

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        return super().rows(sql, parameters) if sql.lstrip().startswith("select") else []

    def add_observations(self, rows: list[list[Any]]) -> list[tuple[int, int]]:
        return []

    def log(self, entries: Iterable[tuple[str, str, int, int]]) -> None: ...

    def savepoint(self) -> None: ...

    def release(self) -> None: ...

    def undo(self) -> None: ...
