"""Opens the observation database that the configuration names."""

from __future__ import annotations

from pathlib import Path

from lakou.kernel.errors import BadRequest
from lakou.sensorthings.store.database import Database


def open_database(data_dir: Path | None, database_url: str | None, *, hot_rows: int = 100_000) -> Database:
    """SQLite in a folder, or PostgreSQL when a URL is given."""
    if database_url is not None:
        from lakou.sensorthings.store.postgres import PostgresDatabase

        return PostgresDatabase(database_url)
    if data_dir is None:
        raise BadRequest("Either a data folder or a database URL is needed", code="configuration")
    from lakou.sensorthings.store.sqlite import SQLiteDatabase

    return SQLiteDatabase(data_dir / "observations.db", hot_rows=hot_rows)
