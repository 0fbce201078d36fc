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
from lakou.sensorthings.series import Series
from lakou.sensorthings.sql.dialect import Statement
from lakou.sensorthings.sql.sqlite import SQLite
from lakou.sensorthings.store import migrations, sqlite_functions, tiers
from lakou.sensorthings.store.database import Place, Row, cannot_evaluate, out_of_order, too_slow
from lakou.sensorthings.store.tiers import Tiers

_STEPS = 10_000
_NEXT_ID = (
    "select 1 + max(coalesce((select max(id) from hot_a), 0), coalesce((select max(id) from hot_b), 0),"
    " coalesce((select max(id) from sealed_key), 0),"
    " coalesce((select max(last_id) from change where type = 'Observation'), 0))"
)
CHECKPOINT_S = 0.25
CHECKPOINT_PAGES = 8_000
"""Pages of the log (32 MB) that are brought into the file together, or fewer when nothing is written for a moment.

The pages of a hot table's indexes are written again and again: brought in at every look they took 450 bytes an
Observation more.
"""
LONG_LOG = 16_000
"""Pages of the log (64 MB) from which it has to begin anew."""
_LENGTH = 64 * 1024 * 1024


class SQLiteDatabase:
    """`observations.db` in a folder."""

    dialect = SQLite()
    is_local = True

    def __init__(self, path: Path, *, hot_rows: int = 100_000) -> None:
        self.path = path
        self._hot_rows = hot_rows
        self._tiers: Tiers | None = None
        self._checkpointer: apsw.Connection | None = None
        self._beside = threading.Lock()
        self._log_is_long = False
        self._log_pages = self._log_seen = self._log_done = 0
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
                        if name == "sqlite_0002_tiers":
                            tiers.rebuild(connection)
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

    def _open_writer(self) -> tuple[apsw.Connection, Tiers]:
        if self._writer is None or self._tiers is None:
            self._writer = self._connect(cache_kib=65_536)
            self._writer.execute("pragma foreign_keys = on")
            self._writer.set_wal_hook(self._note_log)  # in place of checkpoints within a commit
            self._tiers = Tiers(self._writer, self._hot_rows)
        return self._writer, self._tiers

    def begin(self, *, exclusive: bool) -> SQLiteTransaction:
        writer, hot = self._open_writer()
        writer.execute("begin immediate")
        if self._next_id is None:
            self._next_id = writer.execute(_NEXT_ID).get
        return SQLiteTransaction(self, writer, hot)

    def take_id(self, count: int = 1) -> int:
        """The next id, or the first of so many; the writer is alone, so that counting is enough."""
        taken = self._next_id or 1
        self._next_id = taken + count
        return taken

    def commit(self) -> None:
        if self._writer is not None:
            self._writer.execute("commit")

    def rollback(self) -> None:
        if self._tiers is not None:
            self._tiers.forget()
        self._next_id = None
        if self._writer is not None and self._writer.in_transaction:
            try:
                self._writer.execute("rollback")
            except apsw.Error:
                # Of no use any more; the next transaction opens another, and finds in the log what was committed.
                broken, self._writer, self._tiers = self._writer, None, None
                broken.close()
                raise

    def is_behind(self, *, idle: bool) -> bool:
        return self._log_is_long or (self._tiers is not None and self._tiers.is_due(idle=idle))

    def settle(self) -> bool:
        writer, hot = self._open_writer()
        if self._log_is_long:
            self._log_is_long = False
            _checkpoint(writer)
            return True
        return hot.slice()

    def beside(self) -> float | None:
        """Checkpoints: now and then pages go from the log into the file, while the writer commits.

        A log that is written all the time never gets whole into the file this way and would grow for ever: the little
        that is left is then up to the writer, between two commits, so that its next one begins the log anew.
        """
        pages = self._log_pages
        is_quiet, self._log_seen = pages == self._log_seen, pages
        if pages < self._log_done:  # the log has begun anew
            self._log_done = 0
        if pages == self._log_done or (pages - self._log_done < CHECKPOINT_PAGES and not is_quiet):
            return CHECKPOINT_S
        with self._beside:
            if self._checkpointer is None:
                self._checkpointer = self._connect(cache_kib=1_024)
            self._log_is_long = _checkpoint(self._checkpointer) > LONG_LOG
        self._log_done = pages
        return CHECKPOINT_S

    def _note_log(self, _: apsw.Connection, name: str, pages: int) -> int:
        self._log_pages = pages
        return apsw.SQLITE_OK

    def seal_all(self) -> None:
        """Seal every row, however few: for measurements and tests of what is sealed."""
        _, hot = self._open_writer()
        while hot.slice(all_=True):
            pass

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
        with self._beside:
            for connection in (*opened, self._checkpointer):
                if connection is not None:
                    connection.close()
            if self._writer is not None:
                with contextlib.suppress(apsw.Error):  # somebody else still reads: the next start does it
                    self._writer.execute("pragma busy_timeout = 0; pragma wal_checkpoint(truncate)")
                self._writer.close()
            self._writer = self._tiers = self._checkpointer = None
        self._local = threading.local()


def _checkpoint(connection: apsw.Connection) -> int:
    """Bring pages of the log into the file, as far as nobody is held up; the pages that the log has."""
    try:
        pages, _ = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
    except apsw.BusyError:  # another connection is at it
        return 0
    return pages


class SQLiteTransaction:
    """See `database.Transaction`."""

    finds_repeats = False

    def __init__(self, database: SQLiteDatabase, connection: apsw.Connection, tiers: Tiers) -> None:
        self.dialect = database.dialect
        self.take_id = database.take_id
        self._connection = connection
        self._tiers = tiers

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
        self._tiers.add(rows)
        return []

    def add_series(self, feature_id: int, series: Series) -> range:
        first = self.take_id(len(series))
        ids = range(first, first + len(series))
        self._tiers.add_series(feature_id, ids, series)
        return ids

    def find_observation(self, id_: int) -> Row | None:
        return self._tiers.find(id_)

    def observations_at(self, stream_id: int, start: int) -> list[Row]:
        return self._tiers.at(stream_id, start)

    def latest_time(self, stream_id: int) -> int | None:
        return self._tiers.latest(stream_id)

    def change_observation(self, before: dict[str, Any], after: dict[str, Any]) -> None:
        self._tiers.change(before, after)

    def remove_observations(self, places: Sequence[Place]) -> None:
        self._tiers.remove(places)

    def expire_observations(self, stream_id: int, start: int, end: int, limit: int) -> int:
        return self._tiers.expire(stream_id, start, end, limit)

    def savepoint(self) -> None:
        self._connection.execute("savepoint job")

    def release(self) -> None:
        self._connection.execute("release job")

    def undo(self) -> None:
        self._connection.execute("rollback to job")
        self._tiers.forget()

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
