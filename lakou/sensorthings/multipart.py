"""multipart/mixed bodies and the HTTP messages inside them, for $batch (RFC 2046 §5.1, 18-088 §11)."""

from __future__ import annotations

import re
from http import HTTPStatus

import msgspec

from lakou.kernel.errors import BadRequest
from lakou.sensorthings.request import Answer

_BOUNDARY = re.compile(r'boundary\s*=\s*(?:"([^"]{1,200})"|([^;\s]{1,200}))', re.IGNORECASE)
_LINE = re.compile(rb"\r?\n")
_BLANK = re.compile(rb"\r?\n\r?\n")


class Piece(msgspec.Struct):
    """One part: headers by lower-case name, and its body."""

    headers: dict[str, str]
    body: bytes

    def header(self, name: str) -> str:
        """A header, empty when absent."""
        return self.headers.get(name, "")


def boundary(content_type: str) -> bytes:
    """The boundary of a multipart Content-Type; raises BadRequest."""
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise BadRequest("multipart/mixed needs a boundary", place="Content-Type", code="batch")
    return (found.group(1) or found.group(2)).encode("latin-1", "replace")


def split(body: bytes, mark: bytes) -> list[Piece]:
    """The parts between boundaries; raises BadRequest when there is none."""
    pieces: list[Piece] = []
    lines = re.split(rb"(?:^|\r?\n)--" + re.escape(mark) + rb"(--)?[ \t]*(?:\r?\n|$)", body)
    # re.split gives text, closing mark or None, text, …: what comes before the first and after the last is ignored
    for n in range(2, len(lines), 2):
        if lines[n - 1] is not None:
            break
        if n + 1 < len(lines):
            pieces.append(_piece(lines[n]))
    if not pieces:
        raise BadRequest("The batch has no parts", code="batch", hint="Each part begins with --boundary.")
    return pieces


def _piece(raw: bytes) -> Piece:
    if raw.startswith((b"\r\n", b"\n")):
        return Piece({}, raw.lstrip(b"\r\n"))
    head, body = _cut(raw)
    return Piece({n.decode(): v.decode("latin-1") for n, v in _headers(head).items()}, body)


def _cut(raw: bytes) -> tuple[bytes, bytes]:
    """(header lines, body) at the first blank line."""
    found = _BLANK.search(raw)
    return (raw, b"") if found is None else (raw[: found.start()], raw[found.end() :])


def _headers(lines: bytes) -> dict[bytes, bytes]:
    out: dict[bytes, bytes] = {}
    for line in _LINE.split(lines):
        name, colon, value = line.partition(b":")
        if colon:
            out[name.strip().lower()] = value.strip()
    return out


def http_request(raw: bytes) -> tuple[str, str, dict[bytes, bytes], bytes]:
    """(method, URL, headers, body) of an HTTP message; the version may be left out. Raises BadRequest."""
    head, body = _cut(raw.lstrip(b"\r\n"))
    line, *rest = _LINE.split(head, maxsplit=1)
    try:
        words = line.decode("utf-8").strip().split(" ")
    except UnicodeDecodeError:
        raise BadRequest("The request line is not UTF-8", code="batch") from None
    if len(words) > 1 and words[-1].upper().startswith("HTTP/"):
        words.pop()
    if len(words) < 2:
        raise BadRequest("A part holds an HTTP request", code="batch", hint="GET Things(1)")
    headers = _headers(rest[0]) if rest else {}
    return words[0].upper(), "%20".join(words[1:]), headers, body.strip(b"\r\n")


def http_response(id_: str | None, answer: Answer) -> bytes:
    """A part that holds an HTTP answer."""
    lines = ["Content-Type: application/http"]
    if id_ is not None:
        lines.append(f"Content-ID: {id_}")
    lines += ["", f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}"]
    lines += [f"{n.decode().title()}: {v.decode('latin-1')}" for n, v in answer.headers if n != b"server-timing"]
    lines.append(f"Content-Length: {len(answer.body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + answer.body


def join(parts: list[bytes], mark: str) -> bytes:
    """A multipart body."""
    edge = f"--{mark}\r\n".encode()
    return b"".join(edge + part + b"\r\n" for part in parts) + f"--{mark}--\r\n".encode()
