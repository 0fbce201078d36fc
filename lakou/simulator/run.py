"""A run of the simulator: find or make the network, then every gateway, the director and the control until stopped."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import msgspec

from lakou.kernel.errors import Conflict
from lakou.simulator import control, network
from lakou.simulator import scenario as scenarios
from lakou.simulator.building import STAGE_GROUP, Builder
from lakou.simulator.client import Client, Stopped
from lakou.simulator.clock import checked_speed
from lakou.simulator.director import LIVE_S, USUAL, Director
from lakou.simulator.gateway import Gateway
from lakou.simulator.mqtt import Publisher
from lakou.simulator.settings import Settings

log = logging.getLogger(__name__)


async def run(settings: Settings, stop: asyncio.Event, wall: Callable[[], float] = time.time) -> None:
    """Run until `stop` is set; restarting goes on where the last run ended: nothing is written twice.

    Raises BadRequest on wrong settings, Unauthorized or Forbidden when a token may not write, Conflict when the play
    begins before what was written; waits and tries again while the service cannot be reached.
    """
    with contextlib.suppress(Stopped):
        async with opened(settings, stop, wall) as director:
            await direct(director, settings, stop)
    log.info("the simulation stops")


@contextlib.asynccontextmanager
async def opened(
    settings: Settings, stop: asyncio.Event, wall: Callable[[], float] = time.time
) -> AsyncIterator[Director]:
    """The director with its gateways, the first play begun; nothing is sent yet."""
    wanted = scenarios.load(settings.scenario)
    checked_speed(settings.speed)
    devices = network.build(settings.seed, settings.sensors)
    async with contextlib.AsyncExitStack() as stack:
        clients: dict[str, Client] = {}
        for group in network.GROUPS:
            clients[group] = Client(settings.base_url, settings.credentials.of(group).token, stop)
            stack.push_async_callback(clients[group].close)
        builder = Builder(clients)
        stage = await builder.stage()
        made_with = stage.properties.get("graine", settings.seed)
        if made_with != settings.seed:
            raise Conflict(
                f"The simulated network at this server was made with the seed {made_with}",
                place="seed",
                hint=f"take --seed {made_with}, or another data folder",
            )
        director = Director(clients[STAGE_GROUP], stage, seed=settings.seed, wall=wall)
        begin_s = wall() - wanted.duration_s * (1.0 - 1.0 / settings.speed)
        live_from_s = director.live_from_s or float(math.floor(begin_s - (LIVE_S if wanted.name == USUAL else 0)))
        director.live_from_s = live_from_s
        by_group = await builder.feeds(devices, settings.seed, live_from_s=live_from_s, now_s=begin_s)
        for group, feeds in by_group.items():
            publisher = None
            if settings.mqtt and network.GROUPS[group] == "mqtt":
                token = settings.credentials.of(group)
                publisher = Publisher(*settings.mqtt, group, token.name, token.token, stop)
                stack.push_async_callback(publisher.close)
            way = network.GROUPS[group]
            director.gateways.append(Gateway(group, way, feeds, clients[group], publisher, director))
        latest_s = max((feed.sent_until_s for feed in director.feeds()), default=0.0)
        known_s = latest_s if latest_s > live_from_s else 0.0
        await director.open(settings.scenario, settings.speed, rewrite=settings.rewrite, latest_s=known_s)
        log.info("the network stands: %d Things, %d Datastreams", len(devices), len(director.feeds()))
        yield director


async def direct(director: Director, settings: Settings, stop: asyncio.Event) -> None:
    """Every gateway, the injects and the control side by side; the first one that fails ends all."""
    work: list[Coroutine[Any, Any, None]] = [gateway.run(settings.history_s) for gateway in director.gateways]
    work.append(director.tell())
    server = None
    if settings.control_port is not None and settings.credentials.control:
        listener = control.bind(settings.control_port)
        server = control.make_server(director, settings.credentials.control)
        if settings.control_file is not None:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            settings.control_file.write_bytes(msgspec.json.encode({"url": url}) + b"\n")
        work.append(server.serve(sockets=[listener]))
    tasks = [asyncio.create_task(each) for each in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    finally:
        stop.set()
        if server is not None:
            server.should_exit = True
        await asyncio.wait(tasks, timeout=5)
        for task in tasks:
            task.cancel()
        if settings.control_file is not None:
            settings.control_file.unlink(missing_ok=True)
