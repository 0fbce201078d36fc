"""A database that accepts everything and stores nothing: what the server costs without one.

It implements `lakou.sensorthings.store.database.Database`. Every id names a public Datastream of a Thing with a
Location, so that an Observation passes all checks; what is read back is empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from lakou.kernel.errors import LakouError
from lakou.sensorthings.sql.dialect import Dialect, Statement
from lakou.sensorthings.sql.sqlite import SQLite
from lakou.sensorthings.store.database import Row

_POINT = '{"type":"Point","coordinates":[-60.99,14.61]}'


class NullDatabase:
    """See `database.Database`."""

    dialect: Dialect = SQLite()
    is_local = True

    def __init__(self) -> None:
        self._next_id = 1

    def migrate(self) -> None: ...

    def maintain(self) -> None: ...

    def read(self, statement: Statement, timeout_s: float) -> list[Row]:
        return []

    def begin(self, *, exclusive: bool) -> NullTransaction:
        return NullTransaction(self)

    def take_id(self) -> int:
        """The next id, as the SQLite store gives it."""
        taken = self._next_id
        self._next_id = taken + 1
        return taken

    def commit(self) -> None: ...

    def rollback(self) -> None: ...

    def is_data_error(self, error: Exception) -> bool:
        return isinstance(error, LakouError)

    def close(self) -> None: ...


class NullTransaction:
    """See `database.Transaction`."""

    def __init__(self, database: NullDatabase) -> None:
        self.dialect = database.dialect
        self.take_id = database.take_id

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """What the writer asks about a Datastream before it takes an Observation; nothing for any other question."""
        if "from datastream d" in sql:
            return [(0, 1, 0, 0, None, 1, None, None)]
        if "from thing_location" in sql:
            return [(1, "", "", "application/geo+json", _POINT)]
        if sql.startswith("select id from feature"):
            return [(1,)]
        return []

    def read(self, statement: Statement) -> list[Row]:
        return []

    def insert(self, table: str, values: dict[str, Any]) -> int:
        return self.take_id()

    def update(self, table: str, id_: int, values: dict[str, Any]) -> None: ...

    def set_geometry(self, table: str, id_: int, wkb: bytes | None, box: Sequence[float] | None) -> None: ...

    def add_observations(self, rows: list[list[Any]]) -> list[tuple[int, int]]:
        return []

    def savepoint(self) -> None: ...

    def release(self) -> None: ...

    def undo(self) -> None: ...

    def log(self, entries: Iterable[tuple[str, str, int, int]]) -> None: ...

    def epoch(self) -> int:
        return 0

    def bump_epoch(self) -> int:
        return 0
