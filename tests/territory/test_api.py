"""The API gives places and layers to anybody, paged by key, in three forms; on each database."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from django.test import Client

from tests.territory.conftest import NOW

pytestmark = pytest.mark.usefixtures("civic_rows")


def place(name: str, **more: Any) -> int:
    from lakou.territory.models import Place

    values = {
        "kind": "mediation",
        "source": "test",
        "source_id": name,
        "updated": NOW,
        "longitude": -61.0,
        "latitude": 14.6,
    }
    return int(Place.objects.create(name=name, **{**values, **more}).pk)


def get(address: str, status: int = 200, **headers: str) -> Any:
    answer = Client().get(address, headers=headers)
    assert answer.status_code == status, answer.content
    assert answer["Access-Control-Allow-Origin"] == "*"
    return answer


def names(address: str) -> list[str]:
    return [one["name"] for one in get(address).json()["value"]]


def test_a_place_says_what_is_known_and_null_for_the_rest() -> None:
    key = place("Espace", longitude=None, latitude=None, contacts={"phone": "+596596500000"})
    (found,) = get("/api/places").json()["value"]
    assert found == get(f"/api/places/{key}").json()
    assert (found["longitude"], found["capacity"], found["commune"]) == (None, None, None)
    assert found["contacts"] == {"phone": "+596596500000"}
    assert "raw" not in found


def test_places_are_filtered_by_kind_commune_and_bounds() -> None:
    place("a", commune="97213")
    place("b", kind="shelter", commune="97213")
    place("c", longitude=-61.2, latitude=14.8)
    place("d", longitude=None, latitude=None)
    assert names("/api/places?kind=shelter") == ["b"]
    assert names("/api/places?commune=97213&kind=mediation") == ["a"]
    assert names("/api/places?bbox=-61.3,14.7,-61.1,14.9") == ["c"]
    assert names("/api/places?bbox=-180,-90,180,90") == ["a", "b", "c"]


def test_pages_go_on_by_key_and_every_place_comes_once() -> None:
    for number in range(7):
        place(f"n{number}", kind="mediation" if number % 2 else "shelter")
    address, seen = "/api/places?kind=shelter&limit=2", []
    while address:
        answer = get(address)
        seen += [one["name"] for one in answer.json()["value"]]
        address = answer.json().get("next", "")
        assert (f'<{address}>; rel="next"' == answer.get("Link")) == bool(address)
    assert seen == ["n0", "n2", "n4", "n6"]


def test_geojson_by_parameter_or_header_has_a_null_geometry_for_an_unknown_position() -> None:
    place("a")
    place("b", longitude=None, latitude=None)
    for answer in (get("/api/places?format=geojson"), get("/api/places", Accept="application/geo+json")):
        assert answer["Content-Type"] == "application/geo+json"
        features = answer.json()["features"]
        assert [one["geometry"] for one in features] == [{"type": "Point", "coordinates": [-61.0, 14.6]}, None]


def test_csv_has_every_member_and_no_formula() -> None:
    place("=cmd|' /C calc'!A1", address="-rue", description='+a"b', contacts={"phone": "+596596500000"})
    answer = get("/api/places", Accept="text/csv;q=0.9")
    assert answer["Content-Type"].startswith("text/csv")
    (row,) = csv.DictReader(io.StringIO(answer.content.decode()))
    assert (row["name"], row["address"], row["description"]) == ("'=cmd|' /C calc'!A1", "'-rue", "'+a\"b")
    assert (row["longitude"], json.loads(row["contacts"])) == ("-61.0", {"phone": "+596596500000"})


@pytest.mark.parametrize(
    ("query", "place_of_it"),
    [
        ("kinds=shelter", "kinds"),
        ("kind=castle", "kind"),
        ("commune=Lamentin", "commune"),
        ("commune=972130", "commune"),
        ("bbox=1,2,3", "bbox"),
        ("bbox=nan,1,2,3", "bbox"),
        ("bbox=-60,14,-61,15", "bbox"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("after=-1", "after"),
        ("after=99999999999999999999", "after"),
        ("format=xml", "format"),
    ],
)
def test_a_wrong_parameter_is_refused_with_its_name(query: str, place_of_it: str) -> None:
    error = get(f"/api/places?{query}", 400).json()
    assert error["place"] == place_of_it
    assert error["hint"]


def test_other_refusals() -> None:
    get("/api/places", 406, Accept="application/xml")
    assert get("/api/places/424242", 404).json()["code"] == "not_found"
    get("/api/places/99999999999999999999999", 404)
    get("/api/layers/nothing", 404)
    answer = Client().post("/api/places", {})
    assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD")


def test_layers_are_listed_with_provenance_and_given_as_geojson() -> None:
    from lakou.territory.models import Layer, Zone

    said = {"title": "PPRN", "kind": "hazard", "hazard": "flood", "source": "DEAL", "licence": "LO 2.0"}
    layer = Layer.objects.create(key="pprn", retrieved=NOW, sha256="0" * 64, feature_count=3, **said)
    point = {"type": "Point", "coordinates": [-61.0, 14.6, 3.0]}
    for number in range(3):
        box = {"west": -61.0 + number, "south": 14.6, "east": -61.0 + number, "north": 14.6}
        Zone.objects.create(layer=layer, key=f"z{number}", kind="hazard", geometry=point, **box)
    (listed,) = get("/api/layers").json()["value"]
    assert (listed["source"], listed["licence"], listed["href"]) == ("DEAL", "LO 2.0", "/api/layers/pprn")
    whole = get(listed["href"]).json()
    assert whole["type"] == "FeatureCollection"
    assert whole["layer"]["licence"] == "LO 2.0"
    assert [one["geometry"] for one in whole["features"]] == [point] * 3
    assert whole["features"][0]["properties"]["population"] is None
    first = get("/api/layers/pprn?limit=2").json()
    assert [one["id"] for one in first["features"] + get(first["next"]).json()["features"]] == ["z0", "z1", "z2"]
    assert [one["id"] for one in get("/api/layers/pprn?bbox=-60.5,14,-59.5,15").json()["features"]] == ["z1"]


def test_the_profile_is_read_with_what_is_to_be_verified() -> None:
    profile = get("/api/territory").json()
    assert (profile["key"], profile["time_zone"]) == ("le-lamentin", "America/Martinique")
    assert [one["code"] for one in profile["communes"]] == ["97213"]
    assert all(one["to_verify"] for one in profile["hazards"])
    assert "outline" not in profile
    assert get("/api/territory?x=1", 400).json()["place"] == "x"


def test_head_answers_without_a_body() -> None:
    answer = Client().head("/api/places")
    assert (answer.status_code, answer.content) == (200, b"")
