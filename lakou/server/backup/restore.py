"""From an archive to databases that serve: hashes, counts and migrations are compared, then a page is read.

Nothing is ever overwritten: the folder must be new or empty, the PostgreSQL database empty.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import structlog

from lakou.identity.policy import Actor
from lakou.kernel.errors import BadRequest, Conflict, Unavailable
from lakou.sensorthings.access import ADMIN
from lakou.sensorthings.store import migrations
from lakou.sensorthings.store.inventory import Inventory
from lakou.server import compose, databases, secretfile
from lakou.server.backup import manifest, postgres, sqlite
from lakou.server.backup.files import Told, copy_checked, damaged, digest, draft_of, need_room, remove_stale
from lakou.server.backup.manifest import Manifest
from lakou.server.config import Config

log = structlog.get_logger(__name__)

PAGES = ("/Things?$top=1&$expand=Datastreams", "/Observations?$top=1")


def into_folder(
    archive: Path, found: Manifest, config: Config, told: Told, *, verify: bool, by: Actor | None = None
) -> None:
    """Restore an SQLite archive into the new folder `config.data_dir`, which appears whole or not at all.

    `by` stands in the restored site's own journal; None for a trial, of which nothing stays.
    """
    _must_be_new(config)
    need_room(config.data_dir, sum(file.size for file in found.files))
    remove_stale(config.data_dir.parent, f"{config.data_dir.name}.")
    with draft_of(config.data_dir) as draft:
        _copy_files(archive, found, draft, told)
        drafted = msgspec.structs.replace(config, data_dir=draft)
        compose.load_django(drafted)
        _check_migrations(found)
        if verify:
            _verify_files(draft, found, told)
            _serve_once(drafted, told)
        if by is not None:
            _record(archive, found, by)


def into_postgres(
    archive: Path, found: Manifest, config: Config, told: Told, *, verify: bool, by: Actor | None = None
) -> None:
    """Restore a PostgreSQL archive into the empty database of `config`; its secrets into the data folder.

    `by` as for `into_folder`.
    """
    url = config.database_url
    if url is None:
        raise Unavailable("A database is needed", place="LAKOU_DATABASE_URL", hint="--database-url postgresql://…")
    _check_hashes(archive, found, told)
    with _secrets(archive, found, config):
        compose.load_django(config)
        _check_migrations(found)
        there = postgres.restore(url, archive / postgres.DUMP, told)
    if verify:
        _compare(found, there)
        _serve_once(config, told)
    if by is not None:
        _record(archive, found, by)


def _record(archive: Path, found: Manifest, by: Actor) -> None:
    """The act stands in the journal that was restored, after the last row of its backup."""
    from django.db import DatabaseError, connection

    from lakou.identity.journal import actions

    try:
        actions.record(
            act="backup.restored", actor=by, subject=archive.name, detail={"made": found.made, "version": found.version}
        )
    except DatabaseError as error:  # a backup of a version without a journal: it gets one at the first start
        log.warning("the restored journal does not have this act", error=type(error).__name__)
    finally:
        connection.close()


@contextlib.contextmanager
def _secrets(archive: Path, found: Manifest, config: Config) -> Iterator[None]:
    """The archive's secrets in the data folder, taken away again when the restore fails."""
    path = config.data_dir / secretfile.FILE
    if all(file.name != secretfile.FILE for file in found.files):
        yield
        return
    if path.exists():
        raise Conflict(f"{path} exists already", place="LAKOU_DATA", hint="give a new folder: --data NEWDIR")
    config.data_dir.mkdir(parents=True, exist_ok=True, mode=0o750)
    secretfile.write_private(path, (archive / secretfile.FILE).read_text(encoding="utf-8"), replace=False)
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def verify_postgres(archive: Path, found: Manifest, config: Config, told: Told) -> bool:
    """Try a PostgreSQL archive in a database that is dropped again. False when there is no server to try it on:
    then only the hashes and the table of contents are verified.
    """
    if config.database_url is None:
        _check_hashes(archive, found, told)
        compose.load_django(config)
        _check_migrations(found)
        if postgres.read_list(archive / postgres.DUMP) == 0:
            raise damaged(postgres.DUMP)
        return False
    with postgres.passing_database(config.database_url) as url:
        into_postgres(archive, found, msgspec.structs.replace(config, database_url=url), told, verify=True)
    return True


