"""The observation store in PostgreSQL, schema `observations`: a batch of Observations is one binary COPY.

Several processes may write. Batches of Observations share an advisory lock that changes of entities take
exclusively, so that what the registry remembers is true for the whole batch; the epoch tells when it is not.
A COPY that meets an Observation which another process stored meanwhile is done again alone, through a staging table
that finds what is there. A commit is four round trips: beginning, COPY (two), log and end.
"""

from __future__ import annotations

import contextlib
import datetime
import logging
import threading
import time
from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
from psycopg import errors, sql

from lakou.kernel.errors import LakouError, Unavailable
from lakou.kernel.time import now
from lakou.sensorthings.plan.rolled import HOUR_US
from lakou.sensorthings.series import Series
from lakou.sensorthings.sql.dialect import Micros, Statement
from lakou.sensorthings.sql.postgres import Postgres
from lakou.sensorthings.store import migrations, partitions, rolling
from lakou.sensorthings.store.database import (
    OBSERVATION_COLUMNS,
    TIME_COLUMNS,
    Place,
    Row,
    Rows,
    cannot_evaluate,
    out_of_order,
    too_slow,
)
from lakou.sensorthings.store.postgres_connecting import BROKEN, SCHEMA, Connector
from lakou.sensorthings.store.postgres_copy import packed, packed_series, whole
from lakou.sensorthings.store.session import NeedsExclusive

log = logging.getLogger(__name__)

_MIGRATE_LOCK = 7_236_001
_ENTITY_LOCK = 7_236_002
ID_BLOCK = 1_000
_COLUMNS = ", ".join(OBSERVATION_COLUMNS)
_STAGING = "create temporary table staging (like observation) on commit delete rows"
_COPY = f"copy observation ({_COLUMNS}) from stdin (format binary)"
_STAGE = f"copy staging ({_COLUMNS}) from stdin (format binary)"
_INSERT = f"insert into observation ({_COLUMNS}) select {_COLUMNS} from staging on conflict do nothing"  # noqa: S608
_THERE = (
    "select s.id, o.id from staging s join observation o on o.datastream_id = s.datastream_id"
    " and o.time_start = s.time_start and o.digest = s.digest where o.id <> s.id"
)
_BEGIN = "begin; select pg_advisory_xact_lock{}({}); select value from meta where key = 'epoch'"
_SHARED = _BEGIN.format("_shared", _ENTITY_LOCK)
_ALONE = _BEGIN.format("", _ENTITY_LOCK)
# A writer that is stopped in the middle (a frozen machine) must not hold its locks for ever.
_WRITER = ("statement_timeout=30s", "lock_timeout=10s", "idle_in_transaction_session_timeout=15s")
_READER = ("default_transaction_read_only=on", "idle_in_transaction_session_timeout=15s")
# Waiting for a lock holds up every insert that comes later, so that upkeep gives way and tries again.
_UPKEEP = ("lock_timeout=2s",)
_AGAIN_S = 1.0
"""A read that fails within this on a connection that was open is tried again on a new one."""


