"""The simulator at the running product, over HTTP and MQTT: nothing is lost, nothing is written twice or differently.

The wall clock of these runs goes ten times faster than ours, and scenarios are a twentieth of their length: whole plays
of 300 sensors are `python -m tests.torture.scenarios`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import yaml

from lakou.kernel.errors import Conflict, LakouError, Unauthorized
from lakou.kernel.time import SECOND, parse_instant
from lakou.simulator import control, scenario
from lakou.simulator.building import Stage
from lakou.simulator.client import Client, Stopped
from lakou.simulator.credentials import Credentials, Token
from lakou.simulator.director import Director
from lakou.simulator.report import Report, make_report
from lakou.simulator.run import direct, opened
from lakou.simulator.settings import Settings
from tests.conftest import DATABASES
from tests.harness import server as harness
from tests.harness.postgres import POSTGRES_URL
from tests.harness.server import Server, running

SENSORS = 15
FASTER = 10.0
SHORTER = 20.0
WAIT_S = 60.0


class FastWall:
    """A present that begins two hours ago and runs ten times faster, so that it stays in the past."""

    def __init__(self) -> None:
        self._begin_s = time.time()

    def __call__(self) -> float:
        return self._begin_s - 7200.0 + (time.time() - self._begin_s) * FASTER


@pytest.fixture(scope="module", params=DATABASES)
def product(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A product of its own: it is killed here."""
    with running(request.param, POSTGRES_URL) as started:
        yield started


@pytest.fixture(scope="module")
def device(product: Server) -> Credentials:
    return Credentials({"*": Token("reseau", product.make_token("reseau", "device"))}, "secret")


# What no database changes is tried on one.
ON_SQLITE = pytest.mark.parametrize("product", ["sqlite"], indirect=True)