def _must_be_new(config: Config) -> None:
    data = config.data_dir
    if not data.exists():
        return
    if data.is_dir() and not any(data.iterdir()):
        data.rmdir()
        return
    server = _running(config)
    raise Conflict(
        f"A server is running on {data}" if server else f"{data} is not an empty folder",
        place="LAKOU_DATA",
        hint="restore into a new folder, look at it, then stop the server and change its --data",
    )


def _running(config: Config) -> bool:
    if not (config.data_dir / databases.SERVER_LOCK).exists():
        return False
    try:
        with databases.only_server(config, ""):
            return False
    except Conflict:
        return True


def _copy_files(archive: Path, found: Manifest, draft: Path, told: Told) -> None:
    _no_strangers(archive, found)
    for file in found.files:
        mode = 0o600 if file.name == secretfile.FILE else 0o640
        copy_checked(archive / file.name, draft / file.name, file.sha256, file.size, told, mode)


def _check_hashes(archive: Path, found: Manifest, told: Told) -> None:
    _no_strangers(archive, found)
    for file in found.files:
        path = archive / file.name
        if not path.is_file() or path.stat().st_size != file.size or digest(path, told) != file.sha256:
            raise damaged(file.name)


def _no_strangers(archive: Path, found: Manifest) -> None:
    """Names come from the manifest, which anybody may have written: only plain names of this folder are used."""
    for file in found.files:
        if file.name != Path(file.name).name or file.name in (manifest.NAME, manifest.SEAL):
            raise BadRequest("The manifest names a file outside of the archive", place="ARCHIVE")
    wanted = {file.name for file in found.files}
    needed = set(sqlite.FILES.values()) if found.database == "sqlite" else {postgres.DUMP}
    if not needed <= wanted:
        raise damaged(manifest.NAME)
    if strangers := {path.name for path in archive.iterdir()} - wanted - {manifest.NAME, manifest.SEAL}:
        raise damaged(min(strangers))


def _check_migrations(found: Manifest) -> None:
    """Refuse a schema that this version does not know. Raises BadRequest; Django must be loaded."""
    from django.db.migrations.loader import MigrationLoader

    known = {name for name, _ in migrations.of(found.database)}
    known |= {f"{app}.{name}" for app, name in MigrationLoader(None).disk_migrations}
    done = [name for held in found.databases.values() for name in held.migrations]
    if unknown := sorted(set(done) - known):
        raise manifest.newer(f"{found.version} (migration {unknown[0]})")


def _verify_files(folder: Path, found: Manifest, told: Told) -> None:
    for file in sqlite.FILES.values():
        told(f"Verifying {file}", 0, 0)
        with contextlib.closing(sqlite.open_still(folder / file)) as connection:
            if connection.execute("pragma integrity_check").get != "ok":
                raise damaged(file)
    told("Counting", 0, 0)
    _compare(found, sqlite.count(folder))


def _compare(found: Manifest, there: dict[str, Inventory]) -> None:
    for name, held in found.databases.items():
        counted = there[name]
        for table, rows in held.rows.items():
            if counted.rows.get(table) != rows:
                raise Conflict(
                    f"The archive is not whole: {name}.{table} has {counted.rows.get(table, 0)} rows, not {rows}",
                    place="ARCHIVE",
                    hint="use another archive; keep this one for inquiry",
                    code="damaged_archive",
                )
        same = counted.change_log == held.change_log and counted.journal == held.journal
        if counted.migrations != held.migrations or not same:
            raise damaged(manifest.NAME)


def _serve_once(config: Config, told: Told) -> None:
    """Bring the restored databases to this version's shape, open the service and read a page of it."""
    told("Opening the service", 0, 0)
    compose.migrate(config)
    _verify_journal()
    asyncio.run(_read_pages(config))


def _verify_journal() -> None:
    """Raises Conflict when a row of the journal is not what was written."""
    from lakou.identity.journal import queries

    _, flaw = queries.verify()
    if flaw is not None:
        raise Conflict(
            f"Row {flaw.seq} of the journal {flaw.what}",
            place="ARCHIVE",
            hint="the journal was touched before this backup was made: keep it for inquiry",
            code="damaged_journal",
        )


async def _read_pages(config: Config) -> None:
    service = compose.make_service(config)
    await service.start()
    try:
        for page in PAGES:
            answer = await service.call(ADMIN, "GET", page)
            if answer.status != 200:
                raise Unavailable(f"The restored store does not answer: {page.partition('?')[0]} gives {answer.status}")
    finally:
        await service.stop()
