"""A small SensorThings client over httpx: look up by key, create, send data arrays, wait when the service is away.

It knows no more than any outside program: the public API, a token, and the right to try again. A request that
did not get through is sent again as it was; the service answers an equal Observation with the stored one.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

import httpx
import msgspec

from lakou.kernel.errors import BadRequest, Forbidden, LakouError, Unauthorized

log = logging.getLogger(__name__)

ROOT = "/sta/v1.1"
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
# Gateways and proxies say 502 and 504 while the service behind them restarts.
TRY_AGAIN = frozenset({408, 429, 502, 503, 504})

Json = dict[str, Any]


class Stopped(Exception):
    """The run was asked to stop while a request was waiting to be tried again."""


class Client:
    """One connection to `base_url` with one token. `stop` ends every wait at once."""

    def __init__(
        self, base_url: str, token: str, stop: asyncio.Event, *, transport: httpx.AsyncBaseTransport | None = None
    ):
        self._stop = stop
        self._http = httpx.AsyncClient(
            base_url=base_url.rstrip("/") + ROOT,
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(30.0, connect=5.0),
            transport=transport,
            # The service is named by the caller; a proxy of the environment would only stand in the way.
            trust_env=False,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def find(self, entity_set: str, key: str, options: str = "") -> Json | None:
        """The entity whose `properties/key` is `key`, or None. `options` are further query options."""
        quoted = quote("properties/key eq '" + key.replace("'", "''") + "'")
        answer = await self._send("GET", f"/{entity_set}?$filter={quoted}&$top=1{'&' + options if options else ''}")
        found = msgspec.json.decode(answer.content, type=Json)["value"]
        return found[0] if found else None

    async def create(self, path: str, body: Json) -> object:
        """Create an entity; gives its id, which the service names in the Location header and in the body."""
        answer = await self._send("POST", path, body)
        if answer.content:
            identifier = msgspec.json.decode(answer.content, type=Json).get("@iot.id")
            if identifier is not None:
                return identifier
        location = answer.headers.get("Location", "")
        text = location[location.rfind("(") + 1 : location.rfind(")")]
        return int(text) if text.isdigit() else text.strip("'")

    async def send_observations(self, groups: Iterable[Json]) -> int:
        """CreateObservations (18-088 §13): gives how many were refused; those are logged, never tried again."""
        answer = await self._send("POST", "/CreateObservations", list(groups))
        refused = [line for line in msgspec.json.decode(answer.content, type=list[str]) if line.startswith("error")]
        if refused:
            log.warning("%d observations refused, first: %s", len(refused), refused[0][:200])
        return len(refused)

    async def _send(self, method: str, path: str, body: object = None) -> httpx.Response:
        content = None if body is None else msgspec.json.encode(body)
        headers = {} if body is None else {"Content-Type": "application/json"}
        attempt = 0
        while True:
            wait_s = min(FIRST_WAIT_S * 2**attempt, LONGEST_WAIT_S)
            try:
                answer = await self._http.request(method, path, content=content, headers=headers)
            except httpx.TransportError as error:
                log.info(
                    "%s %s: no answer (%s), trying again in about %.1f s",
                    method,
                    path[:80],
                    type(error).__name__,
                    wait_s,
                )
            else:
                if answer.status_code not in TRY_AGAIN:
                    _refuse(answer)
                    return answer
                asked = answer.headers.get("Retry-After", "")
                wait_s = max(wait_s, float(asked)) if asked.isdigit() else wait_s
                log.info("%s %s: %d, trying again in about %.1f s", method, path[:80], answer.status_code, wait_s)
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


def _refuse(answer: httpx.Response) -> None:
    if answer.is_success:
        return
    kind: type[LakouError] = {401: Unauthorized, 403: Forbidden}.get(answer.status_code, BadRequest)
    raise kind(
        f"The service refused {answer.request.method} {answer.request.url.path}: {answer.status_code}",
        hint=answer.text[:300] or None,
    )
