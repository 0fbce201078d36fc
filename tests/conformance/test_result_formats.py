"""CSV and GeoJSON results, and how much control information an answer has (FROST's extensions)."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from tests.conformance.conftest import World
from tests.conformance.model import ALL_TYPES, TYPES, EntityType
from tests.conformance.requirements import requirement
from tests.harness import make
from tests.harness.client import COUNT, ID, NEXT, SELF, Api, Entity, describe, key, ref, refused


def _rows(api: Api, path: str, **options: object) -> list[dict[str, str]]:
    response = api.get(path, resultFormat="CSV", **options)  # type: ignore[arg-type]
    assert response.status_code == 200, describe(response)
    assert response.headers["Content-Type"].startswith("text/csv")
    return list(csv.DictReader(io.StringIO(response.content.decode())))


@requirement("extension/csv")
@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.name)
def test_csv_has_one_line_an_entity_and_no_links(anon: Api, world: World, kind: EntityType) -> None:
    rows = _rows(anon, kind.set_name, top=3)
    assert 1 <= len(rows) <= 3
    assert not any("navigationLink" in name for name in rows[0])
    plain = set(kind.mandatory) - {"unitOfMeasurement"}
    assert plain <= set(rows[0]), rows[0]


@requirement("extension/csv")
def test_csv_of_one_entity(anon: Api, world: World) -> None:
    (row,) = _rows(anon, world.path("Things"))
    assert row["name"] == world["Things"]["name"]
    assert json.loads(row["properties"]) == world["Things"]["properties"]


@requirement("extension/csv")
def test_csv_splits_the_unit_of_measurement(anon: Api, world: World) -> None:
    (row,) = _rows(anon, world.path("Datastreams"), select="id,name,unitOfMeasurement")
    assert row["unitOfMeasurement/symbol"] == "°C"
    assert row["unitOfMeasurement/name"] == "degree Celsius"
    assert row["unitOfMeasurement/definition"] == make.CELSIUS["definition"]


@requirement("extension/csv")
def test_csv_select_gives_the_columns(anon: Api, world: World) -> None:
    rows = _rows(anon, f"{world.path('Datastreams')}/Observations", select="result,phenomenonTime")
    assert [list(row) for row in rows] == [["result", "phenomenonTime"]] * 3
    assert [row["result"] for row in rows] == ["0.5", "1.5", "2.5"]


@requirement("extension/csv")
def test_csv_expand_to_one_adds_columns(anon: Api, world: World) -> None:
    rows = _rows(
        anon,
        f"{world.path('Datastreams')}/Observations",
        select="result",
        expand="Datastream($select=name;$expand=Thing($select=name))",
    )
    assert {row["Datastream/name"] for row in rows} == {world["Datastreams"]["name"]}
    assert {row["Datastream/Thing/name"] for row in rows} == {world["Things"]["name"]}


@requirement("extension/csv")
@pytest.mark.parametrize("expand", ["Datastreams", "Datastreams($top=2)", "Locations,Datastreams($top=1)"])
def test_csv_refuses_an_expand_to_many(anon: Api, world: World, expand: str) -> None:
    """Unless $top=1 makes it one."""
    refused(anon.get(world.path("Things"), resultFormat="CSV", expand=expand), 400)


@requirement("extension/csv")
def test_csv_takes_an_expand_to_many_of_one(anon: Api, world: World) -> None:
    rows = _rows(anon, world.path("Things"), select="name", expand="Datastreams($top=1;$select=name)")
    assert len(rows) == 1
    assert any("Datastreams" in name and name.endswith("name") for name in rows[0])


@requirement("extension/csv")
@pytest.mark.parametrize("text", ['a"b', "a,b", "a\nb", "a\r\nb", "é 空", "", "plain", " padded "])
def test_csv_quotes_as_rfc_4180(api: Api, text: str) -> None:
    thing = api.create("Things", make.thing(description=text))
    (row,) = _rows(api, f"Things({key(thing)})", select="description,name")
    assert row["description"].replace("\r\n", "\n") == text.replace("\r\n", "\n")


@requirement("extension/csv")
@pytest.mark.parametrize("text", ["=1+1", "+1x", "-1+x", "@x", "=cmd|' /C calc'!A0"])
def test_csv_gives_a_spreadsheet_no_formula(api: Api, text: str) -> None:
    """A text that a spreadsheet would run is disarmed by a leading quote (OWASP CSV injection; domain/trust.md R13)."""
    thing = api.create("Things", make.thing(description=text))
    (row,) = _rows(api, f"Things({key(thing)})", select="description,name")
    assert row["description"] == f"'{text}"


@requirement("extension/csv")
def test_csv_keeps_numbers_as_numbers(api: Api) -> None:
    thing = api.create("Things", make.station())
    stream = api.value(f"Things({key(thing)})/Datastreams")[0]
    path = f"Datastreams({key(stream)})/Observations"
    api.create(path, make.observation(-1.5))
    assert _rows(api, path, select="result,phenomenonTime")[0]["result"] == "-1.5"


@requirement("extension/csv")
def test_csv_of_an_empty_list_has_at_most_a_header(anon: Api) -> None:
    assert _rows(anon, "Things", filter="name eq 'nothing at all'") == []


@requirement("extension/csv")
def test_csv_filters_orders_and_pages(anon: Api, world: World) -> None:
    path = f"{world.path('Datastreams')}/Observations"
    rows = _rows(anon, path, filter="result gt 1", orderby="result desc", top=1, select="result,id")
    assert [row["result"] for row in rows] == ["2.5"]


@requirement("extension/csv", "extension/geojson")
@pytest.mark.parametrize("form", ["csv", "CSV", "Csv", "geojson", "GeoJSON", "GEOJSON"])
def test_names_of_formats_in_any_case(anon: Api, world: World, form: str) -> None:
    assert anon.get(world.path("Locations"), resultFormat=form).status_code == 200


def _features(api: Api, path: str, **options: object) -> list[Entity]:
    response = api.get(path, resultFormat="GeoJSON", **options)  # type: ignore[arg-type]
    assert response.status_code == 200, describe(response)
    found = response.json()
    assert found["type"] == "FeatureCollection"
    assert all(feature["type"] == "Feature" for feature in found["features"])
    features: list[Entity] = found["features"]
    return features


@requirement("extension/geojson")
def test_geojson_of_a_location(anon: Api, world: World) -> None:
    (feature,) = _features(anon, world.path("Locations"))
    assert feature["geometry"] == {"type": "Point", "coordinates": [-61.0, 14.6]}
    assert feature["properties"]["name"] == world["Locations"]["name"]
    assert feature["properties"]["properties/owner"] == "Lézarde"
    assert world["Locations"][ID] in (feature["properties"].get("id"), feature["properties"].get(ID))


@requirement("extension/geojson")
def test_geojson_of_a_list(anon: Api, world: World) -> None:
    features = _features(anon, f"{world.path('Things')}/Locations")
    assert len(features) == 1


@requirement("extension/geojson")
def test_geojson_takes_the_geometry_of_an_expand_and_flattens(anon: Api, world: World) -> None:
    (feature,) = _features(
        anon,
        world.path("Things"),
        select="name,properties",
        expand="Locations($select=location,name),Datastreams($select=name;$top=1)",
    )
    assert feature["geometry"]["coordinates"] == [-61.0, 14.6]
    assert feature["properties"]["properties/level"] == 3
    assert feature["properties"]["Locations/0/name"] == world["Locations"]["name"]
    assert feature["properties"]["Datastreams/0/name"] == world["Datastreams"]["name"]


@requirement("extension/geojson")
def test_geojson_of_observations_with_their_feature(anon: Api, world: World) -> None:
    features = _features(
        anon,
        f"{world.path('Datastreams')}/Observations",
        select="result",
        expand="FeatureOfInterest($select=feature),Datastream($select=unitOfMeasurement)",
    )
    assert [feature["properties"]["result"] for feature in features] == [0.5, 1.5, 2.5]
    assert all(feature["geometry"]["type"] == "Point" for feature in features)
    assert features[0]["properties"]["Datastream/unitOfMeasurement/symbol"] == "°C"


@requirement("extension/geojson")
def test_geojson_without_a_geometry_is_null(anon: Api, world: World) -> None:
    """RFC 7946 §3.2: an unlocated Feature has the value null."""
    (feature,) = _features(anon, world.path("Sensors"), select="name")
    assert feature["geometry"] is None


@requirement("extension/geojson")
def test_geojson_of_nothing_is_an_empty_collection(anon: Api) -> None:
    assert _features(anon, "Locations", filter="name eq 'nothing at all'") == []


LINKS = ("@iot.selfLink", "navigationLink")


def _has_links(value: Any) -> bool:
    if isinstance(value, dict):
        return any(name.endswith(LINKS) or _has_links(inner) for name, inner in value.items())
    return isinstance(value, list) and any(map(_has_links, value))


@requirement("extension/response-metadata")
@pytest.mark.parametrize(
    ("amount", "links", "more"),
    [("full", True, True), ("minimal", False, True), ("off", False, False), ("none", False, None)],
)
@pytest.mark.parametrize("kind", ALL_TYPES, ids=lambda kind: kind.name)
def test_amount_of_control_information(
    anon: Api, world: World, kind: EntityType, amount: str, links: bool, more: bool | None
) -> None:
    """`none` is OData's word for off; FROST refuses it, both are fine. The count stays when asked for."""
    response = anon.get(kind.set_name, resultMetadata=amount, top=1, count=True)
    if amount == "none" and response.status_code == 400:
        return
    page = response.json()
    assert COUNT in page
    assert _has_links(page["value"]) is links
    if more is not None and page[COUNT] > 1:
        assert (NEXT in page) is more
        if more:
            assert "resultMetadata" in page[NEXT]


