"""Static files of the pages, beside Django: whitenoise knows the files, this sends them over ASGI.

As Django middleware whitenoise would answer through a synchronous file iterator, which ASGI has to gather in memory.
"""

from __future__ import annotations

import asyncio
from typing import Any

from whitenoise.middleware import WhiteNoiseMiddleware

from lakou.server.types import Receive, Scope, Send

CHUNK = 64 * 1024


class StaticFiles:
    """An ASGI application for the files under STATIC_URL, listed once at the start; 404 for the rest."""

    def __init__(self) -> None:
        self._files: dict[str, Any] = WhiteNoiseMiddleware().files

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer GET and HEAD, with conditional and range requests (RFC 9110 §13, §14)."""
        entry = self._files.get(scope["path"])
        if entry is None:
            await _send(send, 404, [(b"content-type", b"text/plain; charset=utf-8")], b"Fichier inconnu")
            return
        asked = {
            "HTTP_" + name.decode("latin-1").upper().replace("-", "_"): value.decode("latin-1")
            for name, value in scope["headers"]
        }
        found = await asyncio.to_thread(entry.get_response, scope["method"], asked)
        headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in found.headers]
        headers.append((b"x-content-type-options", b"nosniff"))
        if found.file is None:
            await _send(send, int(found.status), headers, b"")
            return
        with found.file as file:
            await send({"type": "http.response.start", "status": int(found.status), "headers": headers})
            more = True
            while more:
                chunk = await asyncio.to_thread(file.read, CHUNK)
                more = len(chunk) == CHUNK
                await send({"type": "http.response.body", "body": chunk, "more_body": more})


async def _send(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    # A HEAD answer already says how long the file is; a 304 has no body to speak of (RFC 9110 §8.6, §15.4.5).
    if status != 304 and not any(name == b"content-length" for name, _ in headers):
        headers = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
