"""One HTTP/1.1 connection over asyncio that sends every request byte for byte as it was written.

For tests that ask thousands of things on few connections, or what no client would send: nothing tidies a path, no
cookie is kept, no redirect followed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import NamedTuple

TIMEOUT_S = 20.0
BODILESS = (204, 304)


class Reply(NamedTuple):
    """An answer. The names of `headers` are in lower case; of several of one name the last is kept."""

    status: int
    headers: dict[str, str]
    body: bytes


class Line:
    """A connection that is opened when it is needed, and again when the server has closed it."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self._port, self._host = port, host
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, method: str, target: str, headers: Mapping[str, str], body: bytes = b"") -> Reply:
        """The answer to a request. Content-Length is added where there is a body, Host where none is given."""
        fields = {"Host": f"{self._host}:{self._port}", **headers}
        if body or method in ("POST", "PUT", "PATCH"):
            fields["Content-Length"] = str(len(body))
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return await self.send(f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body, method)

    async def send(self, request: bytes, method: str = "GET") -> Reply:
        """The answer to these bytes; asked once more when a connection that was kept had just been closed."""
        async with asyncio.timeout(TIMEOUT_S):
            was_open = self._writer is not None
            try:
                return await self._send(request, method)
            except (ConnectionError, asyncio.IncompleteReadError):
                await self.close()
                if not was_open:
                    raise
                return await self._send(request, method)

    async def head(self, method: str, target: str, headers: Mapping[str, str]) -> Reply:
        """The status and the header alone, for an answer that does not end; `chunk` reads on."""
        fields = "".join(f"{name}: {value}\r\n" for name, value in {"Host": "x", **headers}.items())
        async with asyncio.timeout(TIMEOUT_S):
            reader = await self._begin(f"{method} {target} HTTP/1.1\r\n{fields}\r\n".encode("latin-1"))
            status, found = await _header(reader)
        return Reply(status, found, b"")

    async def chunk(self) -> bytes:
        """The next chunk of an answer whose header was read; empty at its end."""
        if self._reader is None:
            return b""
        return await _chunk(self._reader)

    async def close(self) -> None:
        """Close the connection; the next request opens another one."""
        if self._writer is not None:
            self._writer.close()
            with contextlib.suppress(ConnectionError):
                await self._writer.wait_closed()
        self._reader = self._writer = None

    async def _begin(self, request: bytes) -> asyncio.StreamReader:
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        self._writer.write(request)
        return self._reader

    async def _send(self, request: bytes, method: str) -> Reply:
        reader = await self._begin(request)
        status, headers = await _header(reader)
        body = b""
        if method == "HEAD" or status in BODILESS:
            pass
        elif "chunked" in headers.get("transfer-encoding", ""):
            while piece := await _chunk(reader):
                body += piece
        elif "content-length" in headers:
            body = await reader.readexactly(int(headers["content-length"]))
        elif status >= 200:
            body = await reader.read()
            await self.close()
        if headers.get("connection") == "close":
            await self.close()
        return Reply(status, headers, body)


async def _header(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in head[1:] if line)
    return int(head[0].split(" ", 2)[1]), {name.lower(): value.strip() for name, _, value in pairs}


async def _chunk(reader: asyncio.StreamReader) -> bytes:
    size = int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16)
    return (await reader.readexactly(size + 2))[:size]
