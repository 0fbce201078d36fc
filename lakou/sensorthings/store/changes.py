"""The change log: what commits did, in the order of their commits, read behind durable cursors.

An entry covers a range of ids: one for the Observations of a commit, one for each entity. Readers register by
name; pruning never passes the slowest of them (DESIGN §4 rule 10). On PostgreSQL a reader goes only up to the
oldest transaction still under way, for a slower worker may yet commit an earlier entry.
"""

from __future__ import annotations

from typing import Any

import msgspec

from lakou.kernel import time
from lakou.sensorthings.sql.dialect import Dialect, Micros, Statement
from lakou.sensorthings.store.database import Row, Rows, Transaction

KEPT = 1_000_000
"""Entries kept when no reader needs older ones."""
SLICE = 5_000


class Cursor(msgspec.Struct, frozen=True, order=True):
    """A place in the log. `transaction` is 0 on SQLite, where the sequence alone is the order."""

    transaction: int = 0
    seq: int = 0


class Entry(msgspec.Struct, frozen=True):
    """One change: create, update or delete of the ids first_id to last_id of a type; `at` in micros."""

    cursor: Cursor
    at: int
    verb: str
    type: str
    first_id: int
    last_id: int


def read(tx: Rows, after: Cursor, limit: int = 1_000) -> list[Entry]:
    """The entries after a cursor, in order."""
    text = _after(tx.dialect.name, "?", "?", limit)
    is_local = tx.dialect.name == "sqlite"
    return entries(tx.rows(text, (after.seq,) if is_local else (str(after.transaction), after.seq)))


def after_cursor(dialect: Dialect, after: Cursor, limit: int = 1_000) -> Statement:
    """The same for a reader: its rows are for `entries`."""
    text = _after(dialect.name, dialect.placeholder("transaction"), dialect.placeholder("seq"), limit)
    given = {} if dialect.name == "sqlite" else {"transaction": str(after.transaction)}
    return Statement(text, {**given, "seq": after.seq})


def _after(database: str, transaction: str, seq: str, limit: int) -> str:
    """The statement of a piece of the log; the arguments are placeholders."""
    if database == "sqlite":
        return (
            f"select 0, seq, at, verb, type, first_id, last_id from change where seq > {seq}"  # noqa: S608  placeholder
            f" order by seq limit {limit:d}"
        )
    return (
        "select transaction::text::bigint, seq, at, verb, type, first_id, last_id from change"  # noqa: S608
        f" where (transaction, seq) > ({transaction}::text::xid8, {seq})"
        f" and transaction < pg_snapshot_xmin(pg_current_snapshot()) order by transaction, seq limit {limit:d}"
    )


def entries(rows: list[Row]) -> list[Entry]:
    """The entries of the rows of `after_cursor`."""
    return [_entry(row) for row in rows]


def _entry(row: Row) -> Entry:
    return Entry(Cursor(row[0], row[1]), row[2], row[3], row[4], row[5], row[6])


def logged(tx: Transaction, log: list[tuple[str, str, int, int]]) -> list[Entry]:
    """What a transaction has just logged, as entries. On PostgreSQL none: there the log itself tells the order."""
    if tx.dialect.name != "sqlite":
        return []
    ((last,),) = tx.rows("select max(seq) from change")
    at, first = time.now(), last - len(log) + 1
    return [Entry(Cursor(0, first + n), at, *entry) for n, entry in enumerate(log)]


def start(tx: Rows) -> Cursor:
    """The first entry that is still there: what came before it is not known any more."""
    if tx.dialect.name == "sqlite":
        rows = tx.rows("select 0, seq from change order by seq limit 1")
    else:
        rows = tx.rows("select transaction::text::bigint, seq from change order by transaction, seq limit 1")
    return Cursor(*rows[0]) if rows else Cursor()


