"""The end of a process: asked for by a signal, done within ten seconds whatever clients and threads do (trust R18).

The first SIGTERM or SIGINT stops politely: `/readyz` says so, requests finish, the writer commits. The second ends at
once: nothing that was acknowledged can be lost, for it was on the disk before it was acknowledged.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import time
from types import FrameType
from typing import Any

from lakou.server import systemd

log = logging.getLogger(__name__)

# Ten seconds in all: for the requests, then for the writer and the checkpoint.
REQUESTS_S = 7
TOTAL_S = 9.5
SIGNALS = (signal.SIGTERM, signal.SIGINT)

_stopping = threading.Event()
_stored = threading.Event()


def is_stopping() -> bool:
    """Whether a signal has asked for the end."""
    return _stopping.is_set()


def stored() -> None:
    """Say that the writer has committed everything and the store is closed."""
    _stored.set()


def watch_signals() -> None:
    """Hear the signals that the server hears, before it. In the main thread; elsewhere (tests) this does nothing.

    A worker is told by its parent: a second signal, which a terminal or systemd sends to all, does not hurry it.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    is_worker = multiprocessing.parent_process() is not None
    for number in SIGNALS:
        server = signal.getsignal(number)

        def heard(number: int, frame: FrameType | None, server: Any = server) -> None:
            if _stopping.is_set():
                if not is_worker:
                    os._exit(128 + number)
                return
            _stopping.set()
            systemd.notify("STOPPING=1")
            threading.Thread(target=_limit, name="lakou-limit", daemon=True).start()
            if callable(server):
                server(number, frame)

        signal.signal(number, heard)


def _limit() -> None:
    """End the process when the time is over. 0 when everything is stored: what is left are clients or threads."""
    time.sleep(TOTAL_S)
    log.warning("The end took too long; what still ran was left")
    os._exit(0 if _stored.is_set() else 1)
