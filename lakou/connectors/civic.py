"""Runs work on the civic database off the event loop, so that a slow disk never holds up the sensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from asgiref.sync import sync_to_async
from django.db import close_old_connections

T = TypeVar("T")


async def off_the_loop(work: Callable[[], T]) -> T:
    """The result of `work`, called in the thread that Django's database work shares."""

    def call() -> T:
        # No request ends here, so nobody else drops a connection that the database has closed.
        close_old_connections()
        try:
            return work()
        finally:
            close_old_connections()

    return await sync_to_async(call)()
