"""Rows of a plan to JSON values: control information, null members, own links, expands, distinct values."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from lakou.sensorthings.grammar.options import parse_query_string
from lakou.sensorthings.grammar.path import parse_path
from lakou.sensorthings.limits import Limits
from lakou.sensorthings.model import ResultType
from lakou.sensorthings.plan.read import Asker, plan_read
from lakou.sensorthings.plan.target import resolve
from lakou.sensorthings.plan.values import ReadPlan
from lakou.sensorthings.render import columns, entities
from lakou.sensorthings.render.entities import Style

BASE = "http://x/v1.1"
TIME = 1_767_225_600_000_000


def plan(url: str) -> ReadPlan:
    path, _, query = url.partition("?")
    options = parse_query_string(quote(query, safe="=&$;()"))
    return plan_read(resolve(parse_path(path)), options, Asker(Limits(), 0, ""))


def shown(url: str, row: list[Any], metadata: str = "full") -> Any:
    entity = entities.renderer(plan(url), Style(BASE, metadata))([row])[0]
    return msgspec.json.decode(msgspec.json.encode(entity))


def test_a_thing_with_all_control_information() -> None:
    found = shown("Things", [1, "a", "b", None, 1])
    assert found == {
        "@iot.selfLink": f"{BASE}/Things(1)",
        "@iot.id": 1,
        "name": "a",
        "description": "b",
        **{
            f"{name}@iot.navigationLink": f"{BASE}/Things(1)/{name}"
            for name in ("Locations", "HistoricalLocations", "Datastreams", "MultiDatastreams")
        },
    }


@pytest.mark.parametrize("metadata", ["minimal", "off"])
def test_less_control_information(metadata: str) -> None:
    assert set(shown("Things", [1, "a", "b", None, 1], metadata)) == {"@iot.id", "name", "description"}


def test_select_hides_the_rest_and_shows_nulls() -> None:
    assert shown("Things?$select=name,properties", [1, "a", None, 1]) == {"name": "a", "properties": None}
    assert shown("Things?$select=id,Datastreams", [1, 1]) == {
        "@iot.id": 1,
        "Datastreams@iot.navigationLink": f"{BASE}/Things(1)/Datastreams",
    }


def test_deep_select_keeps_the_nesting() -> None:
    row = [1, '{"a":{"b":1,"c":2},"d":[5,6]}', 1]
    assert shown("Things?$select=properties/a/b,properties/d[1]", row)["properties"]["a"] == {"b": 1}


@pytest.mark.parametrize(
    ("stored", "value"),
    [
        ((ResultType.NULL, None, None, None, None), None),
        ((ResultType.INTEGER, 3.0, None, None, None), 3),
        ((ResultType.INTEGER, 2.0**53, None, None, str(2**53 + 1)), 2**53 + 1),
        ((ResultType.FLOAT, 3.0, None, None, None), 3.0),
        ((ResultType.TEXT, None, None, "3", None), "3"),
        ((ResultType.BOOLEAN, None, 1, None, None), True),
        ((ResultType.JSON, None, None, None, "[1]"), [1]),
    ],
)
def test_results_keep_their_type(stored: tuple[Any, ...], value: Any) -> None:
    found = columns.plain(columns.result(*stored))
    assert (found, type(found)) == (value, type(value))


def test_an_observation_shows_its_nulls_and_its_stream() -> None:
    row = [7, TIME, None, 1, 4.0, None, None, None, None, None, None, None, None, 0, TIME, 7]
    found = shown("Observations", row)
    assert found["phenomenonTime"] == "2026-01-01T00:00:00Z"
    assert (found["result"], found["resultTime"]) == (4, None)
    assert not {"resultQuality", "validTime", "parameters", "MultiDatastream@iot.navigationLink"} & set(found)
    assert found["Datastream@iot.navigationLink"].endswith("/Observations(7)/Datastream")
    row[2], row[13] = TIME + 3_600_000_000, 1
    found = shown("Observations", row)
    assert found["phenomenonTime"] == "2026-01-01T00:00:00Z/2026-01-01T01:00:00Z"
    assert "Datastream@iot.navigationLink" not in found


def test_area_of_a_box_and_of_nothing() -> None:
    ring = columns.area("[1,2,3,4]")["coordinates"][0]  # type: ignore[index]
    assert ring[0] == ring[-1] == [1, 2]
    assert len(ring) == 5
    assert columns.area(None) is None
    assert columns.area([None] * 4) is None


def test_an_expanded_set_has_count_and_next_link() -> None:
    url = "Things?$select=id&$expand=Datastreams($select=name;$top=1;$count=true;$filter=name ne 'é+')"
    inner = [[5, "x"], [6, "y"]]
    found = shown(url, [1, msgspec.json.encode(inner).decode(), 2, 1])
    assert found["Datastreams"] == [{"name": "x"}]
    assert found["Datastreams@iot.count"] == 2
    link = found["Datastreams@iot.nextLink"]
    assert link.startswith(f"{BASE}/Things(1)/Datastreams?")
    assert "$skip=1" in link
    assert "%C3%A9%2B" in link
    assert "Datastreams@iot.nextLink" not in shown(url, [1, '[[5,"x"]]', 1, 1])
    assert shown(url, [1, None, 0, 1])["Datastreams"] == []


def test_an_expanded_entity_may_be_missing() -> None:
    row = [7, 1, 4.0, None, None, None, None, None, TIME, 7]
    assert shown("Observations?$select=result&$expand=FeatureOfInterest", row)["FeatureOfInterest"] is None
    assert "Datastream" not in shown("Observations?$select=result&$expand=Datastream", row)


def test_own_links_get_their_navigation_links() -> None:
    properties = '{"near.Thing@iot.id":4,"x":[{"b.Sensor@iot.id":5}],"odd@iot.id":1,"no.Thing@iot.id":"x"}'
    found = shown("Things", [1, "a", "b", properties, 1])["properties"]
    assert found["near.Thing@iot.navigationLink"] == f"{BASE}/Things(4)"
    assert found["x"][0]["b.Sensor@iot.navigationLink"] == f"{BASE}/Sensors(5)"
    assert len(found) == 5


def test_an_expanded_own_link_stands_beside_its_id() -> None:
    row = [1, "a", "b", '{"near.Thing@iot.id":4}', '[4,"c","d",null]', 1]
    found = shown("Things?$expand=properties/near.Thing($select=name)", [*row[:4], '[4,"c"]', 1])
    assert found["properties"]["near.Thing"] == {"name": "c"}
    assert shown("Things?$expand=properties/near.Thing", [*row[:4], None, 1])["properties"] == {
        "near.Thing@iot.id": 4,
        "near.Thing@iot.navigationLink": f"{BASE}/Things(4)",
    }


def test_distinct_values_keep_their_nesting() -> None:
    found = shown("Datastreams?$select=distinct:Thing/name,unitOfMeasurement/symbol", ["a", '"m"'])
    assert found == {"Thing": {"name": "a"}, "unitOfMeasurement": {"symbol": "m"}}
    assert shown("Datastreams?$select=distinct:Thing/name,unitOfMeasurement/symbol", [None, None]) == {}


def test_a_query_is_encoded_where_it_could_be_misread() -> None:
    assert entities.query([("$filter", "a eq 'x&y=#+é'")]) == "$filter=a%20eq%20'x%26y%3D%23%2B%C3%A9'"
