"""The running side of connectors in one process: webhooks find here where to deliver, the scheduler polls.

The server makes one `Inbound` and starts it after the SensorThings service, and stops it before.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from functools import partial
from typing import Any

from lakou.connectors.configuration import settings
from lakou.connectors.entities import Entities, SensorThings
from lakou.connectors.register import CivicRegister
from lakou.connectors.running import run
from lakou.connectors.scheduler import Job, Scheduler
from lakou.kernel.errors import Unavailable
from lakou.sensorthings.access import ADMIN


class Inbound:
    """`tables` is the part `connectors` of the configuration. Raises BadRequest at once for a wrong value."""

    def __init__(self, service: SensorThings, tables: Mapping[str, Any]) -> None:
        set_up = settings(tables)
        self.entities = Entities(service, set_up.max_unclaimed)
        self.jobs = [
            Job(
                name,
                period_s,
                partial(
                    run,
                    name,
                    entities=self.entities,
                    principal=ADMIN,
                    options=set_up.options[name],
                    policy=set_up.policy,
                ),
            )
            for name, period_s in set_up.periods_s.items()
        ]
        self._polling: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open the webhooks and begin to poll."""
        _started.append(self)
        self._polling = asyncio.create_task(Scheduler(self.jobs, CivicRegister()).run(), name="connector scheduler")

    async def stop(self) -> None:
        """End the polling; later webhooks are told to come again."""
        if self in _started:
            _started.remove(self)
        if self._polling is not None:
            self._polling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._polling
            self._polling = None


_started: list[Inbound] = []


def current() -> Inbound:
    """The one that is started in this process. Raises Unavailable when there is none."""
    if not _started:
        raise Unavailable("The service is starting or stopping.", hint="Send the message again in a moment.")
    return _started[-1]
