"""One session at an outside MQTT broker: connects, subscribes, hands messages on, acknowledges when told.

The network runs in a thread of its own (paho-mqtt). The session persists at the broker, so that what is published
while we are away waits there. Subscriptions ask for QoS 1 at most: with QoS 2 the broker forgets a message once it
has been received, which is before it is stored; a message that comes twice is recognised by the store.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from lakou.connectors.guard import Policy, checked_address, resolve
from lakou.connectors.mqtt_bridge import Bridge
from lakou.kernel.errors import BadRequest, LakouError
from lakou.kernel.time import now

log = structlog.get_logger(__name__)

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
SESSION_S = 7 * 86_400
KEEP_ALIVE_S = 60
CONNECT_S = 15
# Messages in memory, as a multiple of those in flight.
ROOM = 2
BACK_OFF_S = (1.0, 120.0)
MAX_PAYLOAD = 256 * 1024


@dataclass(frozen=True, slots=True)
class Message:
    """`connection` counts connections: only on its own one a message can be acknowledged."""

    topic: str
    payload: bytes
    qos: int
    mid: int
    connection: int
    arrived: int


class _Client(paho.Client):
    """Connects to the address that was checked; the name is kept for TLS."""

    address = ""

    def _create_socket_connection(self) -> socket.socket:
        connection = socket.create_connection((self.address, self._port), timeout=CONNECT_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection


class Session:
    """`received` is called on the loop with each message; `state` says in words how it stands."""

    def __init__(self, bridge: Bridge, policy: Policy, received: Callable[[Message], None]) -> None:
        self.bridge = bridge
        self.state = "not connected yet"
        self.connected = False
        self._policy = policy
        self._received = received
        self._loop = asyncio.get_running_loop()
        self._stop = threading.Event()
        self._room = threading.Semaphore(ROOM * bridge.in_flight)
        self._connection = 0
        self._client = self._make()
        self._thread = threading.Thread(target=self._run, name=f"mqtt-{bridge.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    async def stop(self) -> None:
        """Leave; what is not acknowledged stays with the broker."""
        self._stop.set()
        self._client.disconnect()
        await asyncio.to_thread(self._thread.join, 5)

    def acknowledge(self, message: Message) -> None:
        """Tell the broker that this message is stored, or never will be."""
        if message.qos and message.connection == self._connection:
            self._client.ack(message.mid, message.qos)

    def taken(self) -> None:
        """A message has left the queue: there is room for another."""
        self._room.release()

    # ── making the client ──

    def _make(self) -> _Client:
        bridge = self.bridge
        is_5 = bridge.protocol == "5"
        client = _Client(
            CallbackAPIVersion.VERSION2,
            client_id=bridge.client_id or f"lakou-{bridge.name}",
            protocol=MQTTProtocolVersion.MQTTv5 if is_5 else MQTTProtocolVersion.MQTTv311,
            clean_session=None if is_5 else False,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        if bridge.user is not None:
            client.username_pw_set(bridge.user, password(bridge))
        if uses_tls(bridge):
            client.tls_set_context(ssl.create_default_context(cafile=bridge.ca_file))
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_subscribe = self._on_subscribe
        return client

    def _connect(self) -> None:
        bridge = self.bridge
        port = bridge.port or (8883 if uses_tls(bridge) else 1883)
        addresses = asyncio.run_coroutine_threadsafe(resolve(bridge.host, port), self._loop).result(CONNECT_S)
        allowed = self._policy.allow_hosts | (LOOPBACK if bridge.host in LOOPBACK else frozenset())
        self._client.address = checked_address(bridge.host, addresses, Policy(allow_hosts=allowed))
        if bridge.protocol == "5":
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = SESSION_S
            properties.ReceiveMaximum = bridge.in_flight
            properties.MaximumPacketSize = MAX_PAYLOAD + 4096
            self._client.connect(bridge.host, port, KEEP_ALIVE_S, clean_start=False, properties=properties)
        else:
            self._client.connect(bridge.host, port, KEEP_ALIVE_S)

    # ── the thread ──

    def _run(self) -> None:
        wait_s = BACK_OFF_S[0]
        while not self._stop.is_set():
            before = self._connection
            try:
                self._connect()
                self._client.loop_forever()
            except (OSError, ValueError, TimeoutError, LakouError) as error:
                self.state = (
                    error.message if isinstance(error, LakouError) else f"{type(error).__name__}: {error}"[:200]
                )
            except Exception as error:  # the edge of this thread: whatever a broker sends, it is tried again
                log.exception("mqtt bridge failed", bridge=self.bridge.name)
                self.state = f"internal error ({type(error).__name__})"
            self.connected = False
            if self._stop.is_set():
                return
            wait_s = BACK_OFF_S[0] if self._connection > before else min(wait_s * 2, BACK_OFF_S[1])
            log.warning(
                "mqtt bridge is not connected", bridge=self.bridge.name, why=self.state, again_in_s=round(wait_s)
            )
            self._stop.wait(wait_s * random.uniform(0.5, 1.5))  # noqa: S311  jitter

    def _on_connect(self, client: paho.Client, _: Any, __: Any, reason: Any, ___: Any) -> None:
        if reason.is_failure:
            self.state = f"refused by the broker: {reason}"
            client.disconnect()
            return
        self._connection += 1
        topics = [rule.filter for rule in self.bridge.topics]
        if self.bridge.protocol == "5":
            # What is retained was delivered when it was published, unless the subscription is new.
            client.subscribe([(topic, SubscribeOptions(qos=1, retainHandling=1)) for topic in topics])
        else:
            client.subscribe([(topic, 1) for topic in topics])

    def _on_subscribe(self, _: paho.Client, __: Any, ___: int, reasons: Any, ____: Any) -> None:
        refused = [rule.filter for rule, said in zip(self.bridge.topics, reasons, strict=False) if said.is_failure]
        self.connected = not refused
        self.state = f"the broker refuses {', '.join(refused)[:150]}" if refused else "connected"

    def _on_disconnect(self, _: paho.Client, __: Any, ___: Any, reason: Any, ____: Any) -> None:
        if self.connected:
            self.state = f"connection lost: {reason}"
        self.connected = False

    def _on_message(self, _: paho.Client, __: Any, message: paho.MQTTMessage) -> None:
        # Not every broker keeps to the Receive Maximum, and MQTT 3.1.1 has none: with no room nothing is read, and the
        # broker has to wait. Should it lose patience, it sends again what was not acknowledged.
        while not self._room.acquire(timeout=0.2):
            if self._stop.is_set():
                return
        found = Message(message.topic, bytes(message.payload), message.qos, message.mid, self._connection, now())
        self._loop.call_soon_threadsafe(self._received, found)


def uses_tls(bridge: Bridge) -> bool:
    return bridge.host not in LOOPBACK if bridge.tls is None else bridge.tls


def password(bridge: Bridge) -> str | None:
    """Raises BadRequest (code `configuration`) when the file or the variable is not there."""
    try:
        if bridge.password_file is not None:
            return Path(bridge.password_file).read_text(encoding="utf-8").strip()
        return None if bridge.password_env is None else os.environ[bridge.password_env]
    except (OSError, KeyError, UnicodeDecodeError) as error:
        place = f"connectors.mqtt_bridge.{bridge.name}"
        raise BadRequest(
            f"The password of {place} cannot be read ({type(error).__name__}).",
            place=place,
            hint="Check password_file (readable by the service) or password_env.",
            code="configuration",
        ) from None
