"""A small SensorThings client over httpx: list, create, send, delete, and wait when the service is away.

It knows no more than any outside program: the public API, a token, and the right to try again. A request that
did not get through is sent again as it was; the service answers an equal Observation with the stored one.
"""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from functools import cache
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import msgspec

from lakou.kernel.errors import BadRequest, Conflict, Forbidden, LakouError, Unauthorized

log = logging.getLogger(__name__)

ROOT = "/sta/v1.1"
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 15.0
# Gateways and proxies say 502 and 504 while the service behind them restarts.
TRY_AGAIN = frozenset({408, 429, 502, 503, 504})
PAGE = 500

Json = dict[str, Any]


class Stopped(Exception):
    """The run was asked to stop while a request was waiting to be tried again."""


class Client:
    """Connections to `base_url` with one token. `stop` ends every wait at once."""

    def __init__(
        self, base_url: str, token: str, stop: asyncio.Event, *, transport: httpx.AsyncBaseTransport | None = None
    ):
        self._stop = stop
        self._http = httpx.AsyncClient(
            base_url=base_url.rstrip("/") + ROOT,
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(30.0, connect=5.0),
            transport=transport,
            verify=_tls(),
            # The service is named by the caller; a proxy of the environment would only stand in the way.
            trust_env=False,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def listed(self, entity_set: str, prefix: str, options: str = "") -> list[Json]:
        """Every entity whose `properties/key` begins with `prefix`; `options` are further query options."""
        quoted = quote("startswith(properties/key,'" + prefix.replace("'", "''") + "')")
        target = f"/{entity_set}?$filter={quoted}&$top={PAGE}{'&' + options if options else ''}"
        found: list[Json] = []
        while target:
            answer = msgspec.json.decode((await self._send("GET", target)).content, type=Json)
            found += answer["value"]
            link = answer.get("@iot.nextLink")
            # nextLink is absolute and may name the service by another address than ours.
            target = f"/{entity_set}?{urlsplit(link).query}" if link else ""
        return found

    async def count(self, datastream_id: object, start: str, end: str) -> int:
        """How many Observations of a Datastream have a phenomenonTime in (start, end] (ISO instants)."""
        window = quote(f"phenomenonTime gt {start} and phenomenonTime le {end}")
        target = f"/Datastreams({datastream_id})/Observations?$filter={window}&$count=true&$top=0"
        answer = await self._send("GET", target)
        return int(msgspec.json.decode(answer.content, type=Json)["@iot.count"])

    async def create(self, path: str, body: Json) -> object:
        """Create an entity; gives its id, which the service names in the Location header."""
        location = (await self._send("POST", path, body)).headers.get("Location", "")
        text = location[location.rfind("(") + 1 : location.rfind(")")]
        return int(text) if text.isdigit() else text.strip("'")

    async def read(self, path: str) -> Json:
        """One entity."""
        return msgspec.json.decode((await self._send("GET", path)).content, type=Json)

    async def change(self, path: str, body: Json) -> None:
        """PATCH an entity."""
        await self._send("PATCH", path, body)

    async def remove(self, path: str) -> None:
        """DELETE an entity."""
        await self._send("DELETE", path)

    async def remove_after(self, datastream_id: object, instant: str) -> None:
        """Delete the Observations of a Datastream whose phenomenonTime is after an ISO instant."""
        window = quote(f"phenomenonTime gt {instant}")
        await self._send("DELETE", f"/Datastreams({datastream_id})/Observations?$filter={window}")

    async def send_array(self, groups: list[Json]) -> int:
        """CreateObservations (18-088 §13): gives how many were refused; those are logged, never tried again."""
        answer = await self._send("POST", "/CreateObservations", groups)
        refused = [line for line in msgspec.json.decode(answer.content, type=list[str]) if line.startswith("error")]
        if refused:
            log.warning("%d Observations refused, first: %s", len(refused), refused[0][:200])
        return len(refused)

    async def send_one(self, datastream_id: object, body: Json) -> bool:
        """POST one Observation; False when it was refused for good (logged, never tried again)."""
        try:
            await self._send("POST", f"/Datastreams({datastream_id})/Observations", body)
        except (BadRequest, Conflict) as error:
            log.warning("an Observation was refused: %s (%s)", error.message, error.hint)
            return False
        return True

    async def _send(self, method: str, path: str, body: object = None) -> httpx.Response:
        content = None if body is None else msgspec.json.encode(body)
        headers = {} if body is None else {"Content-Type": "application/json", "Prefer": "return=minimal"}
        attempt = 0
        while True:
            wait_s = min(FIRST_WAIT_S * 2**attempt, LONGEST_WAIT_S)
            try:
                answer = await self._http.request(method, path, content=content, headers=headers)
            except httpx.TransportError as error:
                kind = type(error).__name__
                log.info("%s %s: no answer (%s), again in about %.1f s", method, path[:80], kind, wait_s)
            else:
                if answer.status_code not in TRY_AGAIN:
                    _refuse(answer)
                    return answer
                asked = answer.headers.get("Retry-After", "")
                wait_s = max(wait_s, float(asked)) if asked.isdigit() else wait_s
                log.info("%s %s: %d, again in about %.1f s", method, path[:80], answer.status_code, wait_s)
            attempt = min(attempt + 1, 10)
            # Spread, so that many clients do not come back together.
            await self.pause(wait_s * (0.5 + random.random()))  # noqa: S311 – jitter, not a secret

    async def pause(self, seconds: float) -> None:
        """Wait, or raise Stopped as soon as the run is asked to stop."""
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except TimeoutError:
            return
        raise Stopped


@cache
def _tls() -> ssl.SSLContext:
    """One context for all clients: reading the certificates takes longer than a request."""
    return httpx.create_ssl_context()


def _refuse(answer: httpx.Response) -> None:
    if answer.is_success:
        return
    kinds: dict[int, type[LakouError]] = {401: Unauthorized, 403: Forbidden, 409: Conflict}
    raise kinds.get(answer.status_code, BadRequest)(
        f"The service refused {answer.request.method} {answer.request.url.path}: {answer.status_code}",
        hint=answer.text[:300] or None,
    )
