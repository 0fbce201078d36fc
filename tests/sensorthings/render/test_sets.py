"""Pages: counts, next links that lead through every entity once, references and data arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sensorthings import bodies
from tests.sensorthings.caller import Caller, Store
from tests.sensorthings.conftest import emptied


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def full(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    """Five stations, the nth with n Observations; the first has one with parameters. Tests only read."""
    if request.param == "sqlite":
        store = Store("sqlite", folder=tmp_path_factory.mktemp("sets"))
    else:
        store = emptied(request.getfixturevalue("postgres_urls")(0))
    caller = store.caller()
    for n in range(5):
        body = bodies.station(f"t {n % 3}", properties=[{}, {"a": n}, {"a": "x"}, {"a": True}, {"a": None}][n])
        caller.make("Things", body)
        for m in range(n):
            when = f"2026-01-0{1 + m % 2}T00:00:00Z"
            caller.make(f"Datastreams({n + 1})/Observations", {"result": m, "phenomenonTime": when})
    lone = {"result": 1, "parameters": {"a": 1}, "phenomenonTime": "2026-03-01T00:00:00Z"}
    caller.make("Datastreams(1)/Observations", lone)
    yield caller
    caller.close()


def walk(caller: Caller, target: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for _ in range(50):
        page = caller.read(target)
        found += page["value"]
        if "@iot.nextLink" not in page:
            return found
        target = page["@iot.nextLink"].removeprefix("http://test/sta/v1.1/")
    raise AssertionError("the next links do not end")


@pytest.mark.parametrize(
    "target",
    [
        "Things?",
        "Things?$orderby=name&",
        "Things?$orderby=name%20desc&",
        "Things?$orderby=properties/a&",
        "Things?$orderby=properties/a%20desc,name&",
        "Observations?",
        "Observations?$orderby=Datastream/Thing/name%20desc&",
        "Observations?$orderby=resultTime,result%20desc&",
        "Datastreams?$orderby=phenomenonTime&",
        "Datastreams?$orderby=phenomenonTime%20desc&",
        "Things?$filter=id%20gt%201&$orderby=length(name)&",
        "Datastreams(5)/Observations?",
        "Observations?$select=distinct:Datastream/id&",
        "Things/$ref?",
        "Observations?$resultFormat=GeoJSON&",
    ],
)
def test_pages_of_any_size_hold_the_same_in_the_same_order(full: Caller, target: str) -> None:
    if "GeoJSON" in target:
        whole = full.read(target + "$top=1000")["features"]
        page = full.read(target + "$top=2")
        assert page["features"] == whole[:2]
        assert "resultFormat=GeoJSON" in page["@iot.nextLink"]
        return
    whole = full.read(target + "$top=1000")["value"]
    assert len(whole) >= 3
    for size in (1, 2):
        assert walk(full, f"{target}$top={size}") == whole


def test_count_is_that_of_the_whole_set_on_each_page(full: Caller) -> None:
    first = full.read("Things?$count=true&$top=2&$filter=id%20gt%201")
    second = full.read(first["@iot.nextLink"].removeprefix("http://test/sta/v1.1/"))
    assert (first["@iot.count"], second["@iot.count"]) == (4, 4)
    assert next(iter(first)) == "@iot.count"


def test_no_next_link_at_the_end_and_none_without_rows(full: Caller) -> None:
    assert "@iot.nextLink" not in full.read("Things?$top=5")
    assert full.read("Things?$top=0") == {"value": []}
    assert full.read("Things?$skip=99") == {"value": []}


def test_a_data_array_is_grouped_by_datastream(full: Caller) -> None:
    found = full.read("Observations?$resultFormat=dataArray&$select=result,id")["value"]
    assert [g["Datastream@iot.navigationLink"].rpartition("/")[2] for g in found] == [
        "Datastreams(2)", "Datastreams(3)", "Datastreams(4)", "Datastreams(5)", "Datastreams(1)",
    ]  # fmt: skip
    assert all(g["components"] == ["result", "id"] for g in found)
    assert [g["dataArray@iot.count"] for g in found] == [len(g["dataArray"]) for g in found] == [1, 2, 3, 4, 1]


def test_components_are_the_usual_ones_and_those_that_hold_something(full: Caller) -> None:
    usual = ["id", "phenomenonTime", "result", "resultTime"]
    assert full.read("Datastreams(2)/Observations?$resultFormat=dataArray")["value"][0]["components"] == usual
    found = full.read("Datastreams(1)/Observations?$resultFormat=dataArray")["value"][0]
    assert found["components"] == [*usual, "parameters"]
    assert found["dataArray"][0][-1] == {"a": 1}


def test_a_data_array_without_a_property_still_has_its_rows(full: Caller) -> None:
    found = full.read("Datastreams(3)/Observations?$resultFormat=dataArray&$select=Datastream")["value"]
    assert (found[0]["components"], found[0]["dataArray"]) == ([], [[], []])


def test_an_entity_without_a_member_is_an_empty_object(full: Caller) -> None:
    assert full.read("Things?$select=Datastreams&$resultMetadata=off&$top=2")["value"] == [{}, {}]
