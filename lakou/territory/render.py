"""Places, layers and zones as JSON, GeoJSON and CSV for programs. Pure: rows in, plain values or text out.

In CSV what a spreadsheet would run as a formula is guarded (trust R13); the export in the national standard is not, for
its rows must stay what they are (`mediation/write.py`).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

import msgspec

from lakou.kernel import jsontext
from lakou.territory.findings import guarded
from lakou.territory.kinds import PLACES_BY_KEY
from lakou.territory.models import Layer, Place, Zone
from lakou.territory.profile import Profile

Json = dict[str, Any]

PLACE_MEMBERS = (
    "id", "kind", "kind_label", "name", "source", "source_id", "longitude", "latitude", "commune", "address",
    "capacity", "contacts", "opening_hours", "description", "properties", "updated",
)  # fmt: skip


def place_json(place: Place) -> Json:
    """One place; `longitude` and `latitude` are null when the position is unknown, `capacity` when it is unknown."""
    kind = PLACES_BY_KEY.get(place.kind)
    return {
        "id": place.pk,
        "kind": place.kind,
        "kind_label": kind.label if kind else place.kind,
        "name": place.name,
        "source": place.source,
        "source_id": place.source_id,
        "longitude": place.longitude,
        "latitude": place.latitude,
        "commune": place.commune or None,
        "address": place.address or None,
        "capacity": place.capacity,
        "contacts": place.contacts,
        "opening_hours": place.opening_hours or None,
        "description": place.description or None,
        "properties": place.properties,
        "updated": place.updated,
    }


def place_feature(place: Place) -> Json:
    """One place as a GeoJSON Feature; its geometry is null when the position is unknown (RFC 7946 §3.2)."""
    members = place_json(place)
    longitude, latitude = members.pop("longitude"), members.pop("latitude")
    geometry = None if longitude is None else {"type": "Point", "coordinates": [longitude, latitude]}
    return {"type": "Feature", "id": members.pop("id"), "geometry": geometry, "properties": members}


def places_csv(places: Iterable[Place]) -> str:
    """CSV with a header; lists and objects as JSON text, unknown values empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(PLACE_MEMBERS)
    for place in places:
        members = place_json(place)
        writer.writerow([guarded(_cell(members[name])) for name in PLACE_MEMBERS])
    return out.getvalue()


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case str():
            return value
        case float():
            return repr(value)
        case int():
            return str(value)
    return jsontext.encode(value).decode().strip('"')


def profile_json(profile: Profile) -> Json:
    """A profile without its drawing, tables in the plural."""
    members: Json = msgspec.to_builtins(profile)
    for drawn in ("outline", "label"):
        del members[drawn]
    plurals = {"commune": "communes", "organisation": "organisations", "hazard": "hazards", "holiday": "holidays"}
    return {plurals.get(name, name): value for name, value in members.items()}


def layer_json(layer: Layer) -> Json:
    """A layer with its provenance and licence; `sha256` is of the file it was made from."""
    return {
        "key": layer.key,
        "title": layer.title,
        "kind": layer.kind,
        "hazard": layer.hazard or None,
        "source": layer.source,
        "licence": layer.licence,
        "retrieved": layer.retrieved,
        "sha256": layer.sha256,
        "features": layer.feature_count,
    }


def zone_feature(zone: Zone) -> Json:
    """A zone as a GeoJSON Feature, its geometry as given; the fields of its file stand in `fields`."""
    return {
        "type": "Feature",
        "id": zone.key,
        "bbox": [zone.west, zone.south, zone.east, zone.north],
        "geometry": zone.geometry,
        "properties": {
            "name": zone.name or None,
            "kind": zone.kind,
            "hazard": zone.hazard or None,
            "level": zone.level or None,
            "population": zone.population,
            "fields": zone.properties,
        },
    }
