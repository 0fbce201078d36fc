"""Publishing Observations over MQTT 5 with QoS 1: a batch is done when each message was acknowledged or refused.

The network runs in a thread of paho-mqtt, which connects again by itself and sends again what was not acknowledged; a
message that comes twice is the stored one. No more than the service's Receive Maximum is ever under way.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Sequence
from typing import Any

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from lakou.kernel.errors import Unauthorized
from lakou.simulator.client import Stopped

log = logging.getLogger(__name__)

WINDOW = 90
KEEP_ALIVE_S = 30
# The service's queue is full: the message is published again after a while.
QUOTA_EXCEEDED = 0x97
REFUSED_SIGN_IN = (0x86, 0x87)
AGAIN_S = 0.5

Message = tuple[str, bytes]


class Publisher:
    """One connection with one token. `stop` ends every wait at once."""

    def __init__(self, host: str, port: int, group: str, name: str, token: str, stop: asyncio.Event) -> None:
        self._stop = stop
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[int, int] = {}
        self._refused: list[int] = []
        self._again: list[int] = []
        self._progress = asyncio.Event()
        self._lock = threading.Lock()
        self._answers: list[tuple[int, int]] = []
        self._turned_away: str | None = None
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=f"simulateur-{group}", protocol=MQTTProtocolVersion.MQTTv5
        )
        self._client.username_pw_set(name, token)
        self._client.reconnect_delay_set(1, 10)
        self._client.max_inflight_messages_set(WINDOW)
        self._client.on_connect = self._on_connect
        self._client.on_publish = self._on_publish
        self._client.connect_async(host, port, KEEP_ALIVE_S)
        self._client.loop_start()
        self._watching = self._loop.create_task(self._watch())

    async def close(self) -> None:
        """End the connection."""
        self._watching.cancel()
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)

    async def publish(self, messages: Sequence[Message]) -> list[int]:
        """Publish in order and wait for every answer; gives the places of those that were refused for good.

        Raises Unauthorized when the token is refused, Stopped when the run is asked to stop.
        """
        self._refused = []
        todo = list(range(len(messages)))
        while todo or self._waiting:
            while todo and len(self._waiting) < WINDOW:
                place = todo.pop(0)
                topic, payload = messages[place]
                # The answer is handled on this thread, after this line has noted the number.
                self._waiting[self._client.publish(topic, payload, qos=1).mid] = place
            await self._wait()
            if self._again:
                todo, self._again = sorted(self._again + todo), []
                await self._pause(AGAIN_S)
        return self._refused

    async def _wait(self) -> None:
        """Until there is an answer, or the run stops."""
        if not self._waiting:
            return
        await self._progress.wait()
        self._progress.clear()
        if self._turned_away:
            raise Unauthorized(f"The MQTT service refused the token: {self._turned_away}")
        if self._stop.is_set():
            raise Stopped

    async def _watch(self) -> None:
        await self._stop.wait()
        self._progress.set()

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except TimeoutError:
            return
        raise Stopped

    # ── in paho's thread ──

    def _on_connect(self, client: paho.Client, _: Any, __: Any, reason: Any, ___: Any) -> None:
        if reason.value in REFUSED_SIGN_IN:
            self._turned_away = str(reason)
            client.disconnect()
            self._loop.call_soon_threadsafe(self._progress.set)

    def _on_publish(self, _: paho.Client, __: Any, mid: int, reason: Any, ___: Any) -> None:
        with self._lock:
            self._answers.append((mid, reason.value))
            is_first = len(self._answers) == 1
        if is_first:
            self._loop.call_soon_threadsafe(self._take)

    # ── on the loop ──

    def _take(self) -> None:
        with self._lock:
            answers, self._answers = self._answers, []
        for mid, reason in answers:
            place = self._waiting.pop(mid, None)
            if place is None:
                continue
            if reason == QUOTA_EXCEEDED:
                self._again.append(place)
            elif reason >= 0x80:
                log.warning("an Observation was refused over MQTT: reason 0x%x", reason)
                self._refused.append(place)
        self._progress.set()
