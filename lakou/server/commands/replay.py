"""Replays one recorded sample of each connector into the running demonstration, as the connector would deliver it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import httpx
import structlog

from lakou.kernel.errors import LakouError
from lakou.kernel.jsontext import decode, encode
from lakou.sensorthings.access import ADMIN
from lakou.server import processes
from lakou.server.config import Config
from lakou.server.remote import RemoteService

# The samples that ship with the connectors, by connector.
SAMPLES = (
    ("lorawan", "chirpstack_up.json"),
    ("lorawan", "tts_uplink.json"),
    ("ioc_sealevel", "ioc_ftfr_20261120.json"),
    ("usgs_earthquakes", "usgs_2.5_day.json"),
)
WAIT_S = 60.0

log = structlog.get_logger(__name__)


def replay_samples(config: Config, token_file: Path) -> None:
    """Wait for the server, then deliver the samples over its public API; what fails is logged and passed over."""
    url = processes.address(config)
    if _wait_until_ready(url):
        asyncio.run(_replay(config, url, token_file.read_text(encoding="ascii").strip()))


async def _replay(config: Config, url: str, token: str) -> None:
    from lakou.connectors import inbound, samples
    from lakou.connectors.running import run_connector

    folder = Path(samples.__path__[0])
    async with RemoteService(url, token) as remote:
        side = inbound.make(remote, config.table("connectors"))
        for name, sample in SAMPLES:
            try:
                result = await run_connector(name, entities=side.entities, principal=ADMIN, file=folder / sample)
            except LakouError as error:
                log.warning("sample not replayed", connector=name, sample=sample, error=error.message)
                continue
            log.info("sample replayed", connector=name, outcome=result.outcome, observations=result.count)
        await _mark_as_exercise(remote)


async def _mark_as_exercise(remote: RemoteService) -> None:
    """Recorded messages that are played again are no news: what they made says EXERCICE like all of the demo."""
    answer = await remote.call(ADMIN, "GET", "/Things?$select=id,properties&$top=10000")
    for thing in decode(answer.body)["value"] if answer.status == 200 else ():
        properties = thing.get("properties") or {}
        if properties.get("exercise") is not True:
            body = encode({"properties": {**properties, "exercise": True}})
            await remote.call(
                ADMIN, "PATCH", f"/Things({thing['@iot.id']})", body, [(b"content-type", b"application/json")]
            )


def _wait_until_ready(url: str) -> bool:
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        try:
            if httpx.get(f"{url}/readyz", timeout=2, trust_env=False).status_code == 200:
                return True
        except httpx.HTTPError:
            pass
        time.sleep(0.3)
    return False
