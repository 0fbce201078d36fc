"""From an outside broker into the store: each message is acknowledged after the commit of what it says.

What the store cannot take now is tried again and stays unacknowledged, so that the broker holds the rest back; what
it can never take is acknowledged, counted and told with its topic. One process at a time listens: a lease in the
civic database says which, and the runs written there are what `lakou connector list` shows.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress

import structlog

from lakou.connectors.deliver import deliver
from lakou.connectors.entities import Entities, error_of
from lakou.connectors.guard import Policy
from lakou.connectors.mqtt_bridge import META, Bridge, Direct, meaning
from lakou.connectors.mqtt_session import MAX_PAYLOAD, Message, Session
from lakou.connectors.running import RunResult
from lakou.connectors.scheduler import Register
from lakou.kernel.errors import LakouError, TooLarge, TooManyRequests, Unavailable
from lakou.sensorthings.access import ADMIN

log = structlog.get_logger(__name__)

REPORT_EVERY_S = 60.0
RETRY_S = (0.5, 30.0)
_LATER = (Unavailable, TooManyRequests)


class Pump:
    """One broker: takes its messages, stores them, acknowledges in the order of their arrival (MQTT 5 §4.6)."""

    def __init__(self, bridge: Bridge, entities: Entities, policy: Policy) -> None:
        self.bridge = bridge
        self.stored = self.refused = self.created = 0
        self.last_refusal = ""
        self._entities = entities
        self._waiting: asyncio.Queue[Message] = asyncio.Queue()
        self.session = Session(bridge, policy, self._waiting.put_nowait)

    async def run(self) -> None:
        """Until cancelled."""
        self.session.start()
        try:
            while True:
                batch = [await self._waiting.get()]
                while len(batch) < self.bridge.in_flight and not self._waiting.empty():
                    batch.append(self._waiting.get_nowait())
                for _ in batch:
                    self.session.taken()
                await self._settle(batch)
        finally:
            await self.session.stop()

    async def _settle(self, batch: list[Message]) -> None:
        """Store all and acknowledge; when it is cancelled, what is stored, up to the first that is not."""
        tasks = [asyncio.ensure_future(self._store(message)) for message in batch]
        try:
            await asyncio.gather(*tasks)
        finally:
            for message, task in zip(batch, tasks, strict=True):
                if not task.done() or task.cancelled() or task.exception() is not None:
                    break
                self.session.acknowledge(message)

    async def _store(self, message: Message) -> None:
        """Returns when the message is stored, or never will be."""
        wait_s = RETRY_S[0]
        while True:
            try:
                await self._deliver(message)
            except _LATER as error:
                log.info("mqtt bridge waits", bridge=self.bridge.name, why=error.message)
            except LakouError as error:
                self._refuse(message, error.message)
                return
            except Exception as error:  # the edge of one message: a fault in its reading must not stop the others
                log.exception("mqtt bridge met a fault", bridge=self.bridge.name, topic=message.topic[:200])
                self._refuse(message, f"internal error ({type(error).__name__})")
                return
            else:
                return
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, RETRY_S[1])

    async def _deliver(self, message: Message) -> None:
        if len(message.payload) > MAX_PAYLOAD:
            raise TooLarge(f"The message is above {MAX_PAYLOAD // 1024} KiB.")
        found = meaning(self.bridge, message.topic, message.payload, message.arrived)
        if isinstance(found, Direct):
            answer = await self._entities.service.call(ADMIN, "POST", found.target, found.body)
            if answer.status >= 400:
                raise error_of(answer)
            self.stored += 1
            return
        if found.observations:
            delivered = await deliver(self._entities, ADMIN, found)
            self.stored += delivered.observations
            self.refused += delivered.refused
            self.created += delivered.created

    def _refuse(self, message: Message, why: str) -> None:
        self.refused += 1
        self.last_refusal = f"{message.topic[:100]}: {why}"
        log.warning("mqtt message refused", bridge=self.bridge.name, topic=message.topic[:200], why=why)

    def take_counts(self) -> tuple[int, int, int, str]:
        """(stored, refused, created, what is wrong) since the last time."""
        found = (self.stored, self.refused, self.created)
        wrong = [] if self.session.connected else [self.session.state]
        wrong += [self.last_refusal] if self.last_refusal else []
        self.stored = self.refused = self.created = 0
        self.last_refusal = ""
        return (*found, f"{self.bridge.name}: {'; '.join(wrong)}" if wrong else "")


async def run_bridges(
    bridges: Sequence[Bridge],
    entities: Entities,
    policy: Policy,
    register: Register,
    *,
    report_every_s: float = REPORT_EVERY_S,
) -> None:
    """Listen to all brokers, in this process or after the one that does now. Until cancelled."""
    while bridges:
        try:
            if await register.may_run(META.name, report_every_s * 2):
                await _listen(bridges, entities, policy, register, report_every_s)
        except Exception:  # the edge: the civic database may be away; the brokers must be heard again after it
            log.exception("mqtt bridges stopped")
        await asyncio.sleep(report_every_s / 4)


async def _listen(
    bridges: Sequence[Bridge], entities: Entities, policy: Policy, register: Register, report_every_s: float
) -> None:
    pumps = [Pump(bridge, entities, policy) for bridge in bridges]
    tasks = [asyncio.create_task(pump.run(), name=f"mqtt {pump.bridge.name}") for pump in pumps]
    failures = 0
    try:
        while True:
            begun = time.monotonic()
            await asyncio.sleep(report_every_s)
            result = _result(pumps, time.monotonic() - begun)
            failures = failures + 1 if result.outcome == "failed" else 0
            await register.record(result, failures, 0.0)
            if not await register.may_run(META.name, report_every_s * 2):
                return
    finally:
        last = _result(pumps, 0.0)
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
        await register.record(last, failures, 0.0)


def _result(pumps: Sequence[Pump], duration_s: float) -> RunResult:
    counts = [pump.take_counts() for pump in pumps]
    stored, refused, created = (sum(count[i] for count in counts) for i in range(3))  # type: ignore[misc]
    errors = "; ".join(count[3] for count in counts if count[3])[:300]
    is_up = any(pump.session.connected for pump in pumps)
    outcome = "ok" if not errors else "partial" if is_up or stored else "failed"
    return RunResult(META.name, outcome, stored, refused, created, duration_s, errors)  # type: ignore[arg-type]
