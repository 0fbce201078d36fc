"""The simulator and the pages on the running product, on each database: nothing stands in for anything."""

from __future__ import annotations

import asyncio
import time
from urllib.parse import quote

import httpx
import pytest

from lakou.simulator import network
from lakou.simulator.bodies import KEY_PREFIX
from lakou.simulator.credentials import Credentials, Token
from lakou.simulator.director import LIVE_S
from lakou.simulator.feeds import HISTORY_STEP_S
from lakou.simulator.run import opened
from lakou.simulator.settings import Settings
from tests.harness.server import Server

HOUR_S = 3600
# Half an hour of every minute, and what lies behind it at five-minute steps.
SENT = LIVE_S // 60 + (HOUR_S - LIVE_S) // HISTORY_STEP_S


async def feed(server: Server, since_s: float, now_s: float) -> None:
    mine = Credentials({"*": Token(server.token_name, server.token)})
    settings = Settings(server.origin, mine, sensors=network.LEAST)
    async with opened(settings, asyncio.Event(), lambda: now_s) as director:
        for gateway in director.gateways:
            # As after a cut: all of it again.
            for each in gateway.feeds:
                each.sent_until_s, each.filled_from_s = director.live_from_s, director.live_from_s + 0.5
            await gateway.send_due()
            while await gateway.send_behind(since_s):
                pass


@pytest.fixture(scope="module")
def fed(server: Server) -> Server:
    """The product with the demonstration's network and its last hour, sent twice as after a cut."""
    now_s = float(int(time.time()))
    asyncio.run(feed(server, now_s - HOUR_S, now_s))
    asyncio.run(feed(server, now_s - HOUR_S, now_s))
    return server


def level_id(server: Server) -> int:
    wanted = quote(f"properties/key eq '{KEY_PREFIX}lezarde-amont/niveau'")
    found = httpx.get(f"{server.base}/Datastreams?$filter={wanted}").json()["value"]
    assert len(found) == 1
    return int(found[0]["@iot.id"])


def test_sending_again_makes_neither_things_nor_observations_twice(fed: Server) -> None:
    wanted = quote(f"startswith(properties/key,'{KEY_PREFIX}')")
    assert httpx.get(f"{fed.base}/Things?$filter={wanted}&$count=true").json()["@iot.count"] == network.LEAST + 1
    rows = httpx.get(f"{fed.base}/Datastreams({level_id(fed)})/Observations?$top=1000").json()["value"]
    times = [row["phenomenonTime"] for row in rows]
    assert len(times) == len(set(times)) == SENT


@pytest.mark.parametrize("address", ["/", "/poste"])
def test_the_pages_show_the_fed_network(fed: Server, address: str) -> None:
    answer = httpx.get(fed.origin + address)
    assert answer.status_code == 200
    assert "EXERCICE — données simulées" in answer.text
    assert "Lézarde amont" in answer.text
    assert "à jour" in answer.text


def test_the_line_and_its_csv_hold_the_same_hour(fed: Server) -> None:
    page = httpx.get(f"{fed.origin}/poste?flux={level_id(fed)}").text
    assert "<polyline" in page
    start = page.index(f"/sta/v1.1/Datastreams({level_id(fed)})/Observations?")
    csv = httpx.get(fed.origin + page[start : page.index('"', start)].replace("&amp;", "&"))
    assert csv.status_code == 200
    assert len(csv.text.strip().splitlines()) == 1 + SENT


@pytest.mark.parametrize("name", ["base.css", "parts.css", "live.js", "icon.svg"])
def test_the_pages_files_are_served(fed: Server, name: str) -> None:
    assert httpx.get(f"{fed.origin}/static/web/{name}").status_code == 200
