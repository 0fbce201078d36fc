"""Wills: what a client asked to be published when its connection ends without a word (MQTT 5 §3.1.2.5).

A will is published as any message of its sender. With a delay it waits, and is not published when the client is back.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from lakou.sensorthings.access import Principal
from lakou.sensorthings.mqtt.counts import Counts
from lakou.sensorthings.mqtt.packets import V5, Publish, Will
from lakou.sensorthings.mqtt.publishing import Publishing
from lakou.sensorthings.mqtt.sessions import Session, SessionKey

if TYPE_CHECKING:
    from lakou.sensorthings.service import Service

log = logging.getLogger(__name__)


class Wills:
    """The wills that wait for their time."""

    def __init__(self, service: Service, counts: Counts) -> None:
        self._service = service
        self._counts = counts
        self._waiting: dict[SessionKey, asyncio.TimerHandle] = {}

    def arm(self, principal: Principal, session: Session, will: Will, *, goes_on: bool) -> None:
        """Publish a will when its delay is over; at once when it has none or the session is over.

        `goes_on` tells that the session has another connection already.
        """
        delay = min(will.properties.get("will_delay", 0), session.expiry_s)
        if delay and goes_on:
            return
        loop = asyncio.get_running_loop()
        self._waiting[session.key] = loop.call_later(delay, self._publish, session.key, principal, will)

    def cancel(self, key: SessionKey) -> None:
        """The client is back."""
        timer = self._waiting.pop(key, None)
        if timer is not None:
            timer.cancel()

    def stop(self) -> None:
        for key in list(self._waiting):
            self.cancel(key)

    def _publish(self, key: SessionKey, principal: Principal, will: Will) -> None:
        self._waiting.pop(key, None)
        publishing = Publishing(self._service, _Absent(principal), self._counts)
        publishing.publish(Publish(will.topic, will.payload, properties=will.properties))
        publishing.submit()


class _Absent:
    """The sender of a will: nobody is there any more."""

    version = V5
    address: str | None = None
    tells_problems = False

    def __init__(self, principal: Principal) -> None:
        self.principal = principal

    def send(self, data: bytes) -> None:
        """There is nobody to tell."""

    def hold(self, why: str, on: bool) -> None:
        """There is nothing to read."""

    def lost_store(self) -> None:
        log.warning("A will of %s could not be stored: the store does not answer", self.principal.name)

    def recorded(self, packet_id: int, *, taken: bool) -> None:
        """Wills have no packet identifier."""
