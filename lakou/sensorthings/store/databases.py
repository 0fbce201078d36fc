"""Opens the observation database that the configuration names, and follows it where others write to it too."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lakou.kernel.errors import BadRequest
from lakou.sensorthings.store.database import Database

if TYPE_CHECKING:
    from lakou.sensorthings.store.follower import Follower, Listeners


def open_database(data_dir: Path | None, database_url: str | None, *, hot_rows: int = 100_000) -> Database:
    """SQLite in a folder, or PostgreSQL when a URL is given."""
    if database_url is not None:
        from lakou.sensorthings.store.postgres import PostgresDatabase

        return PostgresDatabase(database_url)
    if data_dir is None:
        raise BadRequest("Either a data folder or a database URL is needed", code="configuration")
    from lakou.sensorthings.store.sqlite import SQLiteDatabase

    return SQLiteDatabase(data_dir / "observations.db", hot_rows=hot_rows)


def open_follower(database: Database, listeners: Listeners) -> Follower | None:
    """What tells of the commits of all processes; None on SQLite, where the writer is the only one."""
    if database.is_local:
        return None
    from lakou.sensorthings.store.follower import Follower
    from lakou.sensorthings.store.postgres import PostgresDatabase

    if not isinstance(database, PostgresDatabase):
        raise BadRequest("This database cannot be followed", code="configuration")
    return Follower(database, listeners)
