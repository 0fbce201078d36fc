"""The paths of the territory's API for the OpenAPI 3.1 description that the server puts together. Pure."""

from __future__ import annotations

from typing import Any

from lakou.territory.asking import MEDIA, ON_PLACES, ON_ZONES, PARAMETERS
from lakou.territory.kinds import HAZARDS_BY_KEY, LAYERS_BY_KEY, PLACES_BY_KEY

Json = dict[str, Any]

_TEXT: Json = {"type": "string"}
_MAYBE: Json = {"type": ["string", "null"]}
_NUMBER: Json = {"type": ["number", "null"]}
_INSTANT: Json = {"type": "string", "format": "date-time"}
_PLACE: Json = {"$ref": "#/components/schemas/Place"}
_LAYER: Json = {"$ref": "#/components/schemas/Layer"}
_GEOJSON: Json = {"$ref": "#/components/schemas/GeoJSON"}


def paths() -> Json:
    """Paths below the server's root, by address."""
    page: Json = {
        "type": "object",
        "required": ["value"],
        "properties": {"value": {"type": "array", "items": _PLACE}, "next": {**_TEXT, "description": "The next page"}},
    }
    key: Json = {"name": "key", "in": "path", "required": True, "schema": {"type": "integer"}}
    layer_key: Json = {"name": "key", "in": "path", "required": True, "schema": _TEXT}
    listed: Json = {"type": "object", "properties": {"value": {"type": "array", "items": _LAYER}}}
    forms: Json = {MEDIA["geojson"]: {"schema": _GEOJSON}, "text/csv": {"schema": _TEXT}}
    pages, one = {MEDIA["json"]: {"schema": page}, **forms}, {MEDIA["json"]: {"schema": _PLACE}, **forms}
    return {
        "/api/territory": _get(
            "The profile of the territory", "readTerritory", {MEDIA["json"]: {"schema": {"type": "object"}}}, []
        ),
        "/api/places": _get("A page of places", "listPlaces", pages, _named(ON_PLACES)),
        "/api/places/{key}": _get("One place", "readPlace", one, [key, *_named(("format",))], missing=True),
        "/api/layers": _get("All layers", "listLayers", {MEDIA["json"]: {"schema": listed}}, []),
        "/api/layers/{key}": _get(
            "The zones of a layer with provenance and licence", "readLayer", {MEDIA["geojson"]: {"schema": _GEOJSON}},
            [layer_key, *_named(ON_ZONES)], missing=True,
        ),
    }  # fmt: skip


def schemas() -> Json:
    """Schemas that the paths refer to, by name."""
    place = {
        "id": {"type": "integer"}, "kind": {**_TEXT, "enum": list(PLACES_BY_KEY)}, "kind_label": _TEXT, "name": _TEXT,
        "source": _TEXT, "source_id": _TEXT, "longitude": {**_NUMBER, "description": "null: the position is unknown"},
        "latitude": _NUMBER, "commune": {**_MAYBE, "description": "INSEE code"}, "address": _MAYBE,
        "capacity": {"type": ["integer", "null"], "description": "People; null: unknown"},
        "contacts": {"type": "object"}, "opening_hours": {**_MAYBE, "description": "As in OpenStreetMap"},
        "description": _MAYBE, "properties": {"type": "object"}, "updated": _INSTANT,
    }  # fmt: skip
    layer = {
        "key": _TEXT, "title": _TEXT, "kind": {**_TEXT, "enum": list(LAYERS_BY_KEY)},
        "hazard": {"enum": [*HAZARDS_BY_KEY, None]}, "source": _TEXT, "licence": _TEXT, "retrieved": _INSTANT,
        "sha256": {**_TEXT, "description": "Of the file it was made from"}, "features": {"type": "integer"},
        "href": _TEXT,
    }  # fmt: skip
    return {
        "Place": {"type": "object", "required": ["id", "kind", "name"], "properties": place},
        "Layer": {"type": "object", "required": ["key", "source", "licence"], "properties": layer},
    }


def _get(summary: str, operation: str, content: Json, parameters: list[Json], *, missing: bool = False) -> Json:
    responses: Json = {
        "200": {"description": summary, "content": content},
        "400": {"$ref": "#/components/responses/BadRequest"},
        "406": {"$ref": "#/components/responses/NotAcceptable"},
    }
    if missing:
        responses["404"] = {"$ref": "#/components/responses/NotFound"}
    operation_ = {"summary": summary, "operationId": operation, "tags": ["territory"], "responses": responses}
    return {"get": operation_ | {"parameters": parameters, "security": [{}]}}


def _named(names: tuple[str, ...]) -> list[Json]:
    return [
        {"name": name, "in": "query", "description": PARAMETERS[name][0], "schema": PARAMETERS[name][1]}
        for name in names
    ]
