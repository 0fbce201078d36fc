"""Both SQLite files at one instant, while the server writes.

Each file is copied by SQLite's backup interface from a connection that holds one read snapshot to the end. The usual
way, small steps without a snapshot, begins again whenever another process commits: under load it never ends. VACUUM
INTO holds a snapshot too, for half as long again (measured). A snapshot never holds up the writer; while it lasts the
write-ahead log cannot be reused and grows by what is written meanwhile (docs/how-to/operate.md).

The two snapshots are of the same instant: `data_version` says whether anybody committed to the civic file between
them, and if so both are taken again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import apsw

from lakou.kernel.errors import NotFound
from lakou.sensorthings.store import inventory
from lakou.sensorthings.store.inventory import Inventory
from lakou.server.backup.files import Told, need_room, sync

OBSERVATIONS, CIVIC = "observations.db", "civic.db"
FILES = {"observations": OBSERVATIONS, "civic": CIVIC}
PAGES = 2_000
TRIES = 50
ROOM = 64 * 2**20


def copy(data: Path, draft: Path, told: Told) -> bool:
    """Copy both databases into `draft`, synced. True when both are of one instant.

    Otherwise the civic file is the later one: every owner and scope that an Observation names is then in it, for a
    token is committed before it can be used. Raises NotFound without databases, Unavailable without room.
    """
    for name in (OBSERVATIONS, CIVIC):
        if not (data / name).exists():
            raise NotFound(f"There is no {name} in {data}", place="LAKOU_DATA", hint="give --data DIR")
    need_room(draft, sum((data / name).stat().st_size for name in FILES.values()) + ROOM)
    with _snapshots(data) as (observations, civic, exact):
        # The small one first: its snapshot ends in an instant.
        _copy(civic, draft / CIVIC, told)
        _copy(observations, draft / OBSERVATIONS, told)
    return exact


@contextlib.contextmanager
def _snapshots(data: Path) -> Iterator[tuple[apsw.Connection, apsw.Connection, bool]]:
    observations, civic, watch = (_open(data / name) for name in (OBSERVATIONS, CIVIC, CIVIC))
    try:
        for attempt in range(TRIES):
            before = watch.execute("pragma data_version").get
            _pin(observations)
            _pin(civic)
            exact = bool(watch.execute("pragma data_version").get == before)
            if exact or attempt == TRIES - 1:
                break
            observations.execute("rollback")
            civic.execute("rollback")
        yield observations, civic, exact
    finally:
        for connection in (observations, civic, watch):
            connection.close()


def _open(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    connection.set_busy_timeout(5000)
    connection.execute("pragma query_only = on")
    return connection


def _pin(connection: apsw.Connection) -> None:
    connection.execute("begin")
    connection.execute("select count(*) from sqlite_master").fetchall()


def _copy(source: apsw.Connection, target: Path, told: Told) -> None:
    target.touch(mode=0o640)
    copied = apsw.Connection(str(target))
    try:
        copied.execute("pragma synchronous = off")  # synced once, as a whole, below
        with copied.backup("main", source, "main") as backup:
            while not backup.done:
                backup.step(PAGES)
                told(f"Copying {target.name}", backup.page_count - backup.remaining, backup.page_count)
    finally:
        copied.close()
        source.execute("rollback")
    sync(target)


def count(folder: Path) -> dict[str, Inventory]:
    """The inventories of both files in a folder in which nobody writes."""
    found = {}
    for name, file in FILES.items():
        with contextlib.closing(open_still(folder / file)) as connection:
            found[name] = inventory.of_sqlite(connection)
    return found


def open_still(path: Path) -> apsw.Connection:
    """A connection to a file that nobody changes: no lock, and no file made beside it."""
    uri = path.absolute().as_uri() + "?immutable=1"
    return apsw.Connection(uri, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
