"""Replays one recorded sample of each connector into the running demonstration, as the connector would deliver it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import httpx
import structlog

from lakou.kernel.errors import LakouError
from lakou.sensorthings.access import ADMIN
from lakou.server import processes
from lakou.server.config import Config

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
    from lakou.server.remote import RemoteService

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
