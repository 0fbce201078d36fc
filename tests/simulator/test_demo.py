"""The demonstration makes its network once, writes the past, survives cuts and never sends another value twice."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from lakou.kernel.errors import BadRequest, Unauthorized
from lakou.simulator import client as client_module
from lakou.simulator import demo
from lakou.simulator.client import Client
from lakou.simulator.network import DEVICES, EXERCISE_NOTE, PROPERTIES
from lakou.simulator.scenario import build_world

NOW_S = 1_795_350_000


class Service:
    """The few answers that the simulator needs, kept in lists; `failures` are served first."""

    def __init__(self) -> None:
        self.entities: list[tuple[str, int, dict[str, Any]]] = []
        self.rows: dict[tuple[int, str], Any] = {}
        self.sent = 0
        self.failures: list[httpx.Response | Exception] = []
        self.tokens: set[str | None] = set()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.tokens.add(request.headers.get("Authorization"))
        if self.failures:
            failure = self.failures.pop(0)
            if isinstance(failure, Exception):
                raise failure
            return failure
        path = request.url.path.removeprefix("/sta/v1.1/")
        if request.method == "GET":
            return self._find(path, unquote(request.url.query.decode()))
        body = json.loads(request.content)
        if path == "CreateObservations":
            return self._rows(body)
        return self._create(path, body)

    def _find(self, entity_set: str, query: str) -> httpx.Response:
        found = re.search(r"properties/key eq '([^']*)'", query)
        assert found
        hits = [e for s, _, e in self.entities if s == entity_set and e["properties"]["key"] == found[1]]
        return httpx.Response(200, json={"value": hits})

    def _create(self, path: str, body: dict[str, Any]) -> httpx.Response:
        identifier = len(self.entities) + 1
        entity = {**body, "@iot.id": identifier}
        self.entities.append((path, identifier, entity))
        for stream in body.get("Datastreams", []):
            stream["@iot.id"] = len(self.entities) + 1
            self.entities.append(("Datastreams", stream["@iot.id"], stream))
        return httpx.Response(201, json=entity, headers={"Location": f"http://x/sta/v1.1/{path}({identifier})"})

    def _rows(self, groups: list[dict[str, Any]]) -> httpx.Response:
        links = []
        for group in groups:
            assert group["dataArray@iot.count"] == len(group["dataArray"])
            for line in group["dataArray"]:
                assert len(line) == len(group["components"])
                key = (group["Datastream"]["@iot.id"], line[0])
                assert self.rows.get(key, line[1:]) == line[1:], "another value for an instant already sent"
                self.rows[key] = line[1:]
                self.sent += 1
                links.append("http://x/sta/v1.1/Observations(1)")
        return httpx.Response(201, json=links)


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def client(service: Service, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setattr(client_module, "FIRST_WAIT_S", 0.01)
    return Client("http://x", "lk_test", asyncio.Event(), transport=httpx.MockTransport(service))


def _same(time_s: float) -> float:
    return time_s


async def _feed(client: Client, now_s: float) -> int:
    feeds = await demo.build_network(client, NOW_S - demo.HISTORY_S)
    world = build_world("ordinaire", seed=demo.SEED, start_s=NOW_S)
    return await demo.send_due(client, feeds, world, _same, now_s)


def test_the_network_is_made_once(client: Client, service: Service) -> None:
    async def twice() -> None:
        await demo.build_network(client, 0)
        count = len(service.entities)
        await demo.build_network(client, 0)
        assert len(service.entities) == count

    asyncio.run(twice())
    things = [entity for path, _, entity in service.entities if path == "Things"]
    assert len(things) == len(DEVICES) == 10
    assert service.tokens == {"Bearer lk_test"}


def test_everything_simulated_says_exercise(client: Client, service: Service) -> None:
    asyncio.run(demo.build_network(client, 0))
    for path, _, entity in service.entities:
        assert entity["properties"]["exercise"] is True
        assert path == "ObservedProperties" or EXERCISE_NOTE in entity["description"]


def test_the_last_day_is_written_back_then_only_what_is_new(client: Client, service: Service) -> None:
    async def day() -> tuple[int, int]:
        feeds = await demo.build_network(client, NOW_S - demo.HISTORY_S)
        world = build_world("ordinaire", seed=demo.SEED, start_s=NOW_S)
        first = await demo.send_due(client, feeds, world, _same, NOW_S)
        return first, await demo.send_due(client, feeds, world, _same, NOW_S + 60)

    first, second = asyncio.run(day())
    expected = sum(demo.HISTORY_S // flow.period_s for device in DEVICES for flow in device.flows)
    assert abs(first - expected) <= 25
    assert second == sum(60 // flow.period_s for device in DEVICES for flow in device.flows)
    assert len(service.rows) == service.sent


def test_a_second_run_sends_equal_values_for_equal_instants(client: Client, service: Service) -> None:
    async def twice() -> None:
        await _feed(client, NOW_S)
        distinct = len(service.rows)
        await _feed(client, NOW_S)
        assert len(service.rows) == distinct

    asyncio.run(twice())


def test_a_busy_or_lost_service_is_tried_again_with_the_same_rows(client: Client, service: Service) -> None:
    async def cut() -> int:
        feeds = await demo.build_network(client, NOW_S - 120)
        world = build_world("ordinaire", seed=demo.SEED, start_s=NOW_S)
        service.failures = [
            httpx.Response(503, headers={"Retry-After": "0"}),
            httpx.ConnectError("gone"),
            httpx.ReadError("cut while answering"),
        ]
        return await demo.send_due(client, feeds, world, _same, NOW_S)

    assert asyncio.run(cut()) == service.sent == len(service.rows)


def test_stopping_ends_the_wait_for_a_lost_service(monkeypatch: pytest.MonkeyPatch) -> None:
    async def stopped() -> None:
        stop = asyncio.Event()
        task = asyncio.create_task(demo.run("http://127.0.0.1:9", "lk_test", stop=stop))
        await asyncio.sleep(0.05)
        stop.set()
        await asyncio.wait_for(task, 5)

    asyncio.run(stopped())


def test_a_refused_token_is_told_and_not_tried_again(client: Client, service: Service) -> None:
    service.failures = [httpx.Response(401, json={"message": "unknown token"})]
    with pytest.raises(Unauthorized, match="401"):
        asyncio.run(demo.build_network(client, 0))


def test_an_unknown_scenario_names_the_known_ones() -> None:
    with pytest.raises(BadRequest) as caught:
        asyncio.run(demo.run("http://127.0.0.1:9", "t", scenario="tornade", stop=asyncio.Event()))
    assert "ordinaire" in (caught.value.hint or "")


def test_the_silence_scenario_stops_some_things_and_no_others(client: Client, service: Service) -> None:
    async def quiet() -> set[str]:
        feeds = await demo.build_network(client, NOW_S)
        world = build_world("silence", seed=demo.SEED, start_s=NOW_S)
        await demo.send_due(client, feeds, world, _same, NOW_S + 300)
        return {feed.device.key for feed in feeds if feed.sent_until_s > NOW_S}

    assert asyncio.run(quiet()) == {device.key for device in DEVICES} - {"lezarde-aval", "air-centre"}


def test_a_moving_thing_names_a_known_feature_for_each_position(client: Client, service: Service) -> None:
    asyncio.run(_feed(client, NOW_S))
    places = {identifier for path, identifier, _ in service.entities if path == "FeaturesOfInterest"}
    named = {row[1] for row in service.rows.values() if len(row) == 2}
    assert named
    assert named <= places


def test_every_observed_property_is_used() -> None:
    used = {flow.observed.key for device in DEVICES for flow in device.flows}
    assert used == {observed.key for observed in PROPERTIES}
