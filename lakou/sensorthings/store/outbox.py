"""The outbox: acts that matter, written in the commit that does them, until they stand in the journal.

So a crash between the commit and the journal loses none, on either database (decision 9). A row is first *gathered*
with those like it, then told, then removed. What was gathered never changes again: a row that was told and not yet
removed is known by its key.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lakou.sensorthings.sql.dialect import Statement
from lakou.sensorthings.store.database import Row, Transaction
from lakou.sensorthings.witness import Act, merged

GATHERED = 5_000
"""Rows gathered in one commit."""
SLICE = 500
"""Rows told at once."""
WAITING = Statement("select count(*) from outbox", {})
ANY = Statement("select 1 from outbox limit 1", {})
OLDEST = Statement(
    f"select seq, content from outbox where gathered = 1 order by seq limit {SLICE}",  # noqa: S608
    {},
)
"""The gathered rows that wait longest, for `acts_of`."""


def add(tx: Transaction, acts: Sequence[Act], *, gathered: bool = False) -> None:
    """Write the acts of a commit; those that differ only in what they were done to become one."""
    for one in merged(acts):
        tx.rows(
            "insert into outbox (act, gathered, content) values (?, ?, ?)",
            (one.act, int(gathered), msgspec.json.encode(one).decode()),
        )


def gather(tx: Transaction, *, without: str = "") -> bool:
    """Join a slice of rows that are alike, except those of the act `without`; whether there may be more."""
    rows = tx.rows(
        "delete from outbox where seq in (select seq from outbox where gathered = 0 and act <> ? order by seq limit ?)"
        " returning seq, content",
        (without, GATHERED),
    )
    add(tx, [act for _, act in acts_of(sorted(rows))], gathered=True)
    return len(rows) == GATHERED


def acts_of(rows: Sequence[Row]) -> list[tuple[int, Act]]:
    """(number, act) of rows of (seq, content)."""
    return [(seq, msgspec.json.decode(content, type=Act)) for seq, content in rows]


def remove(tx: Transaction, numbers: list[int]) -> None:
    """Take out what was told."""
    tx.rows("delete from outbox where " + tx.dialect.sets("seq", "?"), (tx.dialect.encode_set(numbers),))  # noqa: S608
