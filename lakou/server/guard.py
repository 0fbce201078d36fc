"""What a bare Python server must refuse by itself: crowds, long headers, slow senders and readers, doubtful framing.

Measured: without this, uvicorn answers 10,000 header fields, a 1 MiB header line and a made-up transfer coding,
takes trailers for headers, and never cuts a slow client (domain/trust.md §1). The rules are those of RFC 9112 §3
and §6, RFC 6585 §5 for 431. `framing.py` says what is doubtful; this file acts: it answers, lingers and cuts.
"""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

import httptools
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from lakou.server import crowd, framing
from lakou.server.crowd import Caps
from lakou.server.framing import Refusal, Refused

HEAD_S = 10.0
# A body may be slow, within reason: so many seconds, and one more for each kibibyte received. Likewise an answer.
BODY_GRACE_S = 20.0
UNREAD_S = 10.0
UNREAD_LEAST_S = 3.0
BYTES_PER_S = 1024
CHECK_EVERY_S = 2.0
# The more memory answers take that nobody reads, the less patience: the least when they take this much.
UNREAD_BYTES = 64 * 1024 * 1024
# After an early answer (413) the rest is read and thrown away, so that the client sees the answer: so much, so long.
DISCARD_BYTES = 64 * 1024 * 1024
DISCARD_S = 5.0
# One read is up to 2 MiB: what is thrown away must not take the loop's time from others.
DISCARD_PAUSE_S = 0.01
# After a refusal of the connection itself, the same for less.
LINGER_BYTES = 4 * 1024 * 1024
LINGER_S = 2.0
# Requests that wait behind the one being answered; what a client sends beyond stays unparsed, then unread.
MAX_PIPELINED = 32
SLICE = 16 * 1024
# Several such clients take turns, so that together they leave room for others; who needs too long is cut.
TURN_S = 0.02
FLOOD_S = 10.0
MAX_BLANK = 1024
EVICTED_AT_ONCE = 32
# A client of the event stream that takes nothing, or is gone without a word, is given up after so long.
STREAM_BUFFER_BYTES = 128 * 1024
STREAM_SILENT_MS = 25_000
WEBSOCKET = b"/mqtt"


