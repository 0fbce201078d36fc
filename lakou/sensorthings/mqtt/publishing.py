"""PUBLISH → commit → acknowledgement, for one connection.

Plain Observations of one TCP read share one job of the writer; acknowledgements go out in the order of receipt, those
of a commit in one write. PUBACK and PUBREC come after the commit, and only then (DESIGN §4 rule 1; MQTT 5 §4.3, §4.6).
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

from lakou.kernel import jsontext
from lakou.kernel.errors import BadRequest, Fault, LakouError, TooManyRequests, Unavailable
from lakou.sensorthings import replay, writing
from lakou.sensorthings.access import Principal
from lakou.sensorthings.bulk import slice_of
from lakou.sensorthings.grammar.lexer import DEFAULT_LIMITS
from lakou.sensorthings.mqtt import packets, topics, wire
from lakou.sensorthings.mqtt.counts import Counts
from lakou.sensorthings.mqtt.packets import PUBACK, PUBREC, V5, Publish
from lakou.sensorthings.mqtt.reasons import Reason
from lakou.sensorthings.mqtt.topics import TopicError
from lakou.sensorthings.request import Request
from lakou.sensorthings.store.observing import Observation, observe
from lakou.sensorthings.store.session import Session as Commit
from lakou.sensorthings.work import Work

if TYPE_CHECKING:
    from lakou.sensorthings.service import Service

log = logging.getLogger(__name__)

KEY = "Idempotency-Key"
TOLD_EVERY_S = 1.0
RETRY_S = 0.05
FULL_QUEUE = "full queue"
Done = Callable[[asyncio.Future[Any]], None]
_REASONS = {401: Reason.NOT_AUTHORISED, 403: Reason.NOT_AUTHORISED, 404: Reason.TOPIC_NAME_INVALID}


class Sender(Protocol):
    """The connection, as far as publishing needs it."""

    version: int
    principal: Principal
    address: str | None
    tells_problems: bool

    def send(self, data: bytes) -> None: ...

    def hold(self, why: str, on: bool) -> None:
        """Stop reading for this reason, or go on."""
        ...

    def lost_store(self) -> None:
        """The store cannot take messages: end the connection, so that what was not acknowledged comes again."""
        ...

    def recorded(self, packet_id: int, *, taken: bool) -> None:
        """A QoS 2 message was stored, or refused."""
        ...


class Pending:
    """A message whose acknowledgement is due. `reason` is None until the outcome is known."""

    __slots__ = ("message", "packet_id", "qos", "reason", "topic")

    def __init__(self, qos: int, packet_id: int, topic: str) -> None:
        self.qos = qos
        self.packet_id = packet_id
        self.topic = topic
        self.reason: int | None = None
        self.message = ""


class Publishing:
    """The messages of one connection on their way into the store."""

    def __init__(self, service: Service, sender: Sender, counts: Counts) -> None:
        self._service = service
        self._sender = sender
        self._counts = counts
        self._due: deque[Pending] = deque()
        self._batch: list[tuple[Pending, Observation]] = []
        self._flushing = False
        self._told_at = 0.0
        self.unacknowledged = 0
        """Messages of QoS 1 not yet acknowledged."""
        self._settling: list[asyncio.Future[None]] = []
        self.flushed: Callable[[], None] | None = None
        """Called after acknowledgements were sent."""

    @property
    def due(self) -> int:
        """Messages whose outcome is not known yet, of any QoS."""
        return len(self._due)

    def publish(self, packet: Publish) -> None:
        """Take one message; `submit` must follow once a read is through."""
        pending = Pending(packet.qos, packet.packet_id, packet.topic)
        self._due.append(pending)
        self.unacknowledged += packet.qos == 1
        sender = self._sender
        try:
            writing.check_writer(sender.principal)
            hops = topics.write_target(packet.topic, DEFAULT_LIMITS)
            work = writing.published(sender.principal, hops, jsontext.decode(packet.payload))
            if packet.properties and (key := _key(packet)) is not None:
                work = _once(work, sender.principal, packet, key)
        except TopicError as error:
            self._refuse(pending, error.reason, error.message)
        except LakouError as error:
            self._service.note_denial(sender.principal, error, sender.address, "mqtt")
            self._refuse(pending, reason_of(error), said(error))
        else:
            if isinstance(work, Observation):
                self._batch.append((pending, work))
            else:
                self._submit_one(pending, work)

    def submit(self) -> None:
        """Give what was taken to the writer."""
        batch, self._batch = self._batch, []
        if batch:
            run = slice_of([item for _, item in batch], self._sender.principal)
            job = Work(run, _no_answer, entities=False, whole=False)
            self._queue(job, [pending for pending, _ in batch], lambda done: self._batch_done(batch, done))
        if self._due and self._due[0].reason is not None:
            self._schedule()

    def _submit_one(self, pending: Pending, work: Work) -> None:
        self._queue(work, [pending], lambda done: self._one_done(pending, done))

    def _queue(self, work: Work, waiting: list[Pending], done: Done) -> None:
        """Give a work to the writer. When its queue is full MQTT 5 is told, else the connection is not read on."""
        try:
            future = self._service.submitter()(work.run, rows=len(waiting), entities=work.entities, whole=work.whole)
        except Unavailable as error:
            if error.error_code != "queue_full":
                self._lost(waiting)
            elif self._sender.version == V5 and all(pending.qos for pending in waiting):
                for pending in waiting:
                    self._refuse(pending, Reason.QUOTA, said(error))
                self._schedule()
            else:
                self._sender.hold(FULL_QUEUE, True)
                asyncio.get_running_loop().call_later(RETRY_S, self._queue, work, waiting, done)
            return
        self._sender.hold(FULL_QUEUE, False)
        future.add_done_callback(done)

    def _lost(self, waiting: list[Pending]) -> None:
        for pending in waiting:
            if pending.qos == 2:
                self._sender.recorded(pending.packet_id, taken=False)
        self._sender.lost_store()

    # ── outcomes ──

    def _batch_done(self, batch: list[tuple[Pending, Observation]], done: asyncio.Future[Any]) -> None:
        error = done.exception()
        if error is None:
            for (pending, _), outcome in zip(batch, done.result(), strict=True):
                if isinstance(outcome, LakouError):
                    self._service.note_denial(self._sender.principal, outcome, self._sender.address, "mqtt")
                    self._refuse(pending, reason_of(outcome), said(outcome))
                else:
                    pending.reason = 0
                    self._counts.published += 1
        elif isinstance(error, Unavailable):
            self._lost([pending for pending, _ in batch])
            return
        elif len(batch) == 1:
            self._failed(batch[0][0], error)
        else:  # one message spoilt the job: each gets a job of its own, so that only that one is refused
            principal = self._sender.principal
            for pending, item in batch:
                self._submit_one(pending, Work(_alone(principal, item), _no_answer, entities=False, whole=True))
        self._schedule()

    def _one_done(self, pending: Pending, done: asyncio.Future[Any]) -> None:
        error = done.exception()
        if error is None:
            pending.reason = 0
            self._counts.published += 1
        elif isinstance(error, Unavailable):
            self._lost([pending])
            return
        else:
            self._failed(pending, error)
        self._schedule()

    def _failed(self, pending: Pending, error: BaseException) -> None:
        known = error if isinstance(error, LakouError) else Fault("The service met an error")
        self._service.note_denial(self._sender.principal, known, self._sender.address, "mqtt")
        self._refuse(pending, reason_of(known), said(known))

    def _refuse(self, pending: Pending, reason: Reason, message: str) -> None:
        pending.reason, pending.message = reason, message
        self._counts.refused += 1
        now = monotonic()
        if now - self._told_at >= TOLD_EVERY_S:
            self._told_at = now
            log.info("%s: a message to %s was refused: %s", self._sender.principal.name, pending.topic[:120], message)

    # ── acknowledgements ──

    def _schedule(self) -> None:
        """Acknowledge after the callbacks of this commit, all at once."""
        if not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        due, out = self._due, []
        while due and due[0].reason is not None:
            pending = due.popleft()
            if pending.qos:
                self.unacknowledged -= pending.qos == 1
                out.append(self._acknowledgement(pending))
        if out:
            self._sender.send(b"".join(out))
        if self.flushed is not None:
            self.flushed()
        if not due:
            for waiting in self._settling:
                if not waiting.done():
                    waiting.set_result(None)
            self._settling.clear()

    async def settled(self) -> None:
        """Wait until everything that was taken is acknowledged."""
        if self._due:
            waiting = asyncio.get_running_loop().create_future()
            self._settling.append(waiting)
            await waiting

    def _acknowledgement(self, pending: Pending) -> bytes:
        reason = pending.reason or 0
        kind = PUBACK
        if pending.qos == 2:
            kind = PUBREC
            self._sender.recorded(pending.packet_id, taken=reason == 0 or self._sender.version != V5)
        if not reason or self._sender.version != V5:
            # 3.1.1 knows no refusal: without this the client would send a bad message for ever (§4.3.2).
            return bytes((kind << 4, 2)) + pending.packet_id.to_bytes(2)
        told: wire.Properties = {"reason_string": pending.message[:500]} if self._sender.tells_problems else {}
        return packets.encode(packets.Ack(kind, pending.packet_id, reason, told), V5)


def reason_of(error: LakouError) -> Reason:
    """The MQTT 5 reason code of an error of the service."""
    if isinstance(error, TooManyRequests) or error.error_code == "queue_full":
        return Reason.QUOTA
    if error.status >= 500:
        return Reason.UNSPECIFIED
    return _REASONS.get(error.status, Reason.PAYLOAD_INVALID)


def said(error: LakouError) -> str:
    """An error in one line, with its place."""
    return f"{error.place}: {error.message}" if error.place else error.message


def _alone(principal: Principal, item: Observation) -> Callable[[Commit], int]:
    return lambda session: observe(session, principal, item)


def _no_answer(_: Any) -> Any:
    raise AssertionError("MQTT answers with reason codes")


def _key(packet: Publish) -> str | None:
    found = [value for name, value in packet.properties.get("user_property", ()) if name.lower() == KEY.lower()]
    if len(found) > 1:
        raise BadRequest("There is more than one key", place=KEY, code="idempotency_key")
    return found[0] if found else None


def _once(work: Work | Observation, principal: Principal, packet: Publish, key: str) -> Work:
    """The work of a keyed message: the same key over HTTP is the same request."""
    if isinstance(work, Observation):
        work = Work(_alone(principal, work), _no_answer, entities=False)
    path = packet.topic[len(topics.PREFIX) - 1 :]
    return replay.once(work, Request("POST", path, "", {}, packet.payload, principal, ""), key)