class PostgresDatabase:
    """A schema of a PostgreSQL database (15 or later, with PostGIS)."""

    dialect = Postgres()
    is_local = False

    def __init__(self, url: str) -> None:
        self._connector = Connector(url)
        self._local = threading.local()
        self._opened: list[psycopg.Connection[Any]] = []
        self._lock = threading.Lock()
        self._writer: psycopg.Connection[Any] | None = None
        self._beside = threading.Lock()
        self._roller: psycopg.Connection[Any] | None = None
        self._ids = range(0)
        self._log: list[tuple[str, str, int, int]] = []

    # ── schema ──

    def migrate(self) -> None:
        """Create or update the schema; raises Unavailable when the server or PostGIS is missing."""
        try:
            with self._connector.open() as connection, connection.transaction():
                connection.execute("select pg_advisory_xact_lock(%s)", (_MIGRATE_LOCK,))
                connection.execute("create extension if not exists postgis schema public")
                connection.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(SCHEMA)))
                connection.execute(
                    "create table if not exists migration (name text primary key, applied_at timestamptz)"
                )
                done = {row[0] for row in connection.execute("select name from migration")}
                for name, text in migrations.of("postgres"):
                    if name not in done:
                        connection.execute(text.encode())
                        if name.startswith("postgres_0001"):
                            partitions.create(connection, datetime.datetime.now(datetime.UTC).date())
                        if name.startswith("postgres_0002"):
                            rolling.rebuild(connection)
                        connection.execute("insert into migration values (%s, now())", (name,))
            self._try_to_maintain()
        except (errors.FeatureNotSupported, errors.UndefinedFile, errors.InsufficientPrivilege) as error:
            raise Unavailable(
                "PostGIS cannot be enabled in this database",
                code="postgis",
                hint="Install the PostGIS package of the server, or let an administrator run: create extension postgis",
            ) from error
        except errors.OperationalError as error:
            raise Unavailable(
                "PostgreSQL cannot be reached", code="database", hint="Check LAKOU_DATABASE_URL and that it runs."
            ) from error

    def _try_to_maintain(self) -> None:
        """At the start others may hold the table: there are months of partitions ahead, and upkeep comes again."""
        try:
            self.maintain()
        except Unavailable as error:
            log.warning("Partitions have to wait: %s", error.message)

    # ── reading ──

    def read(self, statement: Statement, timeout_s: float) -> list[Row]:
        connection = getattr(self._local, "connection", None)
        was_open = connection is not None and not connection.closed
        started = time.monotonic()
        try:
            try:
                return self._read(statement, timeout_s)
            except BROKEN as error:
                if not was_open or isinstance(error, errors.QueryCanceled) or time.monotonic() - started > _AGAIN_S:
                    raise
                # The server was restarted since the last read: that is no reason to refuse this one.
                return self._read(statement, timeout_s)
        except errors.QueryCanceled:
            raise too_slow(timeout_s) from None
        except (errors.DataError, errors.InternalError_, errors.StatementTooComplex) as error:
            raise cannot_evaluate() from error
        except BROKEN:
            raise out_of_order() from None

    def _read(self, statement: Statement, timeout_s: float) -> list[Row]:
        connection = getattr(self._local, "connection", None)
        if connection is None or connection.closed:
            connection = self._open_reader()
        try:
            if self._local.timeout_s != timeout_s:
                connection.execute(f"set statement_timeout = {int(timeout_s * 1000)}")
                self._local.timeout_s = timeout_s
            with connection.cursor(binary=True) as cursor:
                return cursor.execute(statement.text, statement.parameters).fetchall()
        except BROKEN as error:
            if not isinstance(error, errors.QueryCanceled):
                connection.close()
            raise

    def _open_reader(self) -> psycopg.Connection[Any]:
        connection = self._connector.open(*_READER)
        self._local.connection = connection
        self._local.timeout_s = 0.0
        with self._lock:
            self._opened = [c for c in self._opened if not c.closed] + [connection]
        return connection

    def interrupt(self) -> None:
        with self._lock:
            for connection in self._opened:
                with contextlib.suppress(psycopg.Error):
                    connection.cancel_safe(timeout=1.0)

    # ── writing ──

    def begin(self, *, exclusive: bool) -> PostgresTransaction:
        was_open = self._writer is not None and not self._writer.closed
        try:
            return self._begin(exclusive=exclusive)
        except BROKEN:
            if self._writer is not None and not self._writer.closed:
                raise
            self._writer = None
            if not was_open:
                raise
        # The server was restarted while nothing was written: nothing is lost, and nobody needs to know.
        return self._begin(exclusive=exclusive)

    def _begin(self, *, exclusive: bool) -> PostgresTransaction:
        writer = self._writer
        if writer is None or writer.closed:
            writer = self._connector.open(*_WRITER)
            writer.execute("set synchronous_commit = on")
            writer.execute(_STAGING)
            self._writer, self._ids = writer, range(0)
        self._log.clear()
        # One message of three statements, so that it is one round trip: the epoch is read once the lock is held.
        cursor = writer.execute(_ALONE if exclusive else _SHARED)
        cursor.nextset()
        cursor.nextset()
        row = cursor.fetchone()
        return PostgresTransaction(self, writer, alone=exclusive, epoch=int(row[0]) if row else 0)

    def take_id(self, connection: psycopg.Connection[Any]) -> int:
        """The next id of a block of the sequence, unique among all writers."""
        return self.take_ids(connection, 1)[0]

    def take_ids(self, connection: psycopg.Connection[Any], count: int) -> range:
        """As many in a row, at most a block; what is left of the block before is dropped when it is too short."""
        if len(self._ids) < count:
            row = connection.execute("select nextval('observation_id_seq')").fetchone()
            first = (row[0] - 1) * ID_BLOCK + 1 if row else 1
            self._ids = range(first, first + ID_BLOCK)
        taken, self._ids = self._ids[:count], self._ids[count:]
        return taken

    def commit(self) -> None:
        writer, entries = self._writer, self._log
        if writer is None:
            return
        # Measured: one message less makes single POSTs a tenth faster, for the writer waits for the interpreter after
        # each. The driver's pipeline would save it too, and costs twice the processor time of it.
        done = writer.execute(f"{_logging(now(), entries)}; commit" if entries else "commit")
        while done.nextset():
            pass
        entries.clear()
        if done.statusmessage != "COMMIT":
            # A transaction in which something had failed is rolled back by "commit", and PostgreSQL calls it success.
            raise errors.OperationalError("The transaction was rolled back")

    def keep(self, entries: Iterable[tuple[str, str, int, int]]) -> None:
        """Log these with the commit."""
        self._log += entries

    def rollback(self) -> None:
        writer = self._writer
        if writer is None:
            return
        try:
            writer.execute("rollback")
        except BROKEN:
            writer.close()
            self._writer = None

    def is_behind(self, *, idle: bool) -> bool:
        return False

    def settle(self) -> bool:
        return False

    def beside(self) -> float | None:
        with self._beside:
            begun = time.monotonic()
            connection = self._roller
            if connection is None or connection.closed:
                connection = self._roller = self._connector.open(*_UPKEEP)
            try:
                more = rolling.roll(connection)
            except BROKEN as error:
                connection.close()
                raise out_of_order() from error
            took = time.monotonic() - begun
        return max(0.0 if more else rolling.REST_S, took / rolling.SHARE - took)

    def maintain(self) -> None:
        """Make the partitions of the months to come. Raises Unavailable when it has to wait."""
        try:
            with self._connector.open(*_UPKEEP) as connection:
                for name in partitions.rotate(connection, datetime.datetime.now(datetime.UTC).date()):
                    log.info("Partition %s is ready", name)
        except BROKEN as error:
            raise out_of_order() from error

    def follow(self) -> tuple[psycopg.Connection[Any], Rows]:
        """A connection of its own for who follows the change log; NOTIFY must not wait for the disk."""
        connection = self._connector.open("synchronous_commit=off", "statement_timeout=30s")
        return connection, PostgresTransaction(self, connection)

    def is_data_error(self, error: Exception) -> bool:
        return isinstance(error, LakouError | errors.DataError | errors.IntegrityError | OverflowError)

    def is_failure(self, error: Exception) -> bool:
        return isinstance(error, psycopg.Error | OSError | MemoryError) and not self.is_data_error(error)

    def close(self) -> None:
        with self._lock:
            opened, self._opened = self._opened, []
        with self._beside:
            for connection in (*opened, self._writer, self._roller):
                if connection is not None:
                    connection.close()
            self._writer = self._roller = None
        self._local = threading.local()


