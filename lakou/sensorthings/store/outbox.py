"""The outbox: acts that matter, written in the commit that does them, until they stand in the journal.

So a crash between the commit and the journal loses none, on either database (decision 9). A row is first *gathered*
with those like it, then told, then removed. What was gathered never changes again: a row that was told and not yet
removed is known by its key.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lakou.sensorthings.sql.dialect import Micros, Statement
from lakou.sensorthings.store.database import Row, Transaction
from lakou.sensorthings.witness import Act, merged

GATHERED = 5_000
"""Rows gathered in one commit."""
SLICE = 500
"""Rows told at once."""
WAITING = Statement("select count(*) from outbox", {})
ANY = Statement("select 1 from outbox limit 1", {})
OLDEST = Statement(
    f"select seq, key, act, at, content from outbox where gathered = 1 order by seq limit {SLICE}",  # noqa: S608
    {},
)
"""The gathered rows that wait longest, for `acts_of`."""


class _Content(msgspec.Struct):
    """What stands in the column `content`: all of an act but what one might look for."""

    actor: int
    name: str
    role: str
    subjects: tuple[str, ...] = ()
    detail: dict[str, str] = {}
    counts: dict[str, int] = {}
    address: str = ""


def add(tx: Transaction, acts: Sequence[Act], *, gathered: bool = False) -> None:
    """Write the acts of a commit; those that differ only in what they were done to become one."""
    for one in merged(acts):
        content = _Content(one.actor, one.name, one.role, one.subjects, one.detail, one.counts, one.address)
        tx.rows(
            "insert into outbox (key, at, act, gathered, content) values (?, ?, ?, ?, ?)",
            (one.key, Micros(one.at), one.act, int(gathered), msgspec.json.encode(content).decode()),
        )


def gather(tx: Transaction, *, without: str = "") -> bool:
    """Join a slice of rows that are alike, except those of the act `without`; whether there may be more."""
    rows = tx.rows(
        "delete from outbox where seq in (select seq from outbox where gathered = 0 and act <> ? order by seq limit ?)"
        " returning seq, key, act, at, content",
        (without, GATHERED),
    )
    add(tx, [act for _, act in acts_of(sorted(rows))], gathered=True)
    return len(rows) == GATHERED


def acts_of(rows: Sequence[Row]) -> list[tuple[int, Act]]:
    """(number, act) of rows of (seq, key, act, at, content)."""
    return [(seq, _act(key, act, at, content)) for seq, key, act, at, content in rows]


def _act(key: str, act: str, at: int, content: str) -> Act:
    found = msgspec.json.decode(content, type=_Content)
    return Act(
        key, act, at, found.actor, found.name, found.role, found.subjects, found.detail, found.counts, found.address
    )


def remove(tx: Transaction, numbers: list[int]) -> None:
    """Take out what was told."""
    tx.rows("delete from outbox where " + tx.dialect.sets("seq", "?"), (tx.dialect.encode_set(numbers),))  # noqa: S608
