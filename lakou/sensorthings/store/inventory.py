"""What a database holds: the rows of each table, its migrations, its place in the change log.

A backup writes it down, a restore counts again. On SQLite it is made of the finished copy, so that counting pins no
snapshot of a running store; on PostgreSQL in the transaction whose snapshot is dumped.
"""

from __future__ import annotations

from typing import Any

import apsw
import msgspec
import psycopg
from psycopg import sql


class Inventory(msgspec.Struct, frozen=True):
    """Rows by table, names of the migrations done, the last sequence number of the change log (None: has none).

    `journal` is the head of the journal of acts, its rows and its last hash; empty in a database that has none.
    """

    migrations: list[str]
    rows: dict[str, int]
    change_log: int | None = None
    journal: str = ""


ENTITIES = (
    ("Things", "thing"),
    ("Datastreams", "datastream"),
    ("Sensors", "sensor"),
    ("ObservedProperties", "observed_property"),
    ("Locations", "location"),
    ("FeaturesOfInterest", "feature"),
    ("Observations", "observation"),
)
# A table, or a view over the tiers of one: then the view tells how many there are.
OBSERVATION = "observation"
JOURNAL_HEAD = "identity_journalhead"


def entities(inventory: Inventory) -> dict[str, int]:
    """The rows of the main entity types, by the names of the standard; deleted but not yet purged ones too."""
    return {name: inventory.rows[table] for name, table in ENTITIES if table in inventory.rows}


def of_sqlite(connection: apsw.Connection) -> Inventory:
    """The inventory of one SQLite database, observations or civic."""
    tables = sorted(
        name
        for (_, name, kind, *_) in connection.execute("pragma main.table_list")
        if (kind == "table" or name == OBSERVATION) and not name.startswith("sqlite_")
    )
    rows = {name: int(connection.execute(f'select count(*) from "{name}"').get) for name in tables}  # noqa: S608
    change_log = connection.execute("select coalesce(max(seq), 0) from change").get if "change" in rows else None

    def ask(text: str) -> list[Any]:
        return connection.execute(text).fetchall()

    return Inventory(_migrations(tables, ask), rows, change_log, _journal(tables, ask))


def of_postgres(connection: psycopg.Connection[Any], schema: str) -> Inventory:
    """The inventory of one schema, as the connection's transaction sees it; partitions count with their parent."""
    tables = [
        row[0]
        for row in connection.execute(
            "select relname from pg_class where relnamespace = to_regnamespace(%s)"
            " and (relkind in ('r', 'p') or relname = %s) and not relispartition order by relname",
            (schema, OBSERVATION),
        )
    ]
    rows = {}
    for name in tables:
        counted = connection.execute(sql.SQL("select count(*) from {}").format(sql.Identifier(schema, name)))
        rows[name] = int((counted.fetchone() or (0,))[0])
    change_log = None
    if "change" in rows:
        last = connection.execute(
            sql.SQL("select coalesce(max(seq), 0) from {}").format(sql.Identifier(schema, "change"))
        ).fetchone()
        change_log = int(last[0]) if last else 0

    def ask(text: str) -> list[Any]:
        table = text.rpartition(" ")[2]
        head = text.removesuffix(table)
        return connection.execute(sql.SQL("{}{}").format(sql.SQL(head), sql.Identifier(schema, table))).fetchall()

    return Inventory(_migrations(tables, ask), rows, change_log, _journal(tables, ask))


def _migrations(tables: list[str], ask: Any) -> list[str]:
    """The names of what was done: our own numbered ones, or Django's as app.name."""
    if "migration" in tables:
        return sorted(name for (name,) in ask("select name from migration"))
    if "django_migrations" in tables:
        return sorted(f"{app}.{name}" for app, name in ask("select app, name from django_migrations"))
    return []


def _journal(tables: list[str], ask: Any) -> str:
    """As `lakou audit head` prints it: a backup that is kept elsewhere vouches for the journal up to its day."""
    if JOURNAL_HEAD not in tables:
        return ""
    ((count, digest),) = ask(f"select count, hash from {JOURNAL_HEAD}")  # noqa: S608  a fixed name
    return f"{count}:{digest}"
