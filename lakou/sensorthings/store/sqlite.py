"""The observation store in one SQLite file: WAL, synchronous=FULL, one writing connection.

Readers have a connection for each thread, read-only by authorizer and by pragma, with a deadline checked
every few thousand steps of the virtual machine.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import apsw

from lakou.kernel.errors import LakouError
from lakou.kernel.time import now
from lakou.sensorthings.sql.dialect import Statement
from lakou.sensorthings.sql.sqlite import SQLite
from lakou.sensorthings.store import migrations, sqlite_functions
from lakou.sensorthings.store.database import OBSERVATION_COLUMNS, Row, cannot_evaluate, out_of_order, too_slow

_STEPS = 10_000
_PLACES = ", ".join("?" * len(OBSERVATION_COLUMNS))
_INSERT = f"insert into observation ({', '.join(OBSERVATION_COLUMNS)}) values ({_PLACES})"  # noqa: S608 fixed names
_LENGTH = 64 * 1024 * 1024


class SQLiteDatabase:
    """`observations.db` in a folder."""

    dialect = SQLite()
    is_local = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()
        self._opened: list[apsw.Connection] = []
        self._lock = threading.Lock()
        self._writer: apsw.Connection | None = None
        self._next_id: int | None = None

    # ── schema ──

    def migrate(self) -> None:
        connection = self._connect()
        try:
            connection.execute("pragma journal_mode = wal")
            connection.execute("begin immediate")
            try:
                connection.execute("create table if not exists migration (name text primary key, applied_at integer)")
                done = {name for (name,) in connection.execute("select name from migration")}
                for name, text in migrations.of("sqlite"):
                    if name not in done:
                        connection.execute(text)
                        connection.execute("insert into migration values (?, ?)", (name, now()))
                connection.execute("commit")
            except BaseException:
                connection.execute("rollback")
                raise
        finally:
            connection.close()

    def _connect(self, cache_kib: int = 16_384) -> apsw.Connection:
        connection = apsw.Connection(str(self.path))
        connection.set_busy_timeout(5000)
        connection.execute(f"pragma synchronous = full; pragma cache_size = -{cache_kib}; pragma temp_store = memory")
        connection.limit(apsw.SQLITE_LIMIT_LENGTH, _LENGTH)
        sqlite_functions.register(connection)
        return connection

    # ── reading ──

    def read(self, statement: Statement, timeout_s: float) -> list[Row]:
        try:
            connection = getattr(self._local, "connection", None) or self._open_reader()
            deadline = time.monotonic() + timeout_s
            connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
            return connection.execute(statement.text, statement.parameters).fetchall()
        except apsw.InterruptError:
            raise too_slow(timeout_s) from None
        except (apsw.IOError, apsw.CantOpenError, apsw.CorruptError, apsw.NotADBError, apsw.BusyError):
            raise out_of_order() from None
        except (apsw.TooBigError, apsw.SQLError, OverflowError) as error:
            raise cannot_evaluate() from error

    def _open_reader(self) -> apsw.Connection:
        connection = self._connect()
        connection.execute("pragma query_only = on")
        self._local.connection = connection
        with self._lock:
            self._opened.append(connection)
        return connection

    def interrupt(self) -> None:
        with self._lock:
            for connection in self._opened:
                connection.interrupt()

    # ── writing ──

    def begin(self, *, exclusive: bool) -> SQLiteTransaction:
        if self._writer is None:
            self._writer = self._connect(cache_kib=65_536)
            self._writer.execute("pragma wal_autocheckpoint = 4000; pragma foreign_keys = on")
        self._writer.execute("begin immediate")
        if self._next_id is None:
            query = (
                "select 1 + max(coalesce((select max(id) from observation), 0),"
                " coalesce((select max(last_id) from change where type = 'Observation'), 0))"
            )
            self._next_id = self._writer.execute(query).get
        return SQLiteTransaction(self, self._writer)

    def take_id(self) -> int:
        """The next id; the writer is alone, so that counting is enough."""
        taken = self._next_id or 1
        self._next_id = taken + 1
        return taken

    def commit(self) -> None:
        if self._writer is not None:
            self._writer.execute("commit")

    def rollback(self) -> None:
        if self._writer is not None and self._writer.in_transaction:
            self._writer.execute("rollback")
        self._next_id = None

    def maintain(self) -> None:
        """Nothing: one file has no partitions."""

    def is_data_error(self, error: Exception) -> bool:
        return isinstance(
            error,
            LakouError | apsw.ConstraintError | apsw.MismatchError | apsw.TooBigError | apsw.RangeError | OverflowError,
        )

    def is_failure(self, error: Exception) -> bool:
        return isinstance(error, apsw.Error | OSError | MemoryError) and not self.is_data_error(error)

    def close(self) -> None:
        with self._lock:
            opened, self._opened = self._opened, []
        if self._writer is not None:
            with contextlib.suppress(apsw.Error):  # somebody else still reads: the next start does it
                self._writer.execute("pragma busy_timeout = 0; pragma wal_checkpoint(truncate)")
        for connection in (*opened, self._writer):
            if connection is not None:
                connection.close()
        self._writer = None
        self._local = threading.local()


class SQLiteTransaction:
    """See `database.Transaction`."""

    def __init__(self, database: SQLiteDatabase, connection: apsw.Connection) -> None:
        self.dialect = database.dialect
        self.take_id = database.take_id
        self._connection = connection

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        return self._connection.execute(sql, tuple(parameters)).fetchall()

    def read(self, statement: Statement) -> list[Row]:
        return self._connection.execute(statement.text, statement.parameters).fetchall()

    def insert(self, table: str, values: dict[str, Any]) -> int:
        names = ", ".join(values)
        places = ", ".join("?" * len(values))
        self._connection.execute(f"insert into {table} ({names}) values ({places})", tuple(values.values()))  # noqa: S608
        return self._connection.last_insert_rowid()

    def update(self, table: str, id_: int, values: dict[str, Any]) -> None:
        sets = ", ".join(f"{name} = ?" for name in values)
        self._connection.execute(f"update {table} set {sets} where id = ?", (*values.values(), id_))  # noqa: S608

    def set_geometry(self, table: str, id_: int, wkb: bytes | None, box: Sequence[float] | None) -> None:
        sets = "geometry = ?, min_x = ?, min_y = ?, max_x = ?, max_y = ?"
        corners = (None,) * 4 if box is None else tuple(box)
        self._connection.execute(f"update {table} set {sets} where id = ?", (wkb, *corners, id_))  # noqa: S608
        self._connection.execute(f"delete from {table}_box where id = ?", (id_,))  # noqa: S608
        if box is not None:
            cells = (
                sqlite_functions.single(box[0], down=True),
                sqlite_functions.single(box[2], down=False),
                sqlite_functions.single(box[1], down=True),
                sqlite_functions.single(box[3], down=False),
            )
            self._connection.execute(f"insert into {table}_box values (?, ?, ?, ?, ?)", (id_, *cells))  # noqa: S608

    def add_observations(self, rows: list[list[Any]]) -> list[tuple[int, int]]:
        self._connection.executemany(_INSERT, rows)
        return []

    def savepoint(self) -> None:
        self._connection.execute("savepoint job")

    def release(self) -> None:
        self._connection.execute("release job")

    def undo(self) -> None:
        self._connection.execute("rollback to job")

    def log(self, entries: Iterable[tuple[str, str, int, int]]) -> None:
        at = now()
        self._connection.executemany(
            "insert into change (at, verb, type, first_id, last_id) values (?, ?, ?, ?, ?)",
            [(at, *entry) for entry in entries],
        )

    def epoch(self) -> int:
        return 0  # the only writer keeps its own memory true

    def bump_epoch(self) -> int:
        return 0
