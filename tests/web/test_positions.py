"""Any GeoJSON gives one position or none; text never does."""

from __future__ import annotations

import pytest

from lakou.web.positions import position_of


@pytest.mark.parametrize(
    ("geojson", "expected"),
    [
        ({"type": "Point", "coordinates": [-61, 14.6]}, (-61.0, 14.6)),
        ({"type": "Point", "coordinates": [-61, 14.6, 12]}, (-61.0, 14.6)),
        ({"type": "Feature", "geometry": {"type": "Point", "coordinates": [-61, 14.6]}}, (-61.0, 14.6)),
        ({"type": "Polygon", "coordinates": [[[0, 0], [4, 0], [4, 2], [0, 0]]]}, (2.0, 1.0)),
        ({"type": "GeometryCollection", "geometries": [{"type": "Point", "coordinates": [1, 2]}]}, (1.0, 2.0)),
        ({"type": "Feature", "geometry": None}, None),
        ({"type": "Point", "coordinates": []}, None),
        ("Rue principale", None),
        (None, None),
        ([1, 2], None),
    ],
)
def test_the_middle_of_any_geojson(geojson: object, expected: tuple[float, float] | None) -> None:
    assert position_of(geojson) == expected
