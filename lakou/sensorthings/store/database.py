"""What the store needs of a database: reading with a time-out, and transactions of the one writer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from lakou.kernel.errors import BadRequest, Unavailable
from lakou.sensorthings.series import Series
from lakou.sensorthings.sql.dialect import Dialect, Statement

Row = tuple[Any, ...]

TIME_COLUMNS = frozenset(
    {"time", "time_start", "time_end", "result_time", "valid_start", "valid_end", "replaced_at", "at", "seen_at"}
)
OBSERVATION_COLUMNS = (
    "datastream_id", "time_start", "id", "time_end", "result_time", "valid_start", "valid_end", "result_type",
    "result_number", "result_boolean", "result_text", "result_json", "result_quality", "parameters", "feature_id",
    "digest",
)  # fmt: skip

Place = tuple[int, int, int]
"""(Datastream, time in micros, id): where a row of an Observation lies."""


class Rows(Protocol):
    """What answers statements. SQL uses `?` for parameters on both databases; times are `Micros`."""

    @property
    def dialect(self) -> Dialect: ...

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Run a statement; its rows (none for one that returns nothing)."""
        ...

    def read(self, statement: Statement) -> list[Row]:
        """The rows of a planned statement; in a transaction they tell of what it has done."""
        ...


class Transaction(Rows, Protocol):
    """A transaction of the writer."""

    @property
    def finds_repeats(self) -> bool:
        """Whether inserting finds the Observations that are stored already, for less than a question for each."""
        ...

    def insert(self, table: str, values: dict[str, Any]) -> int:
        """Insert a row; its new id."""
        ...

    def update(self, table: str, id_: int, values: dict[str, Any]) -> None:
        """Set columns of a row."""
        ...

    def set_geometry(self, table: str, id_: int, wkb: bytes | None, box: Sequence[float] | None) -> None:
        """Set the indexed geometry of a Location or feature."""
        ...

    def take_id(self) -> int:
        """A new id for an Observation, higher than those before, unique among all writers."""
        ...

    def add_observations(self, rows: list[list[Any]]) -> list[tuple[int, int]]:
        """Insert rows of OBSERVATION_COLUMNS; (id of the row, id of the stored one) where it was there already."""
        ...

    def add_series(self, feature_id: int, series: Series) -> range | None:
        """Insert a series that comes after all that its Datastream has, at the latest with the next rows; its ids.

        None where its rows have to go one by one: some of them are stored already.
        """
        ...

    def find_observation(self, id_: int) -> Row | None:
        """The row of OBSERVATION_COLUMNS with this id."""
        ...

    def observations_at(self, stream_id: int, start: int) -> list[Row]:
        """The rows of OBSERVATION_COLUMNS of a Datastream at one time in micros, by id."""
        ...

    def latest_time(self, stream_id: int) -> int | None:
        """The highest time of a Datastream's Observations in micros, None without any."""
        ...

    def change_observation(self, before: dict[str, Any], after: dict[str, Any]) -> None:
        """Give a stored row other values; both hold every one of OBSERVATION_COLUMNS, times in micros."""
        ...

    def remove_observations(self, places: Sequence[Place]) -> None:
        """Delete rows."""
        ...

    def expire_observations(self, stream_id: int, start: int, end: int, limit: int) -> int:
        """Delete the oldest Observations of a Datastream within a time; what they came to goes to the history.

        Their number; 0 when there is none, or when they have to wait.
        """
        ...

    def savepoint(self) -> None: ...

    def release(self) -> None: ...

    def undo(self) -> None:
        """Back to the savepoint, which stays open."""
        ...

    def log(self, entries: Iterable[tuple[str, str, int, int]]) -> None:
        """Append (verb, type, first id, last id) to the change log."""
        ...

    def epoch(self) -> int:
        """The version of the entities, as last committed by any writer."""
        ...

    def bump_epoch(self) -> int: ...


class Database(Protocol):
    """One observation database. `is_local` when a look-up needs no network and may run on the loop."""

    is_local: bool

    @property
    def dialect(self) -> Dialect: ...

    def migrate(self) -> None:
        """Create or update the schema; safe to run at the same time in several processes."""
        ...

    def read(self, statement: Statement, timeout_s: float) -> list[Row]:
        """All rows of a statement, on a read-only connection of the calling thread."""
        ...

    def begin(self, *, exclusive: bool) -> Transaction:
        """Start a transaction of the writer; `exclusive` when it may change entities."""
        ...

    def commit(self) -> None: ...

    def rollback(self) -> None: ...

    def is_behind(self, *, idle: bool) -> bool:
        """Whether `settle` has work that should be done now; `idle` when nobody waits for the writer."""
        ...

    def settle(self) -> bool:
        """A slice of background work on the writer's connection, in a transaction of its own of at most 20 ms.

        Whether there was any.
        """
        ...

    def beside(self) -> float | None:
        """A slice of work beside the commits, on a connection of its own, by one thread at a time.

        Seconds to rest before the next one; None when there will never be any.
        """
        ...

    def maintain(self) -> None:
        """What has to be done now and then outside of the writer's transactions (partitions)."""
        ...

    def interrupt(self) -> None:
        """Stop the reads that are under way; from any thread."""
        ...

    def is_data_error(self, error: Exception) -> bool:
        """Whether the error comes from the values of one job, not from the database or the disk."""
        ...

    def is_failure(self, error: Exception) -> bool:
        """Whether the database or the disk failed, so that the whole batch has to."""
        ...

    def close(self) -> None: ...


class Lookup:
    """Short reads, written as in a transaction, on the reader of the thread that asks."""

    def __init__(self, database: Database, timeout_s: float) -> None:
        self._database = database
        self._timeout_s = timeout_s
        self.dialect = database.dialect

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """The rows of a statement. Raises Unavailable while the database does not answer."""
        if self.dialect.name == "postgres":
            sql = sql.replace("%", "%%")
        names = [f"p{n}" for n in range(len(parameters))]
        first, *rest = sql.split("?")
        text = first + "".join(self.dialect.placeholder(n) + part for n, part in zip(names, rest, strict=True))
        return self.read(Statement(text, dict(zip(names, parameters, strict=True))))

    def read(self, statement: Statement) -> list[Row]:
        """The rows of a statement. Raises Unavailable while the database does not answer."""
        return self._database.read(statement, self._timeout_s)


def too_slow(timeout_s: float) -> BadRequest:
    """The answer to a read that was stopped."""
    return BadRequest(
        f"This request takes longer than {timeout_s:g} s",
        code="query_timeout",
        hint="Narrow it by Datastream or time, lower $top, or leave out $count or $orderby.",
    )


def cannot_evaluate() -> BadRequest:
    """The answer to an expression that has no value for the stored data, such as an overflow."""
    return BadRequest(
        "An expression cannot be evaluated on the stored values",
        code="evaluation",
        hint="A number or time is out of range, or a geometry does not fit the function.",
    )


def out_of_order() -> Unavailable:
    """The answer while the database does not answer."""
    return Unavailable("The store does not answer", hint="Try again shortly.")