@requirement("extension/response-metadata")
def test_metadata_of_one_entity_and_its_expands(anon: Api, world: World) -> None:
    answer = anon.read(world.path("Things"), resultMetadata="minimal", expand="Datastreams/Observations($top=1)")
    assert not _has_links(answer)
    assert "Observations@iot.nextLink" in answer["Datastreams"][0]
    answer = anon.read(world.path("Things"), resultMetadata="off", expand="Datastreams/Observations($top=1)")
    assert "nextLink" not in json.dumps(answer)


@requirement("extension/response-metadata")
def test_metadata_of_a_creation(api: Api) -> None:
    full = api.post("Things", make.thing(), resultMetadata="full")
    assert (full.status_code, "Location" in full.headers) == (201, True)
    for amount in ("minimal", "off"):
        response = api.post("Things", make.thing(), resultMetadata=amount)
        assert (response.status_code, "Location" in response.headers) == (201, False), amount
        assert SELF not in response.text


@requirement("extension/response-metadata")
def test_metadata_of_created_observations(api: Api) -> None:
    made = api.create("Things", make.station())
    stream = api.value(f"Things({key(made)})/Datastreams")[0]
    response = api.post(
        "CreateObservations",
        [{"Datastream": ref(stream), "components": ["result"], "dataArray": [[1], [2]]}],
        resultMetadata="off",
    )
    assert response.status_code == 201, describe(response)
    assert "http" not in response.text
    assert len(api.value(f"Datastreams({key(stream)})/Observations")) == 2


@requirement("extension/response-metadata", "request-data/query-status-code")
@pytest.mark.parametrize("amount", ["some", "", "1"])
def test_unknown_amount_is_refused(anon: Api, amount: str) -> None:
    refused(anon.get("Things", resultMetadata=amount), 400)
