"""The report of a run: what was measured, on what machine, kept as JSON; `tables.py` shows it."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import apsw
import msgspec

from bench import linux
from bench.promises import Measured
from bench.session import Settings


class Report(msgspec.Struct, frozen=True):
    """One run. `load_before` is the machine's load average when it began, `stolen` the share that its host took."""

    at: str
    version: str
    machine: dict[str, str]
    load_before: float
    stolen: float
    settings: Settings
    measured: list[Measured]
    peers: list[Measured]
    left_out: list[str]
    failed: bool

    @property
    def columns(self) -> list[str]:
        """What was measured, in order."""
        return list(dict.fromkeys(one.column for one in self.measured))

    def name(self) -> str:
        """Says when, how large and which databases; nothing of the machine."""
        columns = "-".join(column.lower().replace(", ", "-").replace(" ", "-") for column in self.columns)
        return f"{self.at.replace(':', '')}-{self.settings.rows}-{columns or 'nothing'}"

    def write(self, folder: Path) -> Path:
        """Keep the run as JSON; the file."""
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{self.name()}.json"
        file.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=1))
        return file


def read(file: Path) -> Report:
    """A kept run."""
    return msgspec.json.decode(file.read_bytes(), type=Report)


class Machine:
    """Looks at the machine when the run begins, and again for the report."""

    def __init__(self) -> None:
        self._load = os.getloadavg()[0]
        self._ticks = linux.stolen()

    def report(
        self, settings: Settings, measured: list[Measured], peers: list[Measured], left_out: list[str], failed: bool
    ) -> Report:
        """A report of what was measured."""
        stolen, ticks = (b - a for a, b in zip(self._ticks, linux.stolen(), strict=True))
        machine: dict[str, str] = {
            "Python": platform.python_version(),
            "SQLite": apsw.sqlite_lib_version(),
            "cores": str(len(os.sched_getaffinity(0))),
            "processor": _processor(),
        }
        return Report(
            at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            version=_version(),
            machine=machine,
            load_before=self._load,
            stolen=stolen / max(1, ticks),
            settings=settings,
            measured=measured,
            peers=peers,
            left_out=left_out,
            failed=failed,
        )


def _version() -> str:
    done: Any = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return str(done.stdout).strip() or "unknown"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
