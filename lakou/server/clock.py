"""What the kernel says of its clock (adjtimex, Linux): set from outside or not, and how far off (trust R19)."""

from __future__ import annotations

import asyncio
import ctypes
import ctypes.util
import sys
from typing import Literal, NamedTuple

import structlog

WARN_S = 1.0
LOOK_EVERY_S = 3600.0
_UNSYNCHRONISED = 0x0040
_NANOSECONDS = 0x2000


log = structlog.get_logger(__name__)


class _Timex(ctypes.Structure):
    """struct timex of <sys/timex.h>."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("constant", ctypes.c_long),
        ("precision", ctypes.c_long),
        ("tolerance", ctypes.c_long),
        ("time", ctypes.c_long * 2),
        ("tick", ctypes.c_long),
        ("pps", ctypes.c_long * 3),
        ("shift", ctypes.c_int),
        ("stability", ctypes.c_long),
        ("counts", ctypes.c_long * 4),
        ("tai", ctypes.c_int),
        ("padding", ctypes.c_int * 11),
    )


class Clock(NamedTuple):
    """`state`: synchronised, free (nobody sets it), or unknown; `offset_s` when it is synchronised."""

    state: Literal["synchronised", "free", "unknown"]
    offset_s: float | None = None

    @property
    def is_off(self) -> bool:
        """Known to be further off than an alert may bear."""
        return self.offset_s is not None and abs(self.offset_s) > WARN_S


async def watch() -> None:
    """Log at the start and every hour that the clock is off, or that nobody sets it."""
    while True:
        found = read()
        if found.is_off:
            log.warning("the clock is off", offset_s=found.offset_s)
        elif found.state == "free":
            log.warning("no time service sets the clock of this machine")
        await asyncio.sleep(LOOK_EVERY_S)


def read() -> Clock:
    """Ask the kernel; unknown where it has no such call."""
    if sys.platform != "linux":
        return Clock("unknown")
    try:
        asked = _Timex()
        if ctypes.CDLL(ctypes.util.find_library("c") or "libc.so.6", use_errno=True).adjtimex(ctypes.byref(asked)) < 0:
            return Clock("unknown")
    except (OSError, AttributeError):
        return Clock("unknown")
    if asked.status & _UNSYNCHRONISED:
        return Clock("free")
    return Clock("synchronised", asked.offset / (1e9 if asked.status & _NANOSECONDS else 1e6))
