"""Questions of place: which zones hold a position, which places lie in a zone; on each database."""

from __future__ import annotations

from typing import Any

import pytest

from lakou.territory.layers.features import FieldNames, RawFeature, check_features
from tests.territory.conftest import NOW, WHO

pytestmark = pytest.mark.usefixtures("civic_rows")

RING = [[-61.0, 14.6], [-60.9, 14.6], [-60.9, 14.7], [-61.0, 14.6]]
BOW_TIE = [[-61.2, 14.6], [-61.1, 14.7], [-61.1, 14.6], [-61.2, 14.7], [-61.2, 14.6]]


def layer(key: str, ring: list[list[float]], **more: Any) -> None:
    from lakou.territory import actions

    geometry = {"type": "Polygon", "coordinates": [ring]}
    checked = check_features([RawFeature(1, key, {}, geometry)], FieldNames(), None)
    said = {"title": "x", "kind": "hazard", "hazard": "flood", "source": "x", "licence": "x", **more}
    source = actions.LayerSource(key=key, retrieved=NOW, sha256="0", options={}, **said)
    actions.import_layer(layer=source, checked=checked, actor=WHO)


def test_a_position_lies_in_its_zones_and_not_in_all_whose_bounds_hold_it() -> None:
    from lakou.territory import queries

    layer("inondation", RING)
    layer("evacuation", RING, kind="evacuation", hazard="tsunami")
    assert [zone.key for zone in queries.zones_at(-60.92, 14.62)] == ["inondation", "evacuation"]
    assert queries.zones_at(-60.99, 14.69) == []  # inside the bounds, outside the triangle
    assert [zone.key for zone in queries.zones_at(-60.92, 14.62, hazard="tsunami")] == ["evacuation"]
    assert [zone.key for zone in queries.zones_at(-60.92, 14.62, kind="hazard")] == ["inondation"]
    assert len(queries.zones_at(-61.0, 14.6)) == 2  # on the edge


def test_an_invalid_zone_answers_all_the_same_and_stays_as_given() -> None:
    from lakou.territory import queries

    layer("papillon", BOW_TIE)
    assert [zone.key for zone in queries.zones_at(-61.19, 14.65)] == ["papillon"]
    assert queries.zones_at(-61.15, 14.69) == []
    assert queries.zones_of("papillon")[0].geometry["coordinates"] == [BOW_TIE]


def test_places_in_a_zone_are_those_inside_it() -> None:
    from lakou.territory import queries
    from lakou.territory.models import Place

    layer("inondation", RING)
    positions = {"dedans": (-60.92, 14.62), "dehors": (-60.99, 14.69), "inconnu": (None, None)}
    for name, (longitude, latitude) in positions.items():
        Place.objects.create(kind="shelter", name=name, source="t", source_id=name, updated=NOW, longitude=longitude,
                             latitude=latitude)  # fmt: skip
    zone = queries.zones_of("inondation")[0]
    assert [place.name for place in queries.places_in(zone.pk)] == ["dedans"]
    assert queries.places_in(zone.pk, kind="school") == []
    assert queries.places_in(424242) == []