def shorter(value: Any, key: str = "") -> Any:
    """A scenario's file with all its times divided."""
    if isinstance(value, dict):
        return {name: shorter(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [shorter(inner) for inner in value]
    return value / SHORTER if key.endswith("_min") and key != "half_period_min" else value


@pytest.fixture
def settings(product: Server, device: Credentials, tmp_path: Path) -> Settings:
    return Settings(
        product.origin, device, mqtt=("127.0.0.1", product.mqtt_port), sensors=SENSORS, history_s=0, rewrite=True
    )


def short(settings: Settings, name: str, folder: Path) -> Settings:
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump(shorter(yaml.safe_load((scenario.FOLDER / f"{name}.yaml").read_text()))))
    return replace(settings, scenario=str(file), speed=600.0)


@contextlib.asynccontextmanager
async def played(settings: Settings) -> AsyncIterator[Director]:
    """A run that goes on beside the test."""
    stop = asyncio.Event()
    async with opened(settings, stop, FastWall()) as director:
        here = asyncio.current_task()
        working = asyncio.create_task(direct(director, settings, stop))
        # A run that fails ends the test that waits for it.
        working.add_done_callback(lambda _: None if stop.is_set() or here is None else here.cancel())
        try:
            yield director
        finally:
            stop.set()
            with contextlib.suppress(Stopped):
                await asyncio.wait_for(working, 20)


def is_drained(director: Director) -> bool:
    """Whether the play has ended, each feed has sent what it had, and each inject is told."""
    end = director.end_s
    return director.told_until_s >= end and all(
        not feed.planned(director.timeline, feed.sent_until_s, end) for feed in director.feeds()
    )


async def whole(director: Director) -> Report:
    await until(lambda: is_drained(director))
    return await make_report(director)


async def until(done: Callable[[], bool]) -> None:
    """Wait until something is so, or fail."""
    deadline = time.monotonic() + WAIT_S
    while not done():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


def messages(product: Server, since_s: float) -> dict[int, str]:
    """The injects at the service by their ids, in their order; those of other plays too."""
    found = httpx.get(f"{product.base}/Things?$filter=name eq 'Animation de l''exercice'&$expand=Datastreams").json()
    if not found["value"]:
        return {}
    stream = found["value"][0]["Datastreams"][0]["@iot.id"]
    rows = httpx.get(f"{product.base}/Datastreams({stream})/Observations?$top=200").json()["value"]
    return {row["@iot.id"]: row["result"] for row in rows if parse_instant(row["phenomenonTime"]) >= since_s * SECOND}


@pytest.mark.parametrize("name", scenario.names())
def test_a_scenario_plays_to_its_end_and_no_observation_is_lost(
    product: Server, settings: Settings, tmp_path: Path, name: str
) -> None:
    async def play() -> None:
        # A play begins in the past, where the one before it may have told something.
        before = messages(product, since_s=0)
        async with played(short(settings, name, tmp_path)) as director:
            report = await whole(director)
            assert report.is_whole, report
            assert report.planned == report.acknowledged == report.stored
            assert report.planned > 150
            ways = {gateway.way for gateway in director.gateways}
            assert ways == {"array", "single", "mqtt"}
            await same_values(director)
            now = messages(product, since_s=director.zero_s)
            told.extend(text for id_, text in now.items() if id_ not in before)

    async def same_values(director: Director) -> None:
        """What the service has is what another world of the same seed gives."""
        again = scenario.make_world(director.scenario, seed=director.seed, zero_s=director.zero_s)
        for gateway in director.gateways:
            feed = gateway.feeds[0]
            path = f"/Datastreams({feed.datastream_id})/Observations?$orderby=phenomenonTime desc&$top=100"
            for row in (await gateway.client.read(path))["value"]:
                moment = parse_instant(row["phenomenonTime"]) // SECOND
                if moment >= director.timeline.current.from_s:
                    assert row["result"] == feed.flow.model(again, float(moment)), (feed.device.key, moment)

    told: list[str] = []
    asyncio.run(play())
    assert told == [inject.text for inject in scenario.load(name).injects if inject.at_min >= 0]


def test_a_service_that_is_killed_in_the_middle_loses_nothing(
    product: Server, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports = iter([product.port, product.mqtt_port])

    async def play() -> None:
        async with played(short(settings, "crue-lezarde", tmp_path)) as director:
            third_s = director.zero_s + director.scenario.duration_s / 3
            await until(lambda: director.clock.now_s > third_s)
            await asyncio.to_thread(product.kill)
            await asyncio.sleep(0.3)
            monkeypatch.setattr(harness, "free_port", lambda: next(ports))
            await asyncio.to_thread(product.start)
            assert not is_drained(director)
            report = await whole(director)
            assert report.is_whole, report
            assert report.planned == report.acknowledged == report.stored

    asyncio.run(play())


@ON_SQLITE
def test_a_run_that_begins_again_goes_on_where_the_last_one_ended(
    product: Server, settings: Settings, tmp_path: Path
) -> None:
    wanted = short(settings, "seisme-tsunami", tmp_path)

    async def play() -> None:
        async with played(wanted) as director:
            zero_s = director.zero_s
            await until(lambda: director.clock.now_s > zero_s + 300)
            director.clock.pause()
        async with played(replace(wanted, rewrite=False)) as director:
            assert director.zero_s == zero_s
            await whole(director)
            # Both runs together: every planned instant is there once.
            director.counted_from_s = zero_s
            report = await make_report(director)
            assert report.planned == report.stored > report.acknowledged > 0

    asyncio.run(play())


@ON_SQLITE
def test_a_faster_play_that_begins_before_what_was_written_asks_first(
    product: Server, settings: Settings, tmp_path: Path
) -> None:
    async def play() -> None:
        async with opened(replace(settings, scenario="cyclone", speed=600.0, rewrite=False), asyncio.Event()):
            pass

    with pytest.raises(Conflict, match="cyclone at ×600 begins at") as caught:
        asyncio.run(play())
    assert "--rewrite" in (caught.value.hint or "")


@ON_SQLITE
def test_another_seed_on_the_same_network_is_refused(product: Server, settings: Settings, tmp_path: Path) -> None:
    async def play(wanted: Settings) -> None:
        async with opened(wanted, asyncio.Event(), FastWall()):
            pass

    asyncio.run(play(short(settings, "crue-lezarde", tmp_path)))
    with pytest.raises(Conflict, match="seed 97213"):
        asyncio.run(play(replace(settings, seed=5)))


@ON_SQLITE
def test_the_clock_is_paused_set_back_and_moved_on_and_an_instant_keeps_its_value(
    product: Server, settings: Settings, tmp_path: Path
) -> None:
    async def play() -> None:
        async with played(short(settings, "crue-lezarde", tmp_path)) as director:
            first = await whole(director)
            # Back: the same values again, recognised one by one.
            await director.jump(director.zero_s)
            again = await whole(director)
            assert (again.planned, again.stored, again.refused) == (first.planned, first.stored, 0)
            director.clock.pause()
            still = director.clock.now_s
            await asyncio.sleep(0.1)
            assert director.clock.now_s == still
            # Ahead of the present: the scenario moves, time does not.
            director.clock.resume()
            director.clock.set(director.clock._wall())
            await director.jump(director.end_s + 7200.0)
            assert director.clock.now_s <= director.clock._wall()
            assert director.clock.now_s - director.zero_s >= director.scenario.duration_s
            with pytest.raises(Conflict, match="another part"):
                await director.jump(director.timeline.current.from_s - 1.0)

    asyncio.run(play())


@ON_SQLITE
def test_the_control_needs_its_secret_and_says_what_is_wrong(
    product: Server, settings: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "control.json"
    wanted = replace(short(settings, "seisme-tsunami", tmp_path), control_port=0, control_file=file)

    async def play() -> None:
        async with played(wanted) as director:
            await until(lambda: file.exists() and file.read_bytes() != b"")
            url = msgspec.json.decode(file.read_bytes())["url"]
            async with httpx.AsyncClient(base_url=url, trust_env=False) as anyone:
                assert (await anyone.get("/clock")).status_code == 401
                anyone.headers["Authorization"] = "Bearer secret"
                assert (await anyone.get("/clock")).json()["speed"] == 600.0
                assert (await anyone.put("/clock", json={"paused": True})).json()["paused"] is True
                assert (await anyone.put("/clock", json={"speed": 60, "paused": False})).json()["speed"] == 60.0
                assert director.clock.speed == 60.0
                refused = await anyone.put("/clock", json={"speed": 1000})
                assert (refused.status_code, refused.json()["place"]) == (400, "speed")
                assert (await anyone.put("/clock", json={"spead": 2})).status_code == 400
                assert (await anyone.put("/scenario", json={"name": "tornade"})).status_code == 400
                assert (await anyone.get("/nothing")).status_code == 404
                assert (await anyone.post("/clock")).status_code == 405
                injects = (await anyone.get("/injects")).json()
                assert all(inject["text"].startswith("EXERCICE") for inject in injects)
                assert (await anyone.put("/scenario", json={"name": "ordinaire"})).json()["scenario"] == "ordinaire"
                assert (await anyone.get("/report")).json()["refused"] == 0
        assert not file.exists()

    asyncio.run(play())


@ON_SQLITE
def test_everything_simulated_says_exercise(product: Server) -> None:
    for entity_set in ("Things", "Datastreams", "Sensors", "Locations"):
        for entity in httpx.get(f"{product.base}/{entity_set}?$top=500").json()["value"]:
            assert entity["properties"]["exercise"] is True, entity
            assert "EXERCICE" in entity["description"], entity


@ON_SQLITE
class Forgetful(Client):
    """A service that keeps nothing."""

    def __init__(self) -> None: ...

    async def change(self, path: str, body: Any) -> None: ...


@pytest.mark.parametrize("part_s", [0.0, 0.001, 0.5, 0.999])
@pytest.mark.parametrize("name", scenario.names())
def test_a_faster_play_reaches_its_end_within_its_time(name: str, part_s: float) -> None:
    now = [1_790_000_000.0 + part_s]
    stage = Stage(thing_id=1, datastream_id=1, properties={})
    director = Director(Forgetful(), stage, seed=1, wall=lambda: now[0])
    asyncio.run(director.play(scenario.load(name), 600.0, rewrite=False, latest_s=0.0))
    now[0] += director.scenario.duration_s / 600.0 + 1e-6
    assert director.has_ended


def test_a_refused_token_ends_the_run(product: Server) -> None:
    wrong = Settings(product.origin, Credentials({"*": Token("x", "lk_1_wrong")}), sensors=SENSORS)

    async def play() -> None:
        async with opened(wrong, asyncio.Event()):
            pass

    with pytest.raises(Unauthorized, match="401"):
        asyncio.run(play())


def test_stopping_ends_the_wait_for_a_lost_service() -> None:
    async def stopped() -> None:
        stop = asyncio.Event()
        client = Client("http://127.0.0.1:9", "lk_x", stop)
        task = asyncio.create_task(client.listed("Things", "x"))
        await asyncio.sleep(0.05)
        stop.set()
        with pytest.raises(Stopped):
            await asyncio.wait_for(task, 5)
        await client.close()

    asyncio.run(stopped())


def test_the_control_listens_on_loopback_only() -> None:
    with control.bind(0) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"


def test_errors_of_the_simulator_are_of_the_closed_family() -> None:
    with pytest.raises(LakouError):
        scenario.load("tornade")