def behind(tx: Rows, after: Cursor, enough: int) -> int:
    """How many Observations were created after a cursor, counted until there are `enough` entries."""
    values: list[Any]
    if tx.dialect.name == "sqlite":
        place, values = "seq > ?", [after.seq]
    else:
        place, values = "(transaction, seq) > (?::text::xid8, ?)", [str(after.transaction), after.seq]
    found = f"select first_id, last_id from change where {place} and type = 'Observation' and verb = 'create' limit ?"  # noqa: S608
    ((count,),) = tx.rows(f"select coalesce(sum(last_id - first_id + 1), 0) from ({found}) c", [*values, enough])  # noqa: S608
    return int(count)


def cursor_of(tx: Transaction, reader: str) -> Cursor:
    """The place of a registered reader; a new one starts at the end of the log."""
    column = "0" if tx.dialect.name == "sqlite" else "transaction::text::bigint"
    rows = tx.rows(f"select {column}, seq from change_reader where name = ?", (reader,))  # noqa: S608  fixed text
    if rows:
        return Cursor(rows[0][0], rows[0][1])
    last = end(tx)
    advance(tx, reader, last)
    return last


def end(tx: Rows) -> Cursor:
    """The place after all that is committed and in order now."""
    if tx.dialect.name == "sqlite":
        ((seq,),) = tx.rows("select coalesce(max(seq), 0) from change")
        return Cursor(0, seq)
    ((transaction,),) = tx.rows("select (pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1)")
    return Cursor(transaction, 2**62)


def end_of(dialect: Dialect) -> Statement:
    """The same for a reader: its one row makes a Cursor."""
    if dialect.name == "sqlite":
        return Statement("select 0, coalesce(max(seq), 0) from change", {})
    return Statement(f"select pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1, {2**62}::bigint", {})


def seq_at(tx: Transaction, place: Cursor) -> int:
    """The sequence number of the last entry up to a cursor, 0 when the log does not reach back to it."""
    if tx.dialect.name == "sqlite":
        return place.seq
    rows = tx.rows(
        "select seq from change where (transaction, seq) <= (?::text::xid8, ?) order by transaction desc, seq desc"
        " limit 1",
        (str(place.transaction), place.seq),
    )
    return int(rows[0][0]) if rows else 0


def advance(tx: Transaction, reader: str, to: Cursor) -> None:
    """Store that a reader is done with everything up to a cursor."""
    now = Micros(time.now())
    if tx.dialect.name == "sqlite":
        tx.rows(
            "insert into change_reader (name, seq, seen_at) values (?, ?, ?)"
            " on conflict (name) do update set seq = excluded.seq, seen_at = excluded.seen_at",
            (reader, to.seq, now),
        )
        return
    tx.rows(
        "insert into change_reader (name, transaction, seq, seen_at) values (?, ?::text::xid8, ?, ?)"
        " on conflict (name) do update set transaction = excluded.transaction, seq = excluded.seq,"
        " seen_at = excluded.seen_at",
        (reader, str(to.transaction), to.seq, now),
    )


def forget(tx: Transaction, reader: str) -> None:
    """Remove a reader, so that it holds up no pruning."""
    tx.rows("delete from change_reader where name = ?", (reader,))


def prune(tx: Transaction, keep: int = KEPT) -> bool:
    """Remove a slice of old entries that every reader is done with; True when there is more to remove."""
    order = "seq" if tx.dialect.name == "sqlite" else "transaction, seq"
    behind = "c.seq > r.seq" if tx.dialect.name == "sqlite" else "(c.transaction, c.seq) > (r.transaction, r.seq)"
    ((top,),) = tx.rows("select coalesce(max(seq), 0) from change")
    gone = tx.rows(
        f"select seq from change c where c.seq <= ? and not exists (select 1 from change_reader r where {behind})"  # noqa: S608
        f" order by {order} limit ?",
        (top - keep, SLICE),
    )
    for (seq,) in gone:
        tx.rows("delete from change where seq = ?", (seq,))
    return len(gone) == SLICE
