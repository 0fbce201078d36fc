"""The report: a Markdown table of promise beside measurement, and the same as JSON for later runs."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import apsw
import msgspec

from bench.measure import Settings
from bench.promises import PROMISES, Measured, Promise

WORDS = {True: "kept", False: "**not kept**", None: ""}


class Report(msgspec.Struct, frozen=True):
    """One run. `load_before` is the machine's load average when it began: above 0.5 only the ratios count."""

    at: str
    version: str
    machine: dict[str, str]
    load_before: float
    settings: Settings
    measured: list[Measured]
    left_out: list[str]

    def markdown(self) -> str:
        """Head, table, notes."""
        databases = list(dict.fromkeys(m.database for m in self.measured))
        found = {(m.key, m.database): m for m in self.measured}
        lines = [
            f"Measured {self.at} at {self.version}, N = {self.settings.rows:,}, load before {self.load_before:.1f}.",
            ", ".join(f"{name} {value}" for name, value in self.machine.items()),
            "",
            "| what | promise | " + " | ".join(f"{d} | " for d in databases) + "|",
            "|---|---|" + "---:|---|" * len(databases),
        ]
        notes: list[str] = []
        for promise in PROMISES:
            cells = [_cells(promise, found.get((promise.key, d)), notes) for d in databases]
            if any(cells_ != ("", "") for cells_ in cells):
                text = " | ".join(f"{value} | {word}" for value, word in cells)
                lines.append(f"| {promise.what} | {_bound(promise)} | {text} |")
        return "\n".join([*lines, "", *notes, *(f"Not measured: {reason}" for reason in self.left_out)]).rstrip()

    def write(self, folder: Path) -> Path:
        """Keep the run as JSON; the file."""
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{self.at.replace(':', '')}.json"
        file.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=1))
        return file


def report(settings: Settings, measured: list[Measured], left_out: list[str], load_before: float) -> Report:
    """A report of what was measured, with the machine it was measured on."""
    machine: dict[str, str] = {
        "Python": platform.python_version(),
        "SQLite": apsw.sqlite_lib_version(),
        "cores": str(len(os.sched_getaffinity(0))),
        "processor": _processor(),
    }
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Report(at, _version(), machine, load_before, settings, measured, left_out)


def _cells(promise: Promise, measured: Measured | None, notes: list[str]) -> tuple[str, str]:
    if measured is None:
        return "", ""
    if measured.value is None:
        return "?", measured.note
    if measured.note:
        notes.append(f"{promise.what}, {measured.database}: {measured.note}.")
    value = f"{measured.value:,.{promise.digits}f}"
    return f"{value} {promise.unit}".rstrip(), WORDS[promise.is_kept(measured.value)]


def _bound(promise: Promise) -> str:
    if promise.bound is None:
        return ""
    return f"{promise.sense} {promise.bound:,g} {promise.unit}".rstrip()


def _version() -> str:
    done: Any = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return str(done.stdout).strip() or "unknown"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
