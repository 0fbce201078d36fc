"""The product on an odd disk: `python -m tests.torture.odd_disk FOLDER COMMAND…` is `lakou COMMAND…` (SQLite).

What reaches the databases in FOLDER/data is recorded in FOLDER/record where that file exists, and the disk fails
in the way that the file FOLDER/fault says (one of `disks.FAULTS`), as long as it exists.
"""

from __future__ import annotations

import pickle
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from tests.harness.server import Server
from tests.torture.disks import Event, laid_under

RECORD, FAULT = "record", "fault"


def recorder(file: BinaryIO) -> Callable[[Event], None]:
    """Appends events to a file, from any thread."""
    lock = threading.Lock()

    def record(event: Event) -> None:
        frame = pickle.dumps(event, protocol=5)
        with lock:
            file.write(frame)

    return record


def recorded(file: Path) -> Iterator[Event]:
    """The events of a record."""
    with file.open("rb") as source:
        while source.peek(1):
            event: Event = pickle.load(source)  # noqa: S301  our own record
            yield event


def fault_in(folder: Path) -> Callable[[], str]:
    """What the control file says now."""
    control = folder / FAULT

    def fault() -> str:
        return control.read_text() if control.exists() else ""

    return fault


def _forget(event: Event) -> None:
    """What is not recorded."""


@contextmanager
def server_on_odd_disk(folder: Path, *, record: bool) -> Iterator[Server]:
    """A started server whose data stand in `folder`, stopped at the end."""
    server = Server("sqlite", folder / "data")
    server.program = (sys.executable, "-m", "tests.torture.odd_disk", str(folder))
    server.data.mkdir(parents=True)
    if record:
        (folder / RECORD).touch()
    try:
        server.start()
        yield server
    finally:
        server.stop()


def main() -> None:
    folder = Path(sys.argv[1])
    sys.argv[:2] = ["lakou"]
    from lakou.server.cli import main as lakou

    record_file = folder / RECORD
    if record_file.exists() and "serve" in sys.argv:
        with record_file.open("wb") as file, laid_under(folder / "data", recorder(file), fault_in(folder)):
            lakou()
    else:
        with laid_under(folder / "data", _forget, fault_in(folder)):
            lakou()


if __name__ == "__main__":
    main()
