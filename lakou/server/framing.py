"""Which HTTP messages are refused for their form, before anybody acts on them: no input, no output.

Two readers of one message that disagree about its end let a third party slip a request between them. What the
parser (llhttp, strict) lets pass and RFC 9112 forbids, or another server may read otherwise, is refused here.
"""

from __future__ import annotations

from typing import Any

import httptools
import msgspec

MAX_HEADERS = 100
MAX_HEAD_BYTES = 64 * 1024
# Sizes of chunks, their extensions and trailers, beside the bytes that they bring.
MAX_CODING_BYTES = 64 * 1024
_HOST_BYTES = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%!$&'()*+;=:[]"
_SLASH, _HASH = ord("/"), b"#"


class Refusal(msgspec.Struct, frozen=True):
    """The answer to a message that is refused for its form."""

    status: int
    code: str
    message: str


class Refused(Exception):
    """Stops the parser."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def _bad(message: str) -> Refusal:
    return Refusal(400, "bad_request", message)


NOT_HTTP = _bad("This is not HTTP")
TOO_LONG = Refusal(431, "too_large", "The request's header is too long")
TOO_MANY = Refusal(431, "too_large", f"More than {MAX_HEADERS} header fields")
VERSION = Refusal(505, "bad_request", "Only HTTP/1.1 and HTTP/1.0 are spoken here")
CODING = _bad("The only transfer coding understood is chunked")
BOTH = _bad("Content-Length and Transfer-Encoding exclude one another")
OLD_CODING = _bad("HTTP/1.0 has no Transfer-Encoding")
HOST = _bad("A request names one Host")
BAD_HOST = _bad("The Host is none")
TARGET = _bad("The request's target must be a path")
OTHER_HOST = _bad("The request's target names another host than Host")
SMALL_CHUNKS = _bad("The chunks bring too little for their number")
CROWDED = Refusal(503, "busy", "Too many connections")
CROWDED_ADDRESS = Refusal(503, "busy", "Too many connections from this address")


READ = frozenset({b"host", b"content-length", b"transfer-encoding", b"expect", b"upgrade"})


class Frame:
    """What one message's header says about its form."""

    __slots__ = ("expects_continue", "has_coding", "host", "length", "wants_upgrade")

    def __init__(self) -> None:
        self.host: bytes | None = None
        self.length: bytes | None = None
        self.has_coding = False
        self.expects_continue = False
        self.wants_upgrade = False

    @property
    def has_body(self) -> bool:
        return self.has_coding or (self.length is not None and int(self.length) > 0)

    def read(self, name: bytes, value: bytes) -> None:
        """One field whose name, in lower case, is in READ; trailers too."""
        match name:
            case b"host":
                if self.host is not None:
                    raise Refused(HOST)
                if value.translate(None, _HOST_BYTES):
                    raise Refused(BAD_HOST)
                self.host = value
            case b"content-length":
                self.length = value.strip()
            case b"transfer-encoding":
                if self.has_coding or value.strip().lower() != b"chunked":
                    raise Refused(CODING)
                self.has_coding = True
            case b"expect":
                self.expects_continue = value.lower() == b"100-continue"
            case b"upgrade":
                self.wants_upgrade = True
        if self.has_coding and self.length is not None:
            raise Refused(BOTH)

    def check(self, method: bytes, target: bytes, version: str) -> bytes:
        """The target in origin form (RFC 9112 §3.2.1), when the whole header may be acted on; raises Refused."""
        if version == "1.1":
            if self.host is None:
                raise Refused(HOST)
        elif version != "1.0":
            raise Refused(VERSION)
        elif self.has_coding:
            raise Refused(OLD_CODING)
        if _HASH in target or method == b"CONNECT":
            raise Refused(TARGET)
        return target if target[0] == _SLASH else self._origin_form(method, target)

    def _origin_form(self, method: bytes, target: bytes) -> bytes:
        if target == b"*":
            if method != b"OPTIONS":
                raise Refused(TARGET)
            return target
        try:
            found = httptools.parse_url(target)
        except httptools.HttpParserError:
            raise Refused(TARGET) from None
        if found.schema not in (b"http", b"https") or not found.host or found.userinfo:
            raise Refused(TARGET)
        port = b":%d" % found.port if found.port else b""
        named = (b"[%s]" % found.host if b":" in found.host else found.host) + port
        if self.host is not None and named.lower() != self.host.lower():
            raise Refused(OTHER_HOST)
        query = b"?" + found.query if found.query else b""
        return (getattr(found, "path", None) or b"/") + query


def chunked_bytes(body_bytes: int) -> int:
    """How many bytes a chunked body of so many may take: chunks of one byte, six on the wire, are an attack."""
    return MAX_CODING_BYTES + 4 * body_bytes


class _Resumed:
    """Hands a parser's findings on to a protocol, all but the header that only tells the parser how to go on."""

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol
        self._is_ours = True
        self.on_body = protocol.on_body
        self.on_message_complete = protocol.on_message_complete

    def on_message_begin(self) -> None:
        if not self._is_ours:
            self._protocol.on_message_begin()

    def on_url(self, url: bytes) -> None:
        if not self._is_ours:
            self._protocol.on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._is_ours:
            self._protocol.on_header(name, value)

    def on_headers_complete(self) -> None:
        if not self._is_ours:
            self._protocol.on_headers_complete()
        self._is_ours = False


def resumed(protocol: Any, frame: Frame | None) -> Any:
    """A parser that goes on behind the header of a message with this frame; None when the message is complete."""
    if frame is None:
        return httptools.HttpRequestParser(protocol)
    parser = httptools.HttpRequestParser(_Resumed(protocol))
    form = b"transfer-encoding: chunked" if frame.has_coding else b"content-length: " + (frame.length or b"0")
    parser.feed_data(b"POST / HTTP/1.1\r\n" + form + b"\r\n\r\n")
    return parser
