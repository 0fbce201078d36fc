"""Where a Thing is: one position out of whatever GeoJSON its Location or its latest result holds."""

from __future__ import annotations

from collections.abc import Iterator

Position = tuple[float, float]


def position_of(geojson: object) -> Position | None:
    """The middle of any GeoJSON value's box, or None when it holds no position."""
    if not isinstance(geojson, dict):
        return None
    for inner in ("geometry", "coordinates", "geometries", "features"):
        if inner in geojson:
            pairs = list(_pairs(geojson[inner]))
            if not pairs:
                return None
            easts, norths = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
            return (min(easts) + max(easts)) / 2, (min(norths) + max(norths)) / 2
    return None


def _pairs(value: object) -> Iterator[Position]:
    match value:
        case [int() | float() as east, int() | float() as north, *_]:
            yield float(east), float(north)
        case list():
            for item in value:
                yield from _pairs(item)
        case dict():
            found = position_of(value)
            if found:
                yield found
