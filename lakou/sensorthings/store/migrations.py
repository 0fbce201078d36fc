"""The numbered SQL migrations of both databases: `schema/<database>_<number>_<name>.sql`."""

from __future__ import annotations

from importlib import resources


def of(database: str) -> list[tuple[str, str]]:
    """(name, SQL text) of a database's migrations, in order; `database` is "sqlite" or "postgres"."""
    folder = resources.files("lakou.sensorthings.store") / "schema"
    names = sorted(f.name for f in folder.iterdir() if f.name.startswith(database + "_") and f.name.endswith(".sql"))
    return [(name.removesuffix(".sql"), (folder / name).read_text("utf-8")) for name in names]
