"""Carries acts from the outbox of the store to the witness, and lets it write down what it noted by itself.

Beside the commits, on the loop, one at a time. An act leaves the outbox only after the witness has written it: while
that fails it waits there, is counted (`lakou_acts_waiting`), and the log says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from lakou.sensorthings.store import outbox
from lakou.sensorthings.store.readers import Readers
from lakou.sensorthings.witness import EXPIRED, Witness

log = logging.getLogger(__name__)

GATHER_S = 0.25
"""Acts of this time become one row where they are alike."""
TICK_S = 1.0
LOOK_S = 60.0
"""Without a commit of this process: what another left behind is looked for."""
RETRY_S = 5.0
TIMEOUT_S = 5.0
FINISH_S = 5.0

Submit = Callable[..., Awaitable[Any]]


class Teller:
    """One for each process. `wake` may be called on any thread."""

    def __init__(self, witness: Witness, readers: Readers, submit: Callable[[], Submit]) -> None:
        self._witness = witness
        self._readers = readers
        self._submit = submit
        self._loop = asyncio.get_running_loop()
        self._woken = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()
        self._failing = False
        self.is_expiring = False
        """While old Observations are being removed, what that comes to is left to gather."""
        self.told = 0
        self.failed = 0

    def wake(self) -> None:
        """There are acts in the outbox."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: the next start finds them
            self._loop.call_soon_threadsafe(self._woken.set)

    async def run(self) -> None:
        """Carry whenever there is something, for as long as the process lives."""
        look_at = 0.0
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):  # wait_for of Python 3.11 may swallow the end of this task
                    await self._woken.wait()
            if self._woken.is_set():
                await asyncio.sleep(TICK_S if self._failing else GATHER_S)
                look_at = look_at if self._failing else 0.0
            look = self._loop.time() >= look_at
            if look or self._witness.is_due():
                is_well = await self._try(look=look)
                if look:
                    look_at = self._loop.time() + (LOOK_S if is_well else RETRY_S)

    async def finish(self) -> None:
        """Carry all that is there, before the process ends; what cannot be carried now is at the next start."""
        self.is_expiring = False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FINISH_S):
                await self._try(look=True, last=True)

    async def _try(self, *, look: bool, last: bool = False) -> bool:
        """Carry; False when it failed, which never ends the work of this process."""
        try:
            async with self._one_at_a_time:
                if look:
                    self._woken.clear()
                    while await self._carry():
                        pass
                if last or self._witness.is_due():
                    await asyncio.to_thread(self._witness.settle, last=last)
        except Exception as error:  # an edge: whatever the witness meets, the acts wait and are told again
            self.failed += 1
            if not self._failing:
                log.error("Acts cannot be written into the journal and wait: %s", error, exc_info=error)
            self._failing = True
            return False
        if self._failing:
            log.warning("The journal takes acts again")
        self._failing = False
        return True

    async def _carry(self) -> bool:
        """Carry a slice; whether there may be more."""
        if not await self._readers.rows(outbox.ANY, TIMEOUT_S):
            return False
        without, submit = EXPIRED if self.is_expiring else "", self._submit()
        more = await submit(lambda session: outbox.gather(session.tx, without=without), entities=False)
        found = outbox.acts_of(await self._readers.rows(outbox.OLDEST, TIMEOUT_S))
        if found:
            await asyncio.to_thread(self._witness.tell, [act for _, act in found])
            numbers = [number for number, _ in found]
            await submit(lambda session: outbox.remove(session.tx, numbers), entities=False)
            self.told += len(found)
        return bool(more) or len(found) == outbox.SLICE
