"""An in-process event bus: a lower layer tells news without knowing who listens (DESIGN §2).

Events are plain values; a handler subscribes to their type and is called in the publisher's thread, in the order of
subscription. Nothing is kept: what must survive a crash is read from a change log, never from here.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, TypeVar

_log = logging.getLogger(__name__)

Event = TypeVar("Event")
Handler = Callable[[Any], object]


class Bus:
    """Thread-safe: any thread may subscribe, unsubscribe and publish at any time, also from inside a handler."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Replaced, never changed in place: publish reads it without the lock.
        self._handlers: dict[type, tuple[Handler, ...]] = {}

    def subscribe(self, kind: type[Event], handler: Callable[[Event], object]) -> Callable[[], None]:
        """Call `handler` for each published event of exactly this type; returns what ends the subscription.

        Ending twice does nothing. A handler should return at once: it holds up the publisher.
        """
        # A handler subscribed twice must leave once for each: identity is that of the wrapper.
        entry: Handler = lambda event: handler(event)  # noqa: E731
        with self._lock:
            self._handlers[kind] = (*self._handlers.get(kind, ()), entry)

        def unsubscribe() -> None:
            with self._lock:
                left = tuple(other for other in self._handlers.get(kind, ()) if other is not entry)
                if left:
                    self._handlers[kind] = left
                else:
                    self._handlers.pop(kind, None)

        return unsubscribe

    def count(self, kind: type) -> int:
        """How many handlers an event of this type has."""
        return len(self._handlers.get(kind, ()))

    def publish(self, event: object) -> None:
        """Call the handlers of the event's type in order; an error in one is logged and does not stop the others."""
        for handler in self._handlers.get(type(event), ()):
            try:
                handler(event)
            except Exception:
                # The edge between layers: a listener's fault must not undo a publisher's work.
                _log.exception("a handler of %s failed", type(event).__name__)
