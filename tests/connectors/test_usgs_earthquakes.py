"""USGS earthquakes: values, revisions, changed ids, deleted events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from lakou.connectors import usgs_earthquakes
from lakou.connectors.reading import Reading
from lakou.kernel.errors import BadRequest

Sample = Callable[[str], bytes]


def event(event_id: str = "ex1", position: Any = (-61.0, 14.5, 30.0), **properties: Any) -> dict[str, Any]:
    return {
        "type": "Feature",
        "id": event_id,
        "properties": {
            "mag": 4.5,
            "time": 1_795_176_000_123,
            "updated": 1_795_177_200_000,
            "status": "automatic",
            "ids": f",{event_id},",
            **properties,
        },
        "geometry": {"type": "Point", "coordinates": list(position)},
    }


def read(*events: Any, **options: Any) -> Reading:
    return usgs_earthquakes.read(json.dumps({"features": events}).encode(), "", options)


def values(reading: Reading) -> dict[str, Any]:
    return {observation.datastream: observation.result for observation in reading.observations}


def test_recorded_week(recorded: Sample) -> None:
    reading = usgs_earthquakes.read(recorded("usgs/all_week_caribbean_trimmed.geojson"))
    assert len(reading.features) == 67
    magnitudes = [o for o in reading.observations if o.datastream == "usgs:magnitude"]
    assert len(magnitudes) == 67
    assert magnitudes[0].result == 2.71
    assert magnitudes[0].phenomenon_time == 1_517_940_911_000_000
    assert magnitudes[0].result_time == 1_517_948_783_040_000
    assert magnitudes[0].feature_of_interest == "usgs:pr2018037009"
    assert reading.features[0].aliases == ("usgs:us1000chl6",)
    assert reading.features[0].feature == {"type": "Point", "coordinates": [-68.4818, 18.171]}


def test_an_event_gives_magnitude_depth_felt_and_status() -> None:
    assert values(read(event(felt=3))) == {
        "usgs:status": "automatic",
        "usgs:magnitude": 4.5,
        "usgs:felt": 3,
        "usgs:depth": 30.0,
    }


def test_unknown_values_are_gaps_and_not_zeros() -> None:
    assert values(read(event(position=(-61, 14.5), mag=None, felt=None))) == {"usgs:status": "automatic"}


def test_a_revision_is_another_observation_of_the_same_feature() -> None:
    first = read(event())
    second = read(event(mag=4.7, updated=1_795_178_000_000))
    assert first.features[0].key == second.features[0].key
    assert (first.features[0].version or 0) < (second.features[0].version or 0)
    assert not any(observation in first.observations for observation in second.observations)


def test_the_same_state_gives_the_same_observations_in_any_window() -> None:
    alone = read(event())
    among = read(event("ex0"), event(), event("ex2"))
    assert all(observation in among.observations for observation in alone.observations)


def test_a_changed_preferred_id_is_the_same_event_by_its_aliases() -> None:
    later = read(event("us7", ids=",ex1,us7,"))
    assert later.features[0].key == "usgs:us7"
    assert later.features[0].aliases == ("usgs:ex1",)


def test_a_deleted_event_says_so_and_has_no_magnitude(shipped: Sample) -> None:
    reading = usgs_earthquakes.read(shipped("usgs_2.5_day.json"))
    deleted = [o for o in reading.observations if o.feature_of_interest == "usgs:ex20260003"]
    assert [(o.datastream, o.result) for o in deleted] == [("usgs:status", "deleted")]


def test_tsunami_flag_is_kept_as_a_parameter_and_never_as_a_result() -> None:
    reading = read(event(tsunami=1))
    assert all((o.parameters or {})["tsunami"] == 1 for o in reading.observations)


def test_a_box_keeps_what_is_inside() -> None:
    reading = read(event("in"), event("out", position=(10.0, 50.0)), bbox=[-70, 8, -55, 22])
    assert [feature.key for feature in reading.features] == ["usgs:in"]


def test_a_box_may_cross_the_180th_meridian() -> None:
    reading = read(
        event("a", position=(179.0, 0)), event("b", position=(-179.0, 0)), event("c"), bbox=[170, -10, -170, 10]
    )
    assert [feature.key for feature in reading.features] == ["usgs:a", "usgs:b"]


@pytest.mark.parametrize(
    "broken",
    [
        None,
        {},
        event(event_id="no spaces'"),
        event(time=None),
        event(time=10**18),
        event(position=(500, 0)),
        event(position=("a", "b")),
        {**event(), "geometry": None},
    ],
)
def test_a_broken_event_is_left_out_and_the_others_stay(broken: Any) -> None:
    reading = read(broken, event("good"))
    assert [feature.key for feature in reading.features] == ["usgs:good"]
    assert "left out" in reading.notes[0]


def test_an_empty_feed_makes_nothing() -> None:
    assert read() == Reading()


@pytest.mark.parametrize("data", [b"[]", b"{}", b"<html>", b"", b'{"features": 5}'])
def test_another_form_is_refused(data: bytes) -> None:
    with pytest.raises(BadRequest):
        usgs_earthquakes.read(data)


def test_one_detail_feature_is_read_too() -> None:
    assert len(usgs_earthquakes.read(json.dumps(event()).encode()).features) == 1


@pytest.mark.parametrize("feed", ["../x", "2.5", "9.9_day", "2.5_year", ""])
def test_fetch_refuses_an_unknown_feed(feed: str) -> None:
    async def get(url: str) -> bytes:
        raise AssertionError(url)

    with pytest.raises(BadRequest):
        asyncio.run(usgs_earthquakes.fetch(get, {"feed": feed}))


def test_fetch_asks_for_the_configured_feed() -> None:
    async def get(url: str) -> bytes:
        return url.encode()

    fetched = asyncio.run(usgs_earthquakes.fetch(get, {"feed": "all_hour"}))
    assert fetched[0][0].endswith("/summary/all_hour.geojson")
