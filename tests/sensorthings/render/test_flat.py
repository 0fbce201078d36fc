"""CSV and GeoJSON: every entity flat, nothing that a spreadsheet would run, the nearest geometry."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator

import pytest

from tests.sensorthings import bodies
from tests.sensorthings.caller import Caller, Store, body_of
from tests.sensorthings.conftest import emptied


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def full(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    """One station with five Observations. Tests only read."""
    if request.param == "sqlite":
        store = Store("sqlite", folder=tmp_path_factory.mktemp("flat"))
    else:
        store = emptied(request.getfixturevalue("postgres_urls")(0))
    caller = store.caller()
    properties = {"a": [1, {"b": None}], "é": 'x,"y"\nz'}
    caller.make("Things", bodies.station("=1+1", properties=properties))
    for result in (1.5, "a;b", True, None, {"k": [1]}):
        caller.make("Datastreams(1)/Observations", {"result": result})
    yield caller
    caller.close()


@pytest.fixture
def rows(full: Caller) -> Callable[[str], list[list[str]]]:
    def read(target: str) -> list[list[str]]:
        answer = full.call("GET", target)
        assert answer.status == 200, answer.body
        assert (answer.header(b"content-type") or "").startswith("text/csv")
        return list(csv.reader(io.StringIO(answer.body.decode(), newline="")))

    return read


def test_a_table_has_names_and_cells(rows: Callable[[str], list[list[str]]]) -> None:
    names, *lines = rows("Observations?$resultFormat=CSV&$select=id,result")
    assert names == ["id", "result"]
    assert [line[1] for line in lines] == ["1.5", "a;b", "true", "", '{"k":[1]}']


def test_formulas_are_defused(rows: Callable[[str], list[list[str]]]) -> None:
    assert rows("Things?$resultFormat=CSV&$select=name")[1] == ["'=1+1"]


def test_texts_with_quotes_and_line_ends_come_back(rows: Callable[[str], list[list[str]]]) -> None:
    assert rows("Things?$resultFormat=CSV&$select=properties/%C3%A9")[1] == ['x,"y"\nz']


def test_units_and_expands_become_columns(rows: Callable[[str], list[list[str]]]) -> None:
    names, line = rows("Datastreams?$resultFormat=CSV&$select=unitOfMeasurement&$expand=Thing($select=name)")
    assert names == [
        "unitOfMeasurement/name", "unitOfMeasurement/symbol", "unitOfMeasurement/definition", "Thing/name",
    ]  # fmt: skip
    assert line == ["metre", "m", "http://example.org/m", "'=1+1"]


def test_a_set_in_a_table_needs_top_one(full: Caller, rows: Callable[[str], list[list[str]]]) -> None:
    refused = full.call("GET", "Things?$resultFormat=CSV&$expand=Datastreams")
    assert (refused.status, body_of(refused)["code"]) == (400, "result_format")
    assert rows("Things?$resultFormat=CSV&$select=id&$expand=Datastreams($top=1;$select=name)")[1][-1] == "stream"


@pytest.mark.parametrize(
    ("target", "geometry"),
    [
        ("Locations", bodies.point()),
        ("Things?$expand=Locations", bodies.point()),
        ("Things", None),
        ("Observations?$expand=FeatureOfInterest", bodies.point()),
        ("Observations?$expand=Datastream($select=name;$expand=Thing($expand=Locations))", bodies.point()),
    ],
)
def test_the_first_geometry_on_the_way_is_taken(full: Caller, target: str, geometry: object) -> None:
    sign = "&" if "?" in target else "?"
    answer = full.call("GET", f"{target}{sign}$resultFormat=GeoJSON")
    assert answer.header(b"content-type") == "application/geo+json"
    found = body_of(answer)
    assert found["type"] == "FeatureCollection"
    assert all(f["type"] == "Feature" and f["geometry"] == geometry for f in found["features"])


def test_properties_are_flat(full: Caller) -> None:
    (feature,) = full.read("Things?$resultFormat=GeoJSON&$expand=Datastreams($select=name)")["features"]
    found = feature["properties"]
    assert found["properties/a/0"] == 1
    assert found["properties/a/1/b"] is None
    assert found["Datastreams/0/name"] == "stream"
    assert not any(isinstance(v, dict | list) for v in found.values())