class PostgresTransaction:
    """See `database.Transaction`."""

    finds_repeats = True

    def __init__(
        self, database: PostgresDatabase, connection: psycopg.Connection[Any], *, alone: bool = False, epoch: int = 0
    ) -> None:
        self.dialect = database.dialect
        self._database = database
        self._connection = connection
        self._alone = alone
        self._epoch = epoch
        self._series: list[bytes] = []

    def _execute(self, text: str, parameters: Any = None) -> list[Row]:
        with self._connection.cursor(binary=True) as cursor:
            cursor.execute(text, parameters)
            return cursor.fetchall() if cursor.description else []

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        return self._execute(sql.replace("%", "%%").replace("?", "%s"), tuple(parameters))

    def read(self, statement: Statement) -> list[Row]:
        return self._execute(statement.text, statement.parameters)

    def insert(self, table: str, values: dict[str, Any]) -> int:
        names = ", ".join(values)
        places = ", ".join(["%s"] * len(values))
        text = f"insert into {table} ({names}) values ({places}) returning id"  # noqa: S608  names of the model
        return int(self._execute(text, tuple(values.values()))[0][0])

    def update(self, table: str, id_: int, values: dict[str, Any]) -> None:
        sets = ", ".join(f"{name} = %s" for name in values)
        self._execute(f"update {table} set {sets} where id = %s", (*values.values(), id_))  # noqa: S608

    def set_geometry(self, table: str, id_: int, wkb: bytes | None, box: Sequence[float] | None) -> None:
        text = f"update {table} set geometry = ST_GeomFromWKB(%s::bytea, 4326) where id = %s"  # noqa: S608
        self._execute(text, (wkb, id_))

    def take_id(self) -> int:
        return self._database.take_id(self._connection)

    def add_series(self, feature_id: int, series: Series) -> range | None:
        # Another process may have stored some of it: then the copy fails, and the rows go one by one, alone.
        if self._alone or len(series) > ID_BLOCK:
            return None
        ids = self._database.take_ids(self._connection, len(series))
        self._series.append(packed_series(feature_id, ids, series))
        return ids

    def add_observations(self, rows: list[list[Any]]) -> list[tuple[int, int]]:
        data = whole([*self._series, *packed(rows)])
        self._series.clear()
        if not self._alone:
            try:
                with self._connection.cursor() as cursor, cursor.copy(_COPY) as copy:
                    copy.write(data)
            except errors.UniqueViolation:
                raise NeedsExclusive from None
            return []
        with self._connection.cursor() as cursor:
            with cursor.copy(_STAGE) as copy:
                copy.write(data)
            cursor.execute(_INSERT)
            there: list[tuple[int, int]] = []
            if cursor.rowcount < len(rows):
                there = [(a, b) for a, b in cursor.execute(_THERE).fetchall()]
            cursor.execute("truncate staging" if len(rows) > ID_BLOCK else "delete from staging")
        return there

    def find_observation(self, id_: int) -> Row | None:
        found = self._execute(f"select {_COLUMNS} from observation where id = %s", (id_,))  # noqa: S608
        return found[0] if found else None

    def observations_at(self, stream_id: int, start: int) -> list[Row]:
        query = f"select {_COLUMNS} from observation where datastream_id = %s and time_start = %s order by id"  # noqa: S608
        return self._execute(query, (stream_id, Micros(start)))

    def latest_time(self, stream_id: int) -> int | None:
        query = "select max(time_start) from observation where datastream_id = %s"
        found: int | None = self._execute(query, (stream_id,))[0][0]
        return found

    def change_observation(self, before: dict[str, Any], after: dict[str, Any]) -> None:
        place = (before["datastream_id"], before["time_start"], before["id"])
        if place != (after["datastream_id"], after["time_start"], after["id"]):
            self.remove_observations([place])
            self.add_observations([[after[c] for c in OBSERVATION_COLUMNS]])
            self._stale([(after["datastream_id"], after["time_start"], after["id"])])
            return
        changed = [c for c in OBSERVATION_COLUMNS if before[c] != after[c]]
        if changed:
            sets = ", ".join(f"{c} = %s" for c in changed)
            values = [Micros.of(after[c]) if c in TIME_COLUMNS else after[c] for c in changed]
            self._execute(
                f"update observation set {sets} where datastream_id = %s and time_start = %s and id = %s",  # noqa: S608
                (*values, place[0], Micros(place[1]), place[2]),
            )
            self._stale([place])

    def remove_observations(self, places: Sequence[Place]) -> None:
        for stream_id, start, id_ in places:
            self._execute(
                "delete from observation where datastream_id = %s and time_start = %s and id = %s",
                (stream_id, Micros(start), id_),
            )
        self._stale(places)

    def expire_observations(self, stream_id: int, start: int, end: int, limit: int) -> int:
        return rolling.expire(self._connection, stream_id, start, end, limit) or 0

    def _stale(self, places: Sequence[Place]) -> None:
        """The rollups of these buckets are to be made again."""
        hours = {(stream, start - start % HOUR_US) for stream, start, _ in places}
        with self._connection.cursor() as cursor:
            cursor.executemany(
                "insert into rollup_stale (datastream_id, start) values (%s, %s)",
                [(stream, Micros(start)) for stream, start in sorted(hours)],
            )

    def savepoint(self) -> None:
        self._connection.execute("savepoint job")

    def release(self) -> None:
        self._connection.execute("release savepoint job")

    def undo(self) -> None:
        self._series.clear()
        self._connection.execute("rollback to savepoint job")

    def log(self, entries: Iterable[tuple[str, str, int, int]]) -> None:
        self._database.keep(entries)

    def epoch(self) -> int:
        return self._epoch

    def bump_epoch(self) -> int:
        row = self._execute("update meta set value = (value::bigint + 1)::text where key = 'epoch' returning value")
        return int(row[0][0])


def _logging(at: int, entries: Iterable[tuple[str, str, int, int]]) -> str:
    """The statement that logs entries of (verb, type, first and last id): names of ours, and numbers."""
    rows = ", ".join(f"('{verb}', '{type_}', {first}, {last})" for verb, type_, first, last in entries)
    return (
        "insert into change (at, verb, type, first_id, last_id)"  # noqa: S608
        f" select timestamptz 'epoch' + {at} * interval '1 microsecond', v.* from (values {rows}) v"
    )
