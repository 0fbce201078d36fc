"""`lakou backup` and `lakou restore`."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from lakou.kernel.errors import BadRequest
from lakou.sensorthings.store import inventory
from lakou.server import compose
from lakou.server.backup.files import Told
from lakou.server.commands import options
from lakou.server.config import Config

if TYPE_CHECKING:
    from lakou.identity.journal.actions import Detail

# Sensors come first: copying waits for the disk more than for the processor, hashing can wait.
NICE = 10

err = Console(stderr=True, highlight=False)

Archive = Annotated[Path, typer.Argument(help="An archive made by lakou backup: a folder lakou-<time>")]


def backup(
    dest: Annotated[
        Path | None, typer.Argument(help="Folder in which the archive is made [default: backups in the data folder]")
    ] = None,
    keep: Annotated[
        int | None, typer.Option("--keep", min=1, help="Afterwards remove all but so many archives in that folder")
    ] = None,
    with_secrets: Annotated[
        bool, typer.Option("--with-secrets", help="Put the secret key in too; whoever reads it can forge sessions")
    ] = False,
    data: options.Data = None,
    database_url: options.DatabaseUrl = None,
    config: options.ConfigFile = None,
) -> None:
    """Back up both databases, while the server runs and writes. Prints the archive's path alone on the last line.

    The archive is a folder with a manifest: version, time, counts, and the SHA-256 of each file.
    """
    from lakou.server.backup import archive, manifest

    found = options.read(config, data_dir=data, database_url=database_url)
    os.nice(NICE)
    parent = (dest or found.data_dir / "backups").expanduser().absolute()
    with _telling() as told:
        made = archive.make(found, parent, datetime.now(UTC), told, with_secrets=with_secrets)
    held = manifest.read(made)
    _record(found, made.name, {"exact": held.exact, "secrets": with_secrets})
    for name, count in inventory.entities(held.databases["observations"]).items():
        err.print(f"{name}: {count}", markup=False)
    err.print(f"{sum(file.size for file in held.files) / 2**20:.1f} MiB", markup=False)
    if not held.exact:
        err.print("The civic data are a moment later than the observations.", markup=False)
    for path in archive.rotate(parent, keep) if keep else ():
        err.print(f"Removed {path.name}", markup=False)
    print(made)


def _record(config: Config, name: str, detail: Detail) -> None:
    """The act stands in the journal of the site, not in the archive itself. A backup of an older version has none."""
    from django.db import DatabaseError

    compose.load_django(config)
    from lakou.identity.journal import actions

    try:
        actions.record(act="backup.made", actor=options.operator(), subject=name, detail=detail)
    except DatabaseError as error:
        err.print(f"The journal does not have this act: {type(error).__name__}", markup=False)


def restore(
    archive: Archive,
    data: Annotated[
        Path | None, typer.Option("--data", help="New folder for databases and secrets; it must not exist or be empty")
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Also check integrity and counts, open the service and read a page")
    ] = False,
    database_url: options.DatabaseUrl = None,
    config: options.ConfigFile = None,
) -> None:
    """Restore an archive into a new folder or an empty PostgreSQL database; with --verify alone, only try it.

    Hashes are always compared. Nothing that is there is ever overwritten.
    """
    from lakou.server.backup import manifest
    from lakou.server.backup import restore as restoring

    found = manifest.read(archive.expanduser().absolute())
    if data is None and not verify:
        raise BadRequest("Where to?", place="--data", hint="--data NEWDIR, or --verify to try the archive only")
    if found.database == "sqlite" and database_url is not None:
        raise BadRequest("This archive is of SQLite", place="--database-url", hint="--data NEWDIR alone")
    archive = archive.expanduser().absolute()
    with tempfile.TemporaryDirectory(prefix="lakou-restore-") as passing, _telling() as told:
        settings = options.read(config, data_dir=data or Path(passing) / "data", database_url=database_url)
        tried = True
        if found.database == "sqlite":
            settings = msgspec.structs.replace(settings, database_url=None)
            by = None if data is None else options.operator()
            restoring.into_folder(archive, found, settings, told, verify=verify, by=by)
        elif data is None:
            tried = restoring.verify_postgres(archive, found, settings, told)
        else:
            restoring.into_postgres(archive, found, settings, told, verify=verify, by=options.operator())
    for name, count in inventory.entities(found.databases["observations"]).items():
        err.print(f"{name}: {count}", markup=False)
    err.print(_said(settings, kept=data is not None, tried=tried, verified=verify), markup=False)


def _said(settings: Config, *, kept: bool, tried: bool, verified: bool) -> str:
    if not tried:
        return "Hashes are right. A restore was not tried: give --database-url of a server for it."
    what = "The archive is whole and can be served." if verified else "Hashes are right."
    if not kept:
        return what
    if settings.database_url is not None:
        return f"{what} Restored into the database {urlsplit(settings.database_url).path.lstrip('/')}."
    return f"{what} Restored into {settings.data_dir}."


@contextlib.contextmanager
def _telling() -> Iterator[Told]:
    """A line of progress on standard error, gone at the end."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task("", total=None)

        def told(what: str, done: int, total: int) -> None:
            progress.update(task, description=what, completed=done, total=total or None)

        yield told
