"""A place in the order of commits, as the id of an event: what a client sends back as Last-Event-ID.

On SQLite `<sequence>.<Observation>`, on PostgreSQL `<transaction>.<sequence>.<Observation>`: a cursor of the change
log, so that it means the same after a restart and in every worker. Observation ids alone are in no order there.
"""

from __future__ import annotations

import msgspec

from lakou.sensorthings.store.changes import Cursor


class Position(msgspec.Struct, frozen=True, order=True):
    """After the Observation `id` of the entry at `cursor`; END is after all of the entry."""

    cursor: Cursor
    id: int

    def text(self) -> str:
        """The event id."""
        parts = (self.cursor.transaction, self.cursor.seq, self.id)
        return ".".join(map(str, parts if self.cursor.transaction else parts[1:]))


END = 2**62


def after(cursor: Cursor) -> Position:
    """After everything up to a cursor."""
    return Position(cursor, END)


def position(text: str) -> Position | None:
    """The place that an event id names; None when it names none."""
    parts = text.split(".")
    if len(parts) not in (2, 3) or not all(p.isascii() and p.isdigit() and len(p) < 20 for p in parts):
        return None
    numbers = [int(p) for p in parts]
    if any(n >= 2**63 for n in numbers):
        return None
    transaction, seq, id_ = (0, *numbers) if len(numbers) == 2 else numbers
    return Position(Cursor(transaction, seq), id_)
