"""What systemd is told (sd_notify, Type=notify): that the server is ready, that it stops, that it still works.

The watchdog is fed only while the writer answers: a process whose writer hangs is started again. NOTIFY_SOCKET and
WATCHDOG_USEC are systemd's own words to a service and no settings of Lakou.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable

from lakou.kernel.errors import LakouError


def notify(text: str) -> bool:
    """Send a line to systemd; False where there is none."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return False
    # An abstract socket is written with @ for its zero byte.
    target = "\0" + address[1:] if address.startswith("@") else address
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.sendto(text.encode(), target)
        return True
    return False


def watchdog_s() -> float | None:
    """How often systemd wants a sign of life; None when it wants none."""
    told = os.environ.get("WATCHDOG_USEC", "")
    return int(told) / 1e6 if told.isdigit() and int(told) > 0 else None


async def feed_watchdog(probe: Callable[[], Awaitable[None]], every_s: float) -> None:
    """Give a sign of life at twice the wanted rate, for as long as `probe` answers in time; a refusal is an answer."""
    while True:
        try:
            async with asyncio.timeout(every_s / 2):
                await probe()
        except TimeoutError:
            continue
        except LakouError:
            pass
        notify("WATCHDOG=1")
        await asyncio.sleep(every_s / 2)
