"""Places of any kind come from plain tables and GeoJSON; what is not known stays unknown."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakou.territory.bounds import Surroundings
from lakou.territory.drafts import Draft
from lakou.territory.plain import COLUMNS, read_place, read_plain

MARTINIQUE = Surroundings("Martinique", (-61.3, 14.35, -60.75, 14.95))


def one(head: str, line: str, kind: str = "") -> tuple[Draft | None, list[str]]:
    (row,) = read_plain(f"{head}\n{line}\n".encode()).rows
    draft, found = read_place(row, kind, MARTINIQUE)
    return draft, [finding.code for finding in found]


def test_a_shelter_has_its_capacity_contacts_and_other_columns() -> None:
    head = "identifiant;nom;genre;lon;lat;insee;adresse;capacite;telephone;horaires;étage"
    draft, codes = one(head, "r1;Gymnase;shelter;-61.0;14.6;97213;rue droite;250;+596596500000;24/7;2")
    assert codes == []
    assert draft
    assert (draft.kind, draft.name, draft.capacity, draft.commune) == ("shelter", "Gymnase", 250, "97213")
    assert (draft.longitude, draft.latitude) == (-61.0, 14.6)
    assert draft.contacts == {"phone": "+596596500000"}
    assert draft.properties == {"étage": "2"}


@pytest.mark.parametrize("text", ["", "0", "-5", "12,5", "beaucoup", "99999999999", "²"])
def test_a_capacity_that_is_no_number_of_people_is_unknown_and_never_zero(text: str) -> None:
    draft, codes = one("id\tname\tcapacity\tlongitude\tlatitude", f"1\tA\t{text}\t-61\t14.6", "shelter")
    assert draft
    assert draft.capacity is None
    assert codes == (["capacity"] if text else [])


@pytest.mark.parametrize(
    ("line", "codes"),
    [
        (",A,shelter,,,", ["missing", "no_position"]),
        ("1,,shelter,,,", ["missing", "no_position"]),
        ("1,A,,,,", ["missing", "no_position"]),
        ("1,A,castle,,,", ["enumeration", "no_position"]),
        ("1,A,shelter,-61,,", ["half_position"]),
        ("1,A,shelter,x,14,", ["number"]),
        ("1,A,shelter,-190,14,", ["range"]),
        ("1,A,shelter,0,0,", ["null_island"]),
        ("1,A,shelter,14.6,-61,", ["swapped"]),
        ("1,A,shelter,2.3,48.8,", ["outside"]),
        ("1,A,shelter,-61,14.6,Lamentin", ["pattern"]),
    ],
)
def test_each_kind_of_mistake_is_named(line: str, codes: list[str]) -> None:
    assert one("id,name,kind,longitude,latitude,commune", line)[1] == codes


def test_geojson_points_and_areas_become_places() -> None:
    ring = [[-61.0, 14.6], [-60.9, 14.6], [-60.9, 14.7], [-61.0, 14.6]]
    features = [
        {"type": "Feature", "id": 5, "properties": {"nom": "École", "places": 12, "tags": ["a"]},
         "geometry": {"type": "Point", "coordinates": [-61.0, 14.6]}},
        {"type": "Feature", "properties": {"id": "b", "nom": "Lycée", "kind": "school"},
         "geometry": {"type": "Polygon", "coordinates": [ring]}},
        {"type": "Feature", "properties": {"id": "c", "nom": "Sans lieu"}, "geometry": None},
    ]  # fmt: skip
    table = read_plain(json.dumps({"type": "FeatureCollection", "features": features}).encode())
    read = [read_place(row, "school", MARTINIQUE) for row in table.rows]
    drafts = [draft for draft, _ in read if draft]
    assert [(draft.source_id, draft.name, draft.kind) for draft in drafts] == [
        ("5", "École", "school"),
        ("b", "Lycée", "school"),
        ("c", "Sans lieu", "school"),
    ]
    assert drafts[0].properties == {"places": "12", "tags": '["a"]'}
    assert [[finding.code for finding in found] for _, found in read] == [[], ["area"], ["no_position"]]
    longitude, latitude = drafts[1].longitude, drafts[1].latitude
    assert longitude is not None
    assert latitude is not None
    assert -61.0 < longitude < -60.9
    assert 14.6 < latitude < 14.7


@given(st.dictionaries(st.sampled_from(list(COLUMNS)), st.text(max_size=20)))
def test_any_cells_give_a_draft_or_an_error(cells: dict[str, str]) -> None:
    (row,) = read_plain(json.dumps([cells]).encode()).rows
    draft, found = read_place(row, "other", MARTINIQUE)
    assert (draft is None) == any(finding.severity == "error" for finding in found)
