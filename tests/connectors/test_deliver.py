"""Delivery into the real SensorThings service: created once, found again, replayed without a trace."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from lakou.connectors import ioc_sealevel, lorawan, usgs_earthquakes
from lakou.connectors.deliver import Delivered, deliver
from lakou.connectors.entities import Entities
from lakou.connectors.reading import Reading
from lakou.identity.scopes import UNCLAIMED
from lakou.kernel.errors import TooManyRequests
from lakou.sensorthings.access import ADMIN, ANONYMOUS, Changes, Principal
from tests.connectors.conftest import Scenario, rows

if TYPE_CHECKING:
    from lakou.sensorthings.service import Service

Play = Callable[[Scenario], None]
Sample = Callable[[str], bytes]

DEVICE = Principal(id=7, name="chirpstack", role="device", reads=frozenset({0, 1007}), home=1007, changes=Changes.OWN)


def uplink(eui: str = "70b3d5e75e000001", **changes: Any) -> Reading:
    message = {
        "time": "2026-11-20T12:00:00Z",
        "deviceInfo": {"deviceName": f"Sonde {eui}", "devEui": eui},
        "object": {"level": 1.5},
        "rxInfo": [{"rssi": -90}],
        **changes,
    }
    return lorawan.read_chirpstack(json.dumps(message).encode(), "up")


def quake(updated: int, mag: float, event_id: str = "ex1", ids: str = ",ex1,") -> Reading:
    feature = {
        "type": "Feature",
        "id": event_id,
        "properties": {"mag": mag, "time": 1_795_176_000_000, "updated": updated, "status": "automatic", "ids": ids},
        "geometry": {"type": "Point", "coordinates": [-61.0, 14.0 + updated % 100 / 1000, 10.0]},
    }
    return usgs_earthquakes.read(json.dumps(feature).encode())


async def counts(service: Service) -> dict[str, int]:
    sets = ("Things", "Datastreams", "Sensors", "ObservedProperties", "Observations", "FeaturesOfInterest")
    return {name: len(await rows(service, f"/{name}?$top=1000")) for name in sets}


def test_replaying_changes_nothing_also_after_a_restart(play: Play, shipped: Sample) -> None:
    readings = [
        lorawan.read(shipped("chirpstack_up.json")),
        lorawan.read(shipped("tts_uplink.json")),
        ioc_sealevel.read(shipped("ioc_ftfr_20261120.json"), "ioc_ftfr_20261120.json"),
        usgs_earthquakes.read(shipped("usgs_2.5_day.json")),
    ]

    async def scenario(service: Service) -> None:
        entities = Entities(service)
        first = [await deliver(entities, ADMIN, reading) for reading in readings]
        assert [given.observations for given in first] == [len(reading.observations) for reading in readings]
        assert all(given.refused == 0 for given in first)
        after_first = await counts(service)
        for again in (entities, Entities(service)):
            for reading in readings:
                assert (await deliver(again, ADMIN, reading)).created == 0
        assert await counts(service) == after_first

    play(scenario)


def test_an_unknown_device_is_restricted_and_unclaimed(play: Play) -> None:
    async def scenario(service: Service) -> None:
        await deliver(Entities(service), DEVICE, uplink())
        for entity_set in ("Things", "Datastreams", "Sensors", "Observations", "FeaturesOfInterest"):
            assert await rows(service, f"/{entity_set}", ANONYMOUS) == [], entity_set
        seen = changed(DEVICE, reads=frozenset({0, UNCLAIMED}))
        (thing,) = await rows(service, "/Things", seen)
        assert thing["properties"]["lakou"] == {"key": "lorawan:70b3d5e75e000001", "claim": "unclaimed"}

    play(scenario)


def changed(principal: Principal, **changes: Any) -> Principal:
    return Principal(**{**{name: getattr(principal, name) for name in principal.__struct_fields__}, **changes})


def test_names_that_a_device_made_up_are_not_public(play: Play) -> None:
    async def scenario(service: Service) -> None:
        await deliver(Entities(service), DEVICE, uplink(object={"secret_field": 1}))
        public = await rows(service, "/ObservedProperties", ANONYMOUS)
        assert all("secret" not in measured["name"] for measured in public)

    play(scenario)


def test_unclaimed_devices_are_limited_over_all_tokens_and_known_ones_go_on(play: Play) -> None:
    other = changed(DEVICE, id=8, name="tts", home=1008)

    async def scenario(service: Service) -> None:
        entities = Entities(service, max_unclaimed=2)
        await deliver(entities, DEVICE, uplink("70b3d5e75e000001"))
        await deliver(entities, other, uplink("70b3d5e75e000002"))
        with pytest.raises(TooManyRequests) as refused:
            await deliver(entities, DEVICE, uplink("70b3d5e75e000003"))
        assert refused.value.error_code == "unclaimed_limit"
        assert (await deliver(entities, DEVICE, uplink("70b3d5e75e000001", time="2026-11-20T12:05:00Z"))).observations
        assert len(await rows(service, "/Things")) == 2

    play(scenario)


def test_an_observation_of_an_unplaced_device_has_a_feature_without_geometry(play: Play) -> None:
    async def scenario(service: Service) -> None:
        await deliver(Entities(service), ADMIN, uplink())
        (feature,) = await rows(service, "/FeaturesOfInterest")
        assert feature["feature"]["geometry"] is None

    play(scenario)


def test_a_device_that_is_placed_later_is_observed_there(play: Play) -> None:
    now = [0.0]

    async def scenario(service: Service) -> None:
        entities = Entities(service, monotonic=lambda: now[0])
        await deliver(entities, ADMIN, uplink())
        (thing,) = await rows(service, "/Things")
        place = {
            "name": "Pont",
            "description": "Pile droite",
            "encodingType": "application/geo+json",
            "location": {"type": "Point", "coordinates": [-60.99, 14.61]},
        }
        await service.call(ADMIN, "POST", f"/Things({thing['@iot.id']})/Locations", json.dumps(place).encode())
        now[0] = 301.0
        await deliver(entities, ADMIN, uplink(time="2026-11-20T13:00:00Z"))
        features = await rows(service, "/FeaturesOfInterest")
        assert [-60.99, 14.61] in [(found["feature"] or {}).get("coordinates") for found in features]

    play(scenario)


def test_a_new_field_becomes_a_datastream_of_the_known_device(play: Play) -> None:
    async def scenario(service: Service) -> None:
        entities = Entities(service)
        await deliver(entities, ADMIN, uplink())
        await deliver(entities, ADMIN, uplink(object={"level": 2, "battery": 80}, time="2026-11-20T12:10:00Z"))
        assert len(await rows(service, "/Things")) == 1
        assert len(await rows(service, "/Datastreams")) == 4

    play(scenario)


@pytest.mark.parametrize("gone", ["Things", "Datastreams"])
def test_what_was_deleted_is_made_again(play: Play, gone: str) -> None:
    async def scenario(service: Service) -> None:
        entities = Entities(service)
        await deliver(entities, ADMIN, uplink())
        for row in await rows(service, f"/{gone}"):
            assert (await service.call(ADMIN, "DELETE", f"/{gone}({row['@iot.id']})")).status == 200
        given = await deliver(entities, ADMIN, uplink(time="2026-11-20T12:10:00Z"))
        assert (given.observations, given.refused) == (3, 0)
        assert len(await rows(service, "/Observations")) == 3

    play(scenario)


def test_a_revised_earthquake_is_one_feature_with_two_values(play: Play) -> None:
    async def scenario(service: Service) -> None:
        entities = Entities(service)
        await deliver(entities, ADMIN, quake(1_795_177_200_000, 4.5))
        await deliver(entities, ADMIN, quake(1_795_178_200_050, 4.7, "us7", ",ex1,us7,"))
        await deliver(Entities(service), ADMIN, quake(1_795_177_200_000, 4.5))
        (feature,) = await rows(service, "/FeaturesOfInterest")
        assert feature["feature"]["coordinates"] == [-61.0, 14.05]
        magnitudes = await rows(service, "/Observations?$filter=Datastream/name eq 'Magnitude'&$orderby=resultTime")
        assert [row["result"] for row in magnitudes] == [4.5, 4.7]
        assert len({row["phenomenonTime"] for row in magnitudes}) == 1

    play(scenario)


def test_two_first_messages_at_once_make_one_thing(play: Play) -> None:
    async def scenario(service: Service) -> None:
        entities = Entities(service)
        times = [f"2026-11-20T12:00:{second:02}Z" for second in range(10)]
        await asyncio.gather(*(deliver(entities, ADMIN, uplink(time=time)) for time in times))
        assert len(await rows(service, "/Things")) == 1
        assert len(await rows(service, "/Observations?$top=1000")) == 30

    play(scenario)


def test_many_rows_go_in_several_requests(play: Play) -> None:
    listed = [
        {
            "slevel": index / 1000,
            "stime": f"2026-11-{1 + index // 1440:02} {index // 60 % 24:02}:{index % 60:02}:00",
            "sensor": "rad",
        }
        for index in range(2500)
    ]

    async def scenario(service: Service) -> None:
        reading = ioc_sealevel.read(json.dumps(listed).encode(), "x?code=ftfr")
        given = await deliver(Entities(service), ADMIN, reading)
        assert given == Delivered(2500, 0, given.created, ())

    play(scenario)


def test_deliveries_add_up() -> None:
    assert Delivered(1, 2, 3, ("a",)) + Delivered(10, 20, 30, ("b",)) == Delivered(11, 22, 33, ("a", "b"))
