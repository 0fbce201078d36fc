"""Files of an archive on the disk: written and synced, hashed, copied under their digest, named whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw

from lakou.kernel.errors import Conflict, LakouError, Unavailable

CHUNK = 1024 * 1024
STALE_S = 3600.0
# (what is being done, done, total) in bytes or pages
Told = Callable[[str, int, int], None]

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@contextlib.contextmanager
def draft_of(final: Path) -> Iterator[Path]:
    """A new folder beside `final` that gets its name at the end, all synced; on any error it is removed.

    A process that is killed leaves a folder whose name begins with a point and ends with its process number:
    `remove_stale` takes it away. Raises Unavailable when the disk is full or cannot be written.
    """
    draft = final.with_name(f".{final.name}.{os.getpid()}")
    try:
        final.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        draft.mkdir(mode=0o700)
        yield draft
        sync_folder(draft)
        draft.rename(final)
        sync_folder(final.parent)
    except (OSError, apsw.Error) as error:
        raise _not_written(final, error) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def remove_stale(parent: Path, beginning: str) -> None:
    """Remove the drafts, of names that begin so, of processes that are no more.

    What changed within the hour stays: the process may run on another machine that shares the folder.
    """
    for draft in parent.glob(f".{beginning}*"):
        number = draft.name.rpartition(".")[2]
        if not (draft.is_dir() and number.isdigit()) or Path(f"/proc/{number}").exists():
            continue
        changed = max((path.stat().st_mtime for path in (draft, *draft.iterdir())), default=0.0)
        if time.time() - changed > STALE_S:
            shutil.rmtree(draft, ignore_errors=True)


def _not_written(final: Path, error: Exception) -> LakouError:
    full = isinstance(error, apsw.FullError) or (isinstance(error, OSError) and error.errno in _FULL)
    if full:
        return Unavailable(
            "The disk is full; nothing was left behind", place=str(final.parent), hint="free some room, or another disk"
        )
    reason = error.strerror if isinstance(error, OSError) else type(error).__name__
    return Unavailable(
        f"The files cannot be written or read: {reason}; nothing was left behind",
        place=str(final.parent),
        hint="look at the disk and at who may write there",
    )


def need_room(folder: Path, size: int) -> None:
    """Refuse before any work what cannot fit. Raises Unavailable."""
    there = next(p for p in (folder, *folder.parents) if p.exists())
    free = shutil.disk_usage(there).free
    if free < size:
        raise Unavailable(
            f"The disk has {free // 2**20} MiB free and {size // 2**20} MiB are needed",
            place=str(folder),
            hint="free some room, or name another disk",
        )


def write_synced(path: Path, content: bytes, mode: int = 0o640) -> None:
    """Write a new file and wait until the disk has it."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the disk has the names in a folder."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync(path: Path) -> None:
    """Wait until the disk has a file that another program wrote."""
    sync_folder(path)


def digest(path: Path, told: Told) -> str:
    """The SHA-256 of a file."""
    found, done, size = hashlib.sha256(), 0, path.stat().st_size
    with path.open("rb") as file:
        while piece := file.read(CHUNK):
            found.update(piece)
            done += len(piece)
            told(f"Hashing {path.name}", done, size)
    return found.hexdigest()


def copy_checked(source: Path, target: Path, sha256: str, size: int, told: Told, mode: int = 0o640) -> None:
    """Copy a file of an archive and compare its digest on the way. Raises Conflict when it is damaged."""
    if not source.is_file() or source.stat().st_size != size:
        raise damaged(source.name)
    found, done = hashlib.sha256(), 0
    with (
        source.open("rb") as file,
        os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as copy,
    ):
        while piece := file.read(CHUNK):
            found.update(piece)
            copy.write(piece)
            done += len(piece)
            told(f"Restoring {source.name}", done, size)
        copy.flush()
        os.fsync(copy.fileno())
    if found.hexdigest() != sha256:
        raise damaged(source.name)


def damaged(name: str) -> Conflict:
    """The refusal of an archive whose bytes are not those that were written."""
    return Conflict(
        f"The archive is damaged: {name} is not what was written",
        place="ARCHIVE",
        hint="use another archive; keep this one for inquiry",
        code="damaged_archive",
    )
