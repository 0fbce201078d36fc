"""IOC sea level: JSON and HTML, errors with status 200, repeated stamps, several sensors."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from lakou.connectors import ioc_sealevel
from lakou.connectors.reading import Reading
from lakou.kernel.errors import BadRequest, LakouError, Unavailable
from lakou.kernel.time import parse_instant

Sample = Callable[[str], bytes]
URL = "https://www.ioc-sealevelmonitoring.org/service.php?query=data&code=ftfr"


def row(level: Any, stime: str = "2026-11-20 12:00:00 ", sensor: str = "rad") -> dict[str, Any]:
    return {"slevel": level, "stime": stime, "sensor": sensor}


def read(*rows: Any) -> Reading:
    return ioc_sealevel.read(json.dumps(rows).encode(), URL)


def test_recorded_html_and_json_of_one_window_say_the_same(recorded: Sample) -> None:
    name = "bgraph_vera_20220831.html"
    page = ioc_sealevel.read(recorded(f"ioc_sealevel/{name}"), name)
    name = "service_query_data_vera_20220831.json"
    listed = ioc_sealevel.read(recorded(f"ioc_sealevel/{name}"), name)
    assert page.observations == listed.observations
    assert len(page.observations) == 210
    assert page.observations[0].phenomenon_time == parse_instant("2022-08-31T21:36:45Z")
    assert page.observations[0].result == 1.67
    assert page.things[0].name == "Tide gauge at Veracruz, Ver."
    assert page.things[0].datastreams[0].unit.symbol == "m"


def test_each_sensor_is_a_datastream_with_its_own_unit(shipped: Sample) -> None:
    reading = ioc_sealevel.read(shipped("ioc_ftfr_20261120.json"), "ioc_ftfr_20261120.json")
    units = {stream.key: stream.unit.symbol for stream in reading.things[0].datastreams}
    assert units == {"ioc:ftfr:rad": "m", "ioc:ftfr:prs": "m", "ioc:ftfr:bat": "V"}


def test_an_empty_cell_of_the_page_is_a_gap(shipped: Sample) -> None:
    reading = ioc_sealevel.read(shipped("ioc_ftfr_20261120.html"), "ioc_ftfr_20261120.html")
    assert [(o.datastream, o.result) for o in reading.observations] == [
        ("ioc:ftfr:rad", 0.414),
        ("ioc:ftfr:rad", 0.417),
        ("ioc:ftfr:bat", 12.6),
    ]


def test_a_repeated_row_is_one_observation_and_two_values_at_one_time_are_both_kept() -> None:
    reading = read(row(1.0), row(1.0), row(1.2), row(1.0, sensor="prs"))
    assert [(o.datastream, o.result) for o in reading.observations] == [
        ("ioc:ftfr:rad", 1.0),
        ("ioc:ftfr:rad", 1.2),
        ("ioc:ftfr:prs", 1.0),
    ]
    assert "repeat" in reading.notes[0]


def test_an_unknown_sensor_has_an_unknown_unit() -> None:
    assert read(row(3, sensor="xyz")).things[0].datastreams[0].unit.symbol is None


def test_no_level_is_silence_and_makes_nothing() -> None:
    reading = read()
    assert reading.observations == ()
    assert reading.things == ()
    assert "no level" in reading.notes[0]


@pytest.mark.parametrize("bad", [row(None), row("1.2"), row(1, stime="soon"), row(1, sensor=""), 5, row(True)])
def test_a_broken_row_is_left_out_and_the_others_stay(bad: Any) -> None:
    reading = read(bad, row(2.0))
    assert [o.result for o in reading.observations] == [2.0]
    assert "left out" in reading.notes[0]


@pytest.mark.parametrize("message", ["code 'xxxx' not found", "Incorrect code"])
def test_an_error_with_status_200_is_an_error(message: str) -> None:
    with pytest.raises(BadRequest) as refused:
        read({"error": message})
    assert refused.value.error_code == "source_error"
    assert message in refused.value.message


@pytest.mark.parametrize("data", [b"{}", b"", b"<html></html>", b"<p>maintenance</p>", b'"x"'])
def test_another_form_is_refused(data: bytes) -> None:
    with pytest.raises(BadRequest):
        ioc_sealevel.read(data, URL)


def test_a_document_of_an_unknown_station_is_refused_with_a_hint() -> None:
    with pytest.raises(BadRequest) as refused:
        ioc_sealevel.read(b"[]", "levels.json")
    assert "CODE" in (refused.value.hint or "")


def test_a_configured_position_places_the_station() -> None:
    options = {"stations": [{"code": "ftfr", "name": "Fort-de-France", "longitude": -61.06, "latitude": 14.6}]}
    thing = ioc_sealevel.read(json.dumps([row(1)]).encode(), URL, options).things[0]
    assert thing.name == "Fort-de-France"
    assert thing.location is not None
    assert thing.location.geometry == {"type": "Point", "coordinates": [-61.06, 14.6]}


def test_fetch_asks_for_each_station_and_keeps_the_error_of_one() -> None:
    async def get(url: str) -> bytes:
        if "code=lero" in url:
            raise Unavailable("down")
        return b"[]"

    fetched = asyncio.run(ioc_sealevel.fetch(get, {"stations": ["ftfr", "lero"]}))
    assert "code=ftfr" in fetched[0][0]
    assert "timestart=20" in fetched[0][0]
    assert fetched[0][1] == b"[]"
    assert isinstance(fetched[1][1], LakouError)


@pytest.mark.parametrize(
    "options", [{}, {"stations": "ftfr"}, {"stations": ["../x"]}, {"stations": ["ab"], "window_h": 0}]
)
def test_fetch_refuses_a_wrong_setting(options: dict[str, Any]) -> None:
    async def get(url: str) -> bytes:
        raise AssertionError(url)

    with pytest.raises(BadRequest):
        asyncio.run(ioc_sealevel.fetch(get, options))
