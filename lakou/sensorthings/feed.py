"""What commits made, for those who listen: a committed change → followers of the process, in commit order.

On SQLite the writer tells its own commits; on PostgreSQL the follower of the change log tells those of all
processes (store/follower.py). Either comes on a thread of its own and is handed to the loop here. What must not be
missed is read from the change log instead.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Hashable

import msgspec

from lakou.sensorthings.access import Principal
from lakou.sensorthings.store.session import Commit, Observed

log = logging.getLogger(__name__)

SETTLE_S = 5.0


class _Follower(msgspec.Struct, frozen=True):
    handler: Callable[[Commit], object]
    asks: Callable[[], int]


class Feed:
    """The followers of one process. `is_steady` tells that commits are told also while nobody asks (SQLite)."""

    def __init__(self, *, is_steady: bool = True) -> None:
        self.is_steady = is_steady
        self.wake: Callable[[], None] = lambda: None
        """Makes who tells of commits look at once whether somebody asks."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._followers: tuple[_Follower, ...] = ()

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Deliver on this loop from now on."""
        self._loop = loop

    def follow(self, handler: Callable[[Commit], object], asks: Callable[[], int] = lambda: 1) -> Callable[[], None]:
        """Call `handler` on the loop for every commit, in order; returns what ends it. It must return at once.

        `asks` gives 0 while the handler needs nothing, and each time that it begins to need commits another number:
        where telling costs something, nothing is told while nobody asks. A commit without entries only tells the
        place in the log where it begins. Other threads call it.
        """
        follower = _Follower(handler, asks)
        self._followers = (*self._followers, follower)

        def end() -> None:
            self._followers = tuple(f for f in self._followers if f is not follower)

        return end

    # ── on the thread that tells ──

    def asking(self) -> Hashable:
        """None while nobody asks; another value when others ask than before."""
        asked = tuple(follower.asks() for follower in self._followers)
        return asked if any(asked) else None

    def committed(self, commit: Commit) -> None:
        """Hand a commit to the loop."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._deliver, commit)

    def settle(self) -> None:
        """Return when the loop has handed on what was committed, or after a while."""
        if self._loop is not None and not self._loop.is_closed():
            done = threading.Event()
            self._loop.call_soon_threadsafe(done.set)
            done.wait(SETTLE_S)

    # ── on the loop ──

    def _deliver(self, commit: Commit) -> None:
        for follower in self._followers:
            try:
                follower.handler(commit)
            except Exception:  # the edge between layers: one that fails must not keep the news from the others
                log.exception("A follower of commits failed")


def sees(principal: Principal, event: Observed) -> bool:
    """Whether a principal may know of an event."""
    scope_id = event[0].scope_id
    return scope_id >= 0 and (principal.reads is None or scope_id in principal.reads)
