"""A store that was restored into another PostgreSQL: its change log is given an order that holds there.

Entries are ordered by the transaction that made them (`pg_current_xact_id`), and those numbers belong to the cluster
they were made in: in a younger one, entries with numbers of its future would hide from every reader, and new entries
would sort before old ones. So all entries become those of one early transaction, in their old order.
"""

from __future__ import annotations

from typing import Any

import psycopg

# The first number that a transaction of a user can have; every cluster is past it once it has been made.
_FIRST = 3


def renumber_changes(connection: psycopg.Connection[Any]) -> None:
    """Give the restored change log and its readers' cursors an order of this cluster. One transaction."""
    with connection.transaction():
        connection.execute("set local search_path = observations, public")
        connection.execute("lock table change, change_reader in access exclusive mode")
        connection.execute(
            "create temporary table placed on commit drop as select transaction, seq,"
            " (select coalesce(max(seq), 0) from change) + row_number() over (order by transaction, seq) as place"
            " from change"
        )
        connection.execute(
            "update change_reader r set transaction = %(first)s::text::xid8, seq = coalesce("
            "(select max(place) from placed p where (p.transaction, p.seq) <= (r.transaction, r.seq)),"
            " (select coalesce(max(seq), 0) from change))",
            {"first": str(_FIRST)},
        )
        connection.execute(
            "update change c set transaction = %(first)s::text::xid8, seq = p.place from placed p where p.seq = c.seq",
            {"first": str(_FIRST)},
        )
        connection.execute(
            "select setval(pg_get_serial_sequence('change', 'seq'), coalesce(max(seq), 0) + 1, false) from change"
        )
