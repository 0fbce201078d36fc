"""The in-process interface of the SensorThings service, over HTTP: for commands beside a running server.

On SQLite a folder has one writing process, so a command that finds a server running asks that server.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Self

import httpx

from lakou.kernel.errors import Unavailable
from lakou.sensorthings.access import Principal
from lakou.sensorthings.service import Answer

TIMEOUT_S = 60.0


class RemoteService:
    """`call()` of `sensorthings.service.Service`, at `base_url` with a token; the token decides the rights."""

    def __init__(self, base_url: str, token: str) -> None:
        self._client = httpx.AsyncClient(
            headers={"authorization": f"Bearer {token}"}, timeout=TIMEOUT_S, trust_env=False
        )
        self._root = base_url.rstrip("/") + "/sta/v1.1"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def call(
        self,
        principal: Principal,
        method: str,
        target: str,
        body: bytes = b"",
        headers: Iterable[tuple[bytes, bytes]] = (),
    ) -> Answer:
        """Send one request. Raises Unavailable when the server does not answer."""
        try:
            answer = await self._client.request(method, self._root + target, content=body, headers=list(headers))
        except httpx.HTTPError as error:
            raise Unavailable(
                f"The running server does not answer ({type(error).__name__})", hint="is it stopping? try again"
            ) from error
        return Answer(answer.status_code, list(answer.headers.raw), answer.content)
