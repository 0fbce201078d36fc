"""What Linux tells about processes and the machine: processor time, memory, bytes written, stolen time."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from bench.loading import LoadError


def family(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for one in found:
        for children in Path(f"/proc/{one}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += [int(child) for child in children.read_text(encoding="ascii").split()]
    return found


def cpu_s(pids: Iterable[int]) -> float:
    """Seconds of processor time used so far, user and system, by these and by children of theirs that ended."""
    ticks = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
            ticks += sum(int(field) for field in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def resident_bytes(pids: Iterable[int]) -> int:
    """Resident memory now; pages that processes share are counted once a process."""
    return sum(_field(Path(f"/proc/{pid}/status"), "VmRSS:") for pid in pids) * 1024


def written_bytes(pids: Iterable[int]) -> int:
    """Bytes that processes have caused to be sent to the disk; 0 where the file system does not count them."""
    return sum(_field(Path(f"/proc/{pid}/io"), "write_bytes:") for pid in pids)


def device_bytes(folder: Path) -> int | None:
    """Bytes written so far to the device that a folder lies on, by everybody; None where that is not told."""
    device = folder.stat().st_dev
    try:
        fields = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat").read_text(encoding="ascii").split()
    except OSError:
        return None
    return int(fields[6]) * 512


def stolen() -> tuple[int, int]:
    """Ticks of all processors since the start of the machine: those that the host took away, and all of them."""
    fields = [int(f) for f in Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]]
    return fields[7], sum(fields)


def _field(file: Path, name: str) -> int:
    try:
        for line in file.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith(name):
                return int(line.split()[1])
    except OSError as error:
        raise LoadError(f"A process of the server is gone: {error}") from error
    return 0