class HeldFlow(FlowControl):
    """Reading stays paused while the protocol holds back bytes that it has not parsed."""

    held = False

    def resume_reading(self) -> None:
        if not self.held:
            super().resume_reading()


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol with limits. One timer a connection, no cost worth naming a request."""

    flow: HeldFlow

    def __init__(self, *args: Any, caps: Caps = Caps(), **kwargs: Any) -> None:  # noqa: B008  frozen
        super().__init__(*args, **kwargs)
        self._caps = caps
        self._address = ""
        self._phase = "idle"  # idle → head → body → idle
        self._since = 0.0
        self._frame = framing.Frame()
        self._pending_head = 0
        self._body_bytes = self._coded_bytes = self._blank_bytes = 0
        self._served = self._is_stream = self._keeps_body = False
        self._held = b""
        self._floods_since: float | None = None
        self._running: RequestResponseCycle | None = None
        self._refusal: Refusal | None = None
        self._refusal_waits = False
        self._discarded = 0
        self._unread = 0
        self._unread_since: float | None = None
        self._unread_peak = 0
        self._timer: asyncio.TimerHandle | None = None

    # ── the connection ──

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = HeldFlow(transport)
        self._since = self.loop.time()
        self._timer = self.loop.call_later(CHECK_EVERY_S, self._check_pace)
        self._address = self.client[0] if self.client else ""
        if not crowd.HERE.enter(self._address, self._caps):
            self._refuse_now(framing.CROWDED_ADDRESS)
        elif len(self.connections) > self._caps.connections > 0 and not self._make_room():
            self._refuse_now(framing.CROWDED)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        crowd.HERE.leave(self._address)
        crowd.HERE.unread_bytes -= self._unread
        self._unread, self._held = 0, b""
        self._end_flood()
        # uvicorn tells the request that came last; the one being answered may be another, those between never begin.
        self.pipeline.clear()
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()
        super().connection_lost(exc)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def eof_received(self) -> bool:  # type: ignore[override]
        """A client that has sent its request and closes its side still gets the answer (RFC 9112 §9.6)."""
        waits = self._phase == "idle" and not self._is_answered()
        if not waits or self._is_stream or self._refusal is not None or self.pipeline or self._held:
            return False
        self.cycle.keep_alive = False
        return True

    def shutdown(self) -> None:
        """The server stops: an event stream would keep it waiting for ever, so its connection is closed now."""
        if self._is_stream:
            self.transport.close()
        else:
            super().shutdown()

    def _make_room(self) -> bool:
        """Close those that have been idle for longest; False when everyone is busy."""
        idle = [c for c in self.connections if c is not self and isinstance(c, GuardedProtocol) and c._is_idle()]
        for each in sorted(idle, key=lambda c: c._since)[:EVICTED_AT_ONCE]:
            each.transport.close()
        return bool(idle)

    def _is_idle(self) -> bool:
        return self._phase == "idle" and self._is_answered() and not self.transport.is_closing()

    def _is_answered(self) -> bool:
        """Whether nothing is under way; there is no cycle before the first request."""
        return bool(getattr(self.cycle, "response_complete", True))

    # ── bytes in ──

    def data_received(self, data: bytes) -> None:
        if self._refusal is not None:
            self._discarded += len(data)
            if self._discarded > LINGER_BYTES:
                self.transport.abort()
        elif self._held:
            self._held += data
        elif len(data) > SLICE or len(self.pipeline) >= MAX_PIPELINED:
            self._take(data)
        else:
            self._feed(data)

    def _take(self, data: bytes) -> None:
        """Parse piece by piece, no further than the queue of requests allows."""
        for at in range(0, len(data), SLICE):
            if self._refusal is not None or self.parser is None:
                return
            if len(self.pipeline) >= MAX_PIPELINED:
                self._hold(data[at:])
                return
            self._feed(data[at : at + SLICE])

    def _hold(self, data: bytes) -> None:
        self._held = data
        self.flow.pause_reading()
        self.flow.held = True
        if self._floods_since is None:
            self._floods_since = self.loop.time()
            crowd.HERE.flooding += 1

    def _release(self) -> None:
        """Parse on, now that what was parsed is answered."""
        if self.transport.is_closing() or self._refusal is not None:
            return
        data, self._held, self.flow.held = self._held, b"", False
        self._take(data)
        self.flow.resume_reading()
        if not self._held:
            self._end_flood()

    def _end_flood(self) -> None:
        if self._floods_since is not None:
            self._floods_since = None
            crowd.HERE.flooding -= 1

    def _feed(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self._should_upgrade():
                self.handle_websocket_upgrade()
            else:
                self._go_on_without_upgrade(data[upgrade.args[0] :])
            return
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._refuse(cause.refusal if isinstance(cause, Refused) else framing.NOT_HTTP)
            return
        if self._phase == "idle":
            # Blank lines may come before a request (RFC 9112 §2.2), though not for ever.
            if data[0] <= 13:
                self._blank_bytes += len(data)
                if self._blank_bytes > MAX_BLANK:
                    self._refuse(framing.NOT_HTTP)
        elif self._phase == "head":
            # Only what the parser still holds back counts: a piece that ends the header may carry a body too.
            self._pending_head += len(data)
            if self._pending_head > framing.MAX_HEAD_BYTES:
                self._refuse(framing.TOO_LONG)
            elif len(self.headers) > framing.MAX_HEADERS:
                self._refuse(framing.TOO_MANY)
        elif self._frame.has_coding:
            self._coded_bytes += len(data)
            if self._coded_bytes > framing.chunked_bytes(self._body_bytes):
                self._refuse(framing.SMALL_CHUNKS)

    def _go_on_without_upgrade(self, rest: bytes) -> None:
        """Ignore an Upgrade (RFC 9110 §7.8): the parser leaves what follows to another protocol, a new one goes on."""
        self.parser = framing.resumed(self, self._frame if self._keeps_body else None)
        self._keeps_body = False
        if rest:
            self._feed(rest)

    def _should_upgrade(self) -> bool:
        """Only MQTT is spoken over a WebSocket; anywhere else an upgrade is not taken up (RFC 9110 §7.8)."""
        return self.url.partition(b"?")[0] == WEBSOCKET and super()._should_upgrade()

    def _unsupported_upgrade_warning(self) -> None:
        """An upgrade that is not taken up is nothing to warn of."""

    def handle_websocket_upgrade(self) -> None:
        """From here on another protocol has the connection, and its own limits."""
        if self._timer is not None:
            self._timer.cancel()
        crowd.HERE.leave(self._address)
        super().handle_websocket_upgrade()

    # ── what the parser finds ──

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._phase, self._since, self._served = "head", self.loop.time(), True
        self._frame = framing.Frame()
        self._pending_head = self._body_bytes = self._coded_bytes = self._blank_bytes = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name in framing.READ:
            self._frame.read(name, value)
        if self._phase == "head":  # trailers are left out (RFC 9110 §6.5.1)
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        frame, parser = self._frame, self.parser
        if len(self.headers) > framing.MAX_HEADERS:
            raise Refused(framing.TOO_MANY)
        method = parser.get_method()
        self.url = frame.check(method, self.url, parser.get_http_version())
        self.expect_100_continue = frame.expects_continue
        super().on_headers_complete()
        if frame.wants_upgrade and parser.should_upgrade():
            if self._should_upgrade():
                return
            self._keeps_body = frame.has_body
        self._phase, self._since = "body", self.loop.time()
        self._is_stream = self.scope.get("path") == "/live"
        if frame.expects_continue:
            # Whether the body comes after an early answer is the client's choice: nothing may follow it here.
            self.cycle.keep_alive = False
        if self._is_stream:
            self._bound_stream()

    def _bound_stream(self) -> None:
        """What a client of the event stream does not read must not pile up here: little is kept, and it may be cut."""
        self.scope["extensions"] = {"lakou.abort": {"call": self.transport.abort}}
        connection = self.transport.get_extra_info("socket")
        if connection is not None and connection.family in (socket.AF_INET, socket.AF_INET6):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, STREAM_BUFFER_BYTES)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STREAM_SILENT_MS)

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        super().on_body(body)
        if self.cycle.response_complete:
            if self._body_bytes > DISCARD_BYTES:
                self.transport.close()
            elif not self.flow.read_paused:
                self.flow.pause_reading()
                self.loop.call_later(DISCARD_PAUSE_S, self._read_on)

    def _read_on(self) -> None:
        if not self.transport.is_closing():
            self.flow.resume_reading()

    def on_message_complete(self) -> None:
        if self._keeps_body:  # the parser ends an upgrading request at its header, the body comes yet
            return
        self._phase, self._since = "idle", self.loop.time()
        super().on_message_complete()

    # ── answers ──

    def on_response_complete(self) -> None:
        none_waits = not self.pipeline
        super().on_response_complete()
        self._since = self.loop.time()
        if not self.flow.write_paused:
            self._unread_since = None
        if self._refusal_waits and none_waits:
            self._answer_refusal()
        elif self._held and none_waits:
            others = crowd.HERE.flooding - 1
            if others > 0:
                self.loop.call_later(TURN_S * others, self._release)
            else:
                self._release()

    def resume_writing(self) -> None:
        self._unread_since = None
        super().resume_writing()

    def _refuse(self, refusal: Refusal) -> None:
        """Read no further. Requests before the refused one are answered first: no answer is taken for another."""
        self._refusal = refusal
        cycle = self.cycle
        if self._phase == "body":
            if self.pipeline:
                self.pipeline.popleft()
                self._refusal_waits = True
                return
            cycle.disconnected = True
            cycle.message_event.set()
            if cycle.response_started:
                self._linger()
                return
        elif not self._is_answered():
            self._refusal_waits = True
            return
        self._answer_refusal()

    def _refuse_now(self, refusal: Refusal) -> None:
        self._refusal = refusal
        self._answer_refusal()

    def _answer_refusal(self) -> None:
        """The answer in the form of every other error; the connection ends with it."""
        refusal = self._refusal or framing.NOT_HTTP
        self._refusal_waits = False
        if self.transport.is_closing():
            return
        body = json.dumps({"code": refusal.code, "status": refusal.status, "message": refusal.message}).encode()
        retry = b"retry-after: 5\r\n" if refusal.status == 503 else b""
        self.transport.write(
            STATUS_LINE[refusal.status]
            + b"content-type: application/json\r\nconnection: close\r\n"
            + retry
            + b"content-length: %d\r\n\r\n" % len(body)
            + body
        )
        self._linger()

    def send_400_response(self, msg: str) -> None:
        """What uvicorn itself finds wrong."""
        self._refuse(framing.NOT_HTTP)

    def _linger(self) -> None:
        """End our side and read on for a moment: a reset, which unread bytes cause, would take the answer away."""
        if self._timer is not None:
            self._timer.cancel()
        self._unset_keepalive_if_required()
        self._held, self.flow.held = b"", False
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._timer = self.loop.call_later(LINGER_S, self.transport.abort)

    # ── the pace ──

    def _check_pace(self) -> None:
        """Cut a connection that says nothing, or says it too slowly, or does not read. Waiting for us is not slow."""
        self._timer = None
        now = self.loop.time()
        if self._is_unread_for_long(now):
            crowd.reset(self.transport)
            return
        if self.transport.is_closing():
            if not self._unread:
                return
        elif self._is_too_slow(now - self._since) or (
            self._floods_since is not None and now - self._floods_since > FLOOD_S and crowd.HERE.flooding > 1
        ):
            self.transport.close()
            return
        self._timer = self.loop.call_later(CHECK_EVERY_S, self._check_pace)

    def _is_too_slow(self, waited_s: float) -> bool:
        if self._phase == "head":
            return waited_s > HEAD_S
        if self._phase == "idle":
            if not self._served:
                return waited_s > HEAD_S
            # uvicorn's own timer of idle connections starts anew with every blank line.
            return self._is_idle() and waited_s > self.timeout_keep_alive
        if self.cycle.response_complete:
            return waited_s > DISCARD_S
        return not self.flow.read_paused and waited_s > BODY_GRACE_S + self._body_bytes / BYTES_PER_S

    def _is_unread_for_long(self, now: float) -> bool:
        rests = self._is_idle() and now - self._since > CHECK_EVERY_S
        unread = crowd.unread_by(self.transport) if rests or self.transport.get_write_buffer_size() else 0
        crowd.HERE.unread_bytes += unread - self._unread
        self._unread = unread
        if not unread:
            self._unread_since = None
            return False
        if self._unread_since is None:
            self._unread_since, self._unread_peak = now, unread
            return False
        self._unread_peak = max(self._unread_peak, unread)
        pressed = min(1.0, crowd.HERE.unread_bytes / UNREAD_BYTES)
        patience_s = UNREAD_S + (min(UNREAD_LEAST_S, UNREAD_S) - UNREAD_S) * pressed
        return now - self._unread_since > patience_s + (self._unread_peak - unread) / BYTES_PER_S
