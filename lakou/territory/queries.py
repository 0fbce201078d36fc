"""Every read of the territory worth naming: places by kind, commune and bounds, and rows of the mediation standard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import shapely
from django.db.models import Count, Q, QuerySet
from shapely.geometry.base import BaseGeometry

from lakou.kernel.geometry import from_geojson
from lakou.territory.drafts import MEDIATION, row_of
from lakou.territory.models import Layer, Place, Zone

Bounds = tuple[float, float, float, float]


class Filter(NamedTuple):
    """Which places: of a kind, of a commune (INSEE code), inside west, south, east, north; all when empty."""

    kind: str = ""
    commune: str = ""
    bounds: Bounds | None = None


def places(wanted: Filter = Filter()) -> QuerySet[Place]:  # noqa: B008 – immutable
    """The places of a filter, by key. A place without position is in no bounds."""
    found = Place.objects.order_by("id")
    if wanted.kind:
        found = found.filter(kind=wanted.kind)
    if wanted.commune:
        found = found.filter(commune=wanted.commune)
    if wanted.bounds is not None:
        west, south, east, north = wanted.bounds
        found = found.filter(longitude__gte=west, longitude__lte=east, latitude__gte=south, latitude__lte=north)
    return found


def page_of_places(wanted: Filter, *, after: int, size: int) -> list[Place]:
    """Up to `size` places whose key is above `after`."""
    return list(places(wanted).filter(id__gt=after)[:size])


def place(key: int) -> Place | None:
    """The place of that key."""
    return Place.objects.filter(pk=key).first()


def kinds_in_use() -> dict[str, int]:
    """Number of places by kind."""
    counted = Place.objects.values("kind").order_by("kind").annotate(amount=Count("id"))
    return {row["kind"]: row["amount"] for row in counted}


def communes_in_use(kind: str = "") -> dict[str, int]:
    """Number of places by INSEE code, of a kind or of all; "" for places whose commune is not known."""
    found = Place.objects.filter(Q(kind=kind) if kind else Q())
    counted = found.values("commune").order_by("commune").annotate(amount=Count("id"))
    return {row["commune"]: row["amount"] for row in counted}


def mediation_rows(source: str = "") -> Iterator[tuple[Mapping[str, str], Mapping[str, Any]]]:
    """Each mediation place as a row of the standard with its raw form, by key; of one source when it is named."""
    found = places(Filter(kind=MEDIATION))
    if source:
        found = found.filter(source=source)
    for one in found.iterator(chunk_size=500):
        values = {"properties": one.properties, "contacts": one.contacts, "longitude": one.longitude,
                  "latitude": one.latitude, "name": one.name, "commune": one.commune, "address": one.address,
                  "opening_hours": one.opening_hours, "description": one.description}  # fmt: skip
        yield row_of(one.source_id, values), one.raw


def layers() -> list[Layer]:
    """All layers, by key."""
    return list(Layer.objects.all())


def layer(key: str) -> Layer | None:
    """The layer of that key."""
    return Layer.objects.filter(pk=key).first()


def zones_at(longitude: float, latitude: float, *, kind: str = "", hazard: str = "") -> list[Zone]:
    """The zones in which a position lies, its edge included; of a kind of layer or of a hazard when they are named."""
    found = Zone.objects.select_related("layer").order_by("id")
    found = found.filter(west__lte=longitude, east__gte=longitude, south__lte=latitude, north__gte=latitude)
    named = {name: value for name, value in (("kind", kind), ("hazard", hazard)) if value}
    point = shapely.Point(longitude, latitude)
    return [zone for zone in found.filter(**named) if _shape(zone.geometry).intersects(point)]


def places_in(key: int, *, kind: str = "") -> list[Place]:
    """The places that lie in a zone, by the zone's key in the table; none for an unknown zone."""
    zone = Zone.objects.filter(pk=key).first()
    if zone is None:
        return []
    shape = _shape(zone.geometry)
    near = places(Filter(kind=kind, bounds=(zone.west, zone.south, zone.east, zone.north)))
    return [one for one in near if shape.intersects(shapely.Point(one.longitude, one.latitude))]


def _shape(geometry: Any) -> BaseGeometry:
    """A zone's geometry for asking. An invalid one is made valid for the question only: as given it cannot answer."""
    shape = from_geojson(geometry)
    if shape is None:
        return shapely.Point()
    return shape if shape.is_valid else shapely.make_valid(shape)


def zones_of(key: str, bounds: Bounds | None = None) -> QuerySet[Zone]:
    """The zones of a layer, by row; with `bounds` only those whose own bounds touch them."""
    found = Zone.objects.filter(layer_id=key).order_by("id")
    if bounds is not None:
        west, south, east, north = bounds
        found = found.filter(west__lte=east, east__gte=west, south__lte=north, north__gte=south)
    return found
