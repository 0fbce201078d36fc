"""One session at an outside MQTT broker: connects, subscribes, hands messages on, acknowledges when told.

The network runs in a thread of its own (paho-mqtt), and all of it there: a TLS connection must not be used by two
threads at once. The session persists at the broker, so that what is published while we are away waits there.
Subscriptions ask for QoS 1 at most: with QoS 2 the broker forgets a message once it has been received, which is before
it is stored; a message that comes twice is recognised by the store.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import select
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from lakou.connectors import mqtt_fault
from lakou.connectors.guard import Policy, checked_address, resolve
from lakou.connectors.mqtt_bridge import LOOPBACK, Bridge, port_of, uses_tls
from lakou.connectors.mqtt_credentials import password, tls_context
from lakou.kernel.errors import LakouError
from lakou.kernel.time import now

log = structlog.get_logger(__name__)

SESSION_S = 7 * 86_400
KEEP_ALIVE_S = 60
CONNECT_S = 15
# Messages in memory, as a multiple of those in flight.
ROOM = 2
BACK_OFF_S = (1.0, 120.0)
MAX_PAYLOAD = 256 * 1024
TICK_S = 1.0


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
    """Connects to the address that was checked; the name is kept for TLS. `fault` is why reading ended."""

    address = ""
    fault: OSError | None = None

    def _create_socket_connection(self) -> socket.socket:
        connection = socket.create_connection((self.address, self._port), timeout=CONNECT_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def _ssl_wrap_socket(self, tcp_sock: socket.socket) -> ssl.SSLSocket:
        # paho's own leaves the connection open when the handshake fails.
        if self._ssl_context is None:
            raise ValueError("no TLS context")
        wrapped = self._ssl_context.wrap_socket(tcp_sock, server_hostname=self._host, do_handshake_on_connect=False)
        try:
            wrapped.settimeout(CONNECT_S)
            wrapped.do_handshake()
        except BaseException:
            wrapped.close()
            raise
        return wrapped

    def _sock_recv(self, bufsize: int) -> bytes:
        # With TLS 1.3 a broker says here, after the handshake, that it does not accept our certificate.
        try:
            return super()._sock_recv(bufsize)
        except BlockingIOError:
            raise
        except OSError as error:
            self.fault = error
            raise


class Session:
    """`received` is called on the loop with each message; `state` says in words how it stands, `fault` why not well."""

    def __init__(self, bridge: Bridge, policy: Policy, received: Callable[[Message], None]) -> None:
        self.bridge = bridge
        self.state = "not connected yet"
        self.fault: LakouError | None = None
        self.connected = False
        self._policy = policy
        self._received = received
        self._loop = asyncio.get_running_loop()
        self._stop = threading.Event()
        self._room = threading.Semaphore(ROOM * bridge.in_flight)
        self._connection = 0
        self._stored: deque[Message] = deque()
        self._waker: socket.socket | None = None
        self._thread = threading.Thread(target=self._run, name=f"mqtt-{bridge.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    async def stop(self) -> None:
        """Leave; what is not acknowledged stays with the broker."""
        self._stop.set()
        self._wake()
        await asyncio.to_thread(self._thread.join, 5)

    def acknowledge(self, message: Message) -> None:
        """Tell the broker that this message is stored, or never will be."""
        if message.qos:
            self._stored.append(message)
            self._wake()

    def taken(self) -> None:
        """A message has left the queue: there is room for another."""
        self._room.release()
        self._wake()

    def _wake(self) -> None:
        # Full means that the thread is woken already; closed, that it has ended.
        with contextlib.suppress(OSError):
            if self._waker is not None:
                self._waker.send(b"\0")

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
        client.connect_timeout = CONNECT_S
        if bridge.user is not None:
            client.username_pw_set(bridge.user, password(bridge))
        if uses_tls(bridge):
            client.tls_set_context(tls_context(bridge))
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_subscribe = self._on_subscribe
        return client

    def _connect(self, client: _Client) -> None:
        bridge, port = self.bridge, port_of(self.bridge)
        addresses = asyncio.run_coroutine_threadsafe(resolve(bridge.host, port), self._loop).result(CONNECT_S)
        allowed = self._policy.allow_hosts | (LOOPBACK if bridge.host in LOOPBACK else frozenset())
        client.address = checked_address(bridge.host, addresses, Policy(allow_hosts=allowed))
        if bridge.protocol == "5":
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = SESSION_S
            properties.ReceiveMaximum = bridge.in_flight
            properties.MaximumPacketSize = MAX_PAYLOAD + 4096
            client.connect(bridge.host, port, KEEP_ALIVE_S, clean_start=False, properties=properties)
        else:
            client.connect(bridge.host, port, KEEP_ALIVE_S)

    # ── the thread ──

    def _run(self) -> None:
        wait_s = BACK_OFF_S[0]
        self._waker, woken = socket.socketpair()
        with self._waker, woken:
            for end in (self._waker, woken):
                end.setblocking(False)
            while not self._stop.is_set():
                before = self._connection
                self._once(woken)
                self.connected = False
                if self._stop.is_set():
                    return
                wait_s = BACK_OFF_S[0] if self._connection > before else min(wait_s * 2, BACK_OFF_S[1])
                self._tell(wait_s)
                self._stop.wait(wait_s * random.uniform(0.5, 1.5))  # noqa: S311  jitter

    def _tell(self, wait_s: float) -> None:
        told = {} if self.fault is None else self.fault.body()
        log.warning(
            "mqtt bridge is not connected",
            bridge=self.bridge.name,
            why=self.state,
            **{name: told[name] for name in ("code", "place", "hint") if name in told},
            again_in_s=round(wait_s),
        )

    def _once(self, woken: socket.socket) -> None:
        """One connection, from its beginning to its end."""
        self.fault = None
        try:
            client = self._make()
            self._connect(client)
            before = self._connection
            self._converse(client, woken)
            if self._connection == before and self.fault is None:
                self._wrong(mqtt_fault.unanswered(self.bridge, client.fault))
        except (OSError, ValueError, LakouError) as error:
            self._wrong(mqtt_fault.explained(self.bridge, error))
        except Exception as error:  # the edge of this thread: whatever a broker sends, it is tried again
            log.exception("mqtt bridge failed", bridge=self.bridge.name)
            self.state = f"internal error ({type(error).__name__})"

    def _wrong(self, fault: LakouError) -> None:
        self.fault = fault
        self.state = f"{fault.message} {fault.hint or ''}".strip()

    def _converse(self, client: _Client, woken: socket.socket) -> None:
        """Read, write and acknowledge until the connection ends. With no room for messages nothing is read, and the
        broker has to wait: not every broker keeps to the Receive Maximum, and MQTT 3.1.1 has none.

        `poll` and not paho's own loop: its `select` ends at the 1,024th open file of a process.
        """
        connection = client.socket()
        if connection is None:
            return
        waiting = select.poll()
        waiting.register(woken, select.POLLIN)
        while client.socket() is connection and not self._stop.is_set():
            may_read = self._has_room()
            wanted = (select.POLLIN if may_read else 0) | (select.POLLOUT if client.want_write() else 0)
            waiting.register(connection, wanted)
            # TLS may hold bytes that are read already and that no poll tells of.
            held = may_read and isinstance(connection, ssl.SSLSocket) and connection.pending() > 0
            ready = dict(waiting.poll(0 if held else TICK_S * 1000))
            if woken.fileno() in ready:
                with contextlib.suppress(BlockingIOError):
                    woken.recv(65_536)
                self._acknowledge(client)
            found = ready.get(connection.fileno(), 0)
            if may_read and (held or found & ~select.POLLOUT) and client.loop_read():
                return
            if not may_read and found & (select.POLLERR | select.POLLHUP):
                return
            if found & select.POLLOUT:
                client.loop_write()
            client.loop_misc()
        if self._stop.is_set():
            self._acknowledge(client)
            client.disconnect()

    def _has_room(self) -> bool:
        """Only this thread takes room, so what is there stays."""
        found = self._room.acquire(blocking=False)
        if found:
            self._room.release()
        return found

    def _acknowledge(self, client: _Client) -> None:
        while self._stored:
            message = self._stored.popleft()
            if message.connection == self._connection:
                client.ack(message.mid, message.qos)

    def _on_connect(self, client: paho.Client, _: Any, __: Any, reason: Any, ___: Any) -> None:
        if reason.is_failure:
            self._wrong(mqtt_fault.refused(self.bridge, str(reason)))
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
        if refused:
            self._wrong(mqtt_fault.forbidden(self.bridge, refused))
        else:
            self.fault, self.state = None, "connected"

    def _on_disconnect(self, _: paho.Client, __: Any, ___: Any, reason: Any, ____: Any) -> None:
        if self.connected:
            self.state = f"connection lost: {reason}"
        self.connected = False

    def _on_message(self, _: paho.Client, __: Any, message: paho.MQTTMessage) -> None:
        self._room.acquire(blocking=False)
        found = Message(message.topic, bytes(message.payload), message.qos, message.mid, self._connection, now())
        self._loop.call_soon_threadsafe(self._received, found)
