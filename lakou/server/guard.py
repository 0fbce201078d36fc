"""What a bare Python server must refuse by itself: too many headers, slow senders, doubtful framing.

Measured: without this, uvicorn answers 10,000 header fields, a 1 MiB header line and a made-up transfer coding,
and never cuts a slow client (domain/trust.md §1). RFC 9112 §6.1 and §6.3 for the framing, RFC 6585 §5 for 431.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

MAX_HEADERS = 100
MAX_HEAD_BYTES = 64 * 1024
HEAD_S = 10.0
# A body may be slow, within reason: so many seconds, and one more for each kibibyte received.
BODY_GRACE_S = 20.0
BODY_BYTES_PER_S = 1024
CHECK_EVERY_S = 2.0
# After an early answer (413) the rest is read and thrown away up to here, so that the client sees the answer.
DISCARD_BYTES = 64 * 1024 * 1024
WEBSOCKET = b"/mqtt"
TOO_LONG = (431, "too_large", "The request's header is too long")


class _Refused(Exception):
    """Stops the parser; the answer stands in `GuardedProtocol._refusal`."""


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol with limits. One timer a connection, no cost worth naming a request."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._phase = "idle"  # idle → head → body → idle
        self._since = 0.0
        self._head_bytes = 0
        self._body_bytes = 0
        self._header_count = 0
        self._has_length = False
        self._has_coding = False
        self._served = False
        self._is_stream = False
        self._refusal: tuple[int, str, str] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._since = self.loop.time()
        self._timer = self.loop.call_later(CHECK_EVERY_S, self._check_pace)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refusal is not None:
            return
        super().data_received(data)
        # Only what the parser still holds back counts: a chunk that ends the header may carry a body too.
        if self._phase == "head" and self._refusal is None:
            self._head_bytes += len(data)
            if self._head_bytes > 2 * MAX_HEAD_BYTES:
                self._refusal = TOO_LONG
                self.send_400_response("")

    def shutdown(self) -> None:
        """The server stops: an event stream would keep it waiting for ever, so its connection is closed now."""
        if self._is_stream:
            self.transport.close()
        else:
            super().shutdown()

    def _should_upgrade(self) -> bool:
        """Only MQTT is spoken over a WebSocket; anywhere else an upgrade is not taken up (RFC 9110 §7.8)."""
        return self.url.partition(b"?")[0] == WEBSOCKET and super()._should_upgrade()

    def _unsupported_upgrade_warning(self) -> None:
        """An upgrade that is not taken up is nothing to warn of."""

    def handle_websocket_upgrade(self) -> None:
        """From here on the WebSocket has the connection; its own pings watch over it."""
        if self._timer is not None:
            self._timer.cancel()
        super().handle_websocket_upgrade()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._phase, self._since, self._served = "head", self.loop.time(), True
        self._head_bytes = self._body_bytes = self._header_count = 0
        self._has_length = self._has_coding = False

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._count_head(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_count += 1
        if self._header_count > MAX_HEADERS:
            self._refuse(431, "too_large", f"More than {MAX_HEADERS} header fields")
        self._count_head(len(name) + len(value))
        # The length of the name is the cheapest way to pass over the other headers.
        if len(name) == 17 and name.lower() == b"transfer-encoding":
            if self._has_coding or value.strip().lower() != b"chunked":
                self._refuse(400, "bad_request", "The only transfer coding understood is chunked")
            self._has_coding = True
        elif len(name) == 14 and name.lower() == b"content-length":
            self._has_length = True
        if self._has_length and self._has_coding:
            self._refuse(400, "bad_request", "Content-Length and Transfer-Encoding exclude one another")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._phase, self._since = "body", self.loop.time()
        self._is_stream = self.scope.get("path") == "/live"

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        super().on_body(body)
        if self.cycle.response_complete and self._body_bytes > DISCARD_BYTES:
            self.transport.close()

    def on_message_complete(self) -> None:
        self._phase, self._since = "idle", self.loop.time()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be read, in the form of every other error, and close."""
        status, code, message = self._refusal or (400, "bad_request", "This is not HTTP")
        body = json.dumps({"code": code, "status": status, "message": message}).encode()
        status_line = STATUS_LINE[status]
        self.transport.write(
            status_line
            + b"content-type: application/json\r\nconnection: close\r\ncontent-length: "
            + str(len(body)).encode()
            + b"\r\n\r\n"
            + body
        )
        self.transport.close()

    def _count_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(*TOO_LONG)

    def _refuse(self, status: int, code: str, message: str) -> None:
        self._refusal = (status, code, message)
        raise _Refused(message)

    def _check_pace(self) -> None:
        """Close a connection that says nothing, or says it too slowly. Waiting for our answer is not slow."""
        if self.transport.is_closing():
            return
        waited = self.loop.time() - self._since
        if self._phase == "head" or (self._phase == "idle" and not self._served):
            too_slow = waited > HEAD_S
        elif self._phase == "body" and not self.flow.read_paused:
            too_slow = waited > BODY_GRACE_S + self._body_bytes / BODY_BYTES_PER_S
        else:
            too_slow = False
        if too_slow:
            self.transport.close()
            return
        self._timer = self.loop.call_later(CHECK_EVERY_S, self._check_pace)
