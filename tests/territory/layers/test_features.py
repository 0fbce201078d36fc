"""Features are checked one by one; doubt is told, an error keeps one feature out, nothing is repaired in silence."""

from __future__ import annotations

from typing import Any

import pytest

from lakou.kernel.errors import TooLarge
from lakou.territory.bounds import Surroundings
from lakou.territory.layers import features
from lakou.territory.layers.features import FieldNames, RawFeature, check_features

MARTINIQUE = Surroundings("Martinique", (-61.3, 14.35, -60.75, 14.95))
BOX = [[[-61.0, 14.6], [-60.9, 14.6], [-60.9, 14.7], [-61.0, 14.7], [-61.0, 14.6]]]
BOW_TIE = [[[-61.0, 14.6], [-60.9, 14.7], [-60.9, 14.6], [-61.0, 14.7], [-61.0, 14.6]]]


def polygon(rings: Any) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": rings}


def one(geometry: dict[str, Any] | None, fields: dict[str, Any] | None = None, **names: str) -> tuple[Any, list[str]]:
    checked = check_features([RawFeature(1, "a", fields or {}, geometry)], FieldNames(**names), MARTINIQUE)
    return (checked.features[0] if checked.features else None), [finding.code for finding in checked.findings]


def test_a_good_feature_has_bounds_and_its_geometry_as_given() -> None:
    feature, codes = one(polygon(BOX), {"nom": "Zone rouge", "pop": "1200", "zone": "R"}, name="nom", population="pop",
                         level="zone")  # fmt: skip
    assert codes == []
    assert (feature.name, feature.population, feature.level) == ("Zone rouge", 1200, "R")
    assert feature.bounds == (-61.0, 14.6, -60.9, 14.7)
    assert feature.geometry == polygon(BOX)


@pytest.mark.parametrize(
    ("value", "people", "codes"),
    [(None, None, []), ("", None, []), (0, None, ["population_zero"]), (-3, None, ["population"]),
     ("beaucoup", None, ["population"]), (True, None, ["population"]), (1e12, None, ["population"]), (12.6, 13, [])],
)  # fmt: skip
def test_an_unknown_population_is_null_and_never_zero(value: object, people: int | None, codes: list[str]) -> None:
    feature, found = one(polygon(BOX), {"pop": value}, population="pop")
    assert (feature.population, found) == (people, codes)


def test_an_invalid_ring_is_told_and_kept_as_given() -> None:
    feature, codes = one(polygon(BOW_TIE))
    assert codes == ["invalid"]
    assert feature.geometry == polygon(BOW_TIE)


@pytest.mark.parametrize(
    ("geometry", "code"),
    [
        (None, "no_geometry"),
        ({"type": "GeometryCollection", "geometries": []}, "no_geometry"),
        ({"type": "Circle", "coordinates": [0, 0]}, "geometry"),
        (polygon([[[-61, 14.6], [-60.9, 14.6], [-60.9, 14.7], [-61, 14.7]]]), "geometry"),
        (polygon([[[-61, 14.6], [-60.9, float("nan")], [-60.9, 14.7], [-61, 14.6]]]), "geometry"),
        (polygon([[[715683, 1616462], [715700, 1616462], [715700, 1616500], [715683, 1616462]]]), "not_degrees"),
    ],
)
def test_what_has_no_place_on_earth_is_kept_out(geometry: dict[str, Any] | None, code: str) -> None:
    feature, codes = one(geometry)
    assert feature is None
    assert codes == [code]


def test_latitude_first_is_suspected_and_a_far_place_is_told() -> None:
    _, codes = one({"type": "Point", "coordinates": [14.613, -60.998]})
    assert codes == ["swapped"]
    _, codes = one({"type": "Point", "coordinates": [2.35, 48.85]})
    assert codes == ["outside"]


def test_two_features_of_one_key_are_one_and_a_refusal() -> None:
    raws = [RawFeature(1, "", {"code": "A"}, polygon(BOX)), RawFeature(2, "", {"code": "A"}, polygon(BOX))]
    checked = check_features(raws, FieldNames(key="code"), None)
    assert [feature.number for feature in checked.features] == [1]
    assert [(finding.row, finding.code) for finding in checked.findings] == [(2, "duplicate")]


def test_a_field_that_no_feature_has_is_told() -> None:
    _, codes = one(polygon(BOX), {"nom": "x"}, name="libelle")
    assert codes == ["no_field"]


def test_bounds_on_features_and_positions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "MAX_FEATURES", 2)
    raws = [RawFeature(number, "", {}, polygon(BOX)) for number in (1, 2, 3)]
    with pytest.raises(TooLarge, match="features"):
        check_features(raws, FieldNames(), None)
    monkeypatch.setattr(features, "MAX_VERTICES", 9)
    with pytest.raises(TooLarge, match="positions"):
        check_features(raws[:2], FieldNames(), None)


def test_heavy_fields_are_left_out_and_told() -> None:
    feature, codes = one(polygon(BOX), {"texte": "x" * 200_000})
    assert codes == ["properties"]
    assert feature.properties == {}
