"""Disks that misbehave: a file layer for SQLite that records what reaches the disk and fails when told to, and a
model of what a disk holds after the power is cut.

The file layer is part of the tests only. Tests in one process put it under the service with `laid_under`; a server
of its own is started on it by `python -m tests.torture.odd_disk`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

SECTOR = 512
BASE_VFS = "unix"
FAULTS = ("full", "growth", "write", "sync")
"""No write goes through · no file can grow · writes are half done and fail · writes go well and their sync fails."""


@dataclass(frozen=True, slots=True)
class Event:
    """One step of the record: what happened to which file, or `ack`: `path` is the Datastream, `offset` the number."""

    kind: str
    path: str = ""
    offset: int = 0
    data: bytes = b""
    at: float = field(default_factory=time.monotonic)


class OddDisk(apsw.VFS):
    """A file layer over the system's own. `record` hears what happens; `fault` gives one of FAULTS, or "" for none."""

    def __init__(self, folder: Path, record: Callable[[Event], None], fault: Callable[[], str] = str) -> None:
        super().__init__("lakou-odd-disk", BASE_VFS, makedefault=True)
        self.folder = str(folder)
        self.record = record
        self.fault = fault

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802  the name is SQLite's
        return OddFile(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        self.note("delete", filename)
        super().xDelete(filename, syncdir)

    def note(self, kind: str, path: str, offset: int = 0, data: bytes = b"") -> None:
        """Records what happens to a file that must survive: not the shared memory, not a temporary one."""
        if self.is_kept(path):
            self.record(Event(kind, path, offset, data))

    def is_kept(self, path: str) -> bool:
        return path.startswith(self.folder) and not path.endswith("-shm")


class OddFile(apsw.VFSFile):
    """One open file of an `OddDisk`."""

    def __init__(self, disk: OddDisk, name: Any, flags: list[int]) -> None:
        super().__init__(BASE_VFS, name, flags)
        self.disk = disk
        self.path = name.filename() if isinstance(name, apsw.URIFilename) else str(name or "")
        self.is_kept = disk.is_kept(self.path)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        match self.disk.fault() if self.is_kept else "":
            case "full":
                raise apsw.FullError("disk full")
            case "growth" if offset + len(data) > self.xFileSize():
                raise apsw.FullError("disk full")
            case "write":
                half = bytes(data[: len(data) // 2])
                self.disk.note("write", self.path, offset, half)
                super().xWrite(half, offset)
                raise _io_error(apsw.SQLITE_IOERR_WRITE)
        self.disk.note("write", self.path, offset, bytes(data))
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802
        if self.is_kept and self.disk.fault() == "sync":
            self.disk.note("failed sync", self.path)
            raise _io_error(apsw.SQLITE_IOERR_FSYNC)
        super().xSync(flags)
        self.disk.note("sync", self.path)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        self.disk.note("truncate", self.path, newsize)
        super().xTruncate(newsize)


def _io_error(extended: int) -> apsw.IOError:
    error = apsw.IOError("input/output error")
    error.extendedresult = extended  # type: ignore[attr-defined]
    return error


@contextmanager
def laid_under(folder: Path, record: Callable[[Event], None], fault: Callable[[], str] = str) -> Iterator[OddDisk]:
    """An odd disk as the default file layer, for what is opened inside."""
    disk = OddDisk(folder, record, fault)
    try:
        yield disk
    finally:
        disk.unregister()


@dataclass
class Platter:
    """The disk at a point of a record: what is durable of each file, and what is written above it since.

    After a failed sync the system takes the pages for clean: a later sync that succeeds does not write them any more
    (Linux drops them). What of them reached the disk is chance, and is decided at that point.
    """

    choice: random.Random
    durable: dict[str, bytearray] = field(default_factory=dict)
    pending: dict[str, list[Event]] = field(default_factory=dict)
    acknowledged: set[tuple[str, int]] = field(default_factory=set)

    def step(self, event: Event) -> None:
        match event.kind:
            case "ack":
                self.acknowledged.add((event.path, event.offset))
            case "sync":
                content = self.durable.setdefault(event.path, bytearray())
                for each in self.pending.pop(event.path, []):
                    _apply(content, each)
            case "failed sync":
                content = self.durable.setdefault(event.path, bytearray())
                for each in self.pending.pop(event.path, []):
                    if self.choice.random() < 0.5:
                        _apply(content, each, self.choice)
            case "delete":
                self.durable.pop(event.path, None)
                self.pending.pop(event.path, None)
            case _:
                self.pending.setdefault(event.path, []).append(event)

    def after_a_cut(self) -> dict[str, bytes]:
        """Files as they may be found: each write since the last sync whole, torn, or lost, whatever its order."""
        files = {path: bytearray(content) for path, content in self.durable.items()}
        for path, events in self.pending.items():
            content = files.setdefault(path, bytearray())
            kept = self.choice.choice((0.0, 0.2, 0.5, 0.8, 1.0))
            for event in events:
                if self.choice.random() < kept:
                    _apply(content, event, self.choice)
        return {path: bytes(content) for path, content in files.items()}


def _apply(content: bytearray, event: Event, torn: random.Random | None = None) -> None:
    if event.kind == "truncate":
        del content[event.offset :]
        return
    data = event.data
    if torn is not None and len(data) > SECTOR and torn.random() < 0.3:
        data = data[: torn.randrange(len(data) // SECTOR) * SECTOR]
    if len(content) < event.offset:
        content.extend(bytes(event.offset - len(content)))
    content[event.offset : event.offset + len(data)] = data
