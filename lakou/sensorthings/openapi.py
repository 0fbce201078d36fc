"""The SensorThings API as an OpenAPI 3.1 document, generated from the model, the errors and the limits.

Every set, entity, property and navigation path of two levels, with the query options and the schemas of requests and
answers. Pure: a value in, a value out; the server serves it as `/api/openapi.json`. Source: OpenAPI 3.1.0; 18-088 §9.2
(paths), §9.3 (options), §10 (writing).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import lakou
from lakou.kernel.errors import LakouError
from lakou.sensorthings.grammar.options import COUNT_MODES
from lakou.sensorthings.limits import Limits
from lakou.sensorthings.model import (
    DATASTREAM,
    ENTITY_TYPES,
    MULTI_DATASTREAM,
    OBSERVATION,
    EntityType,
    Kind,
    Link,
    Property,
)
from lakou.sensorthings.payload import KEPT, POLICIES, POLICY, RETENTION, VISIBILITY

Json = dict[str, Any]

VERSION = "3.1.0"
JSON = "application/json"
PATCH = "application/json-patch+json"

_TEXT: Json = {"type": "string"}
_INSTANT: Json = {"type": "string", "format": "date-time"}
_INTERVAL: Json = {"type": "string", "pattern": "^[^/]+/[^/]+$", "description": "start/end, each a date-time"}
_KINDS: dict[Kind, Json] = {
    Kind.ID: {"type": "integer", "format": "int64"},
    Kind.TEXT: _TEXT,
    Kind.OBJECT: {"type": "object"},
    Kind.JSON: {"description": "Any JSON value"},
    Kind.INSTANT: _INSTANT,
    Kind.INTERVAL: _INTERVAL,
    Kind.TIME: {"anyOf": [_INSTANT, _INTERVAL]},
    Kind.GEOMETRY: {"$ref": "#/components/schemas/GeoJSON"},
    Kind.AREA: {"$ref": "#/components/schemas/GeoJSON"},
    Kind.RESULT: {"description": "A number, text, boolean, null, or any JSON value"},
}
_READ: list[Json] = [{}, {"bearer": []}, {"basic": []}]
_WRITE: list[Json] = [{"bearer": []}, {"basic": []}]

ON_SETS = (
    "filter", "count", "countMode", "orderby", "skip", "top", "skiptoken", "expand", "select", "apply",
    "resultFormat", "resultMetadata",
)  # fmt: skip
ON_ENTITIES = ("expand", "select", "resultFormat", "resultMetadata")


def document(base: str) -> Json:
    """The OpenAPI description of a service whose root is `base` (absolute, without a final slash)."""
    paths: Json = {"/": _get("The sets of this service and what it conforms to", "root", {"type": "object"}, [])}
    for type_ in ENTITY_TYPES:
        paths |= _paths(type_)
    paths |= _bulk_paths()
    return {
        "openapi": VERSION,
        "info": {
            "title": "Lakou: SensorThings API 1.1",
            "version": lakou.__version__,
            "description": "OGC SensorThings API 1.1 (18-088) with extensions. Public things are read without a token.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": base}],
        "tags": [{"name": type_.plural} for type_ in ENTITY_TYPES],
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "parameters": _parameters(Limits()),
            "responses": _errors(),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "A token: lk_…"},
                "basic": {"type": "http", "scheme": "basic", "description": "Any name, the token as password"},
            },
        },
        "security": _READ,
    }


# ── paths ──


def _paths(type_: EntityType) -> Json:
    one, ids = f"/{type_.plural}({{id}})", [_parameter("id")]
    entity, page = _schema(type_.name), _schema(f"{type_.name}Page")
    found: Json = {
        f"/{type_.plural}": {
            **_get(f"A page of {type_.plural}", f"list{type_.plural}", page, _options(ON_SETS), type_),
            "post": _post(type_, f"create{type_.name}", []),
            "delete": _write(
                f"Delete the {type_.plural} of a filter",
                f"delete{type_.plural}",
                type_,
                {"200": {"description": "Deleted"}},
                parameters=[_parameter("filter")],
            ),
        },
        f"/{type_.plural}/$count": _get(
            f"The number of {type_.plural}", f"count{type_.plural}", _KINDS[Kind.ID], _options(("filter",)), type_,
            media="text/plain",
        ),
        f"/{type_.plural}/$ref": _get(
            f"Links to {type_.plural}", f"refer{type_.plural}", _schema("References"),
            _options(("filter", "count", "orderby", "skip", "top", "skiptoken")), type_,
        ),
        one: {
            **_get(f"One {type_.name}", f"read{type_.name}", entity, [*ids, *_options(ON_ENTITIES)], type_),
            "patch": _change(type_, "patch"),
            "put": _change(type_, "put"),
            "delete": _write(
                f"Delete a {type_.name} and what hangs on it",
                f"delete{type_.name}",
                type_,
                {"200": {"description": "Deleted"}},
                parameters=[*ids, _parameter("ifMatch")],
            ),
        },
    }  # fmt: skip
    for prop in type_.properties:
        found |= _property_paths(type_, prop, one)
    for link in type_.links:
        found |= _link_paths(type_, link, one)
    return found


def _property_paths(type_: EntityType, prop: Property, one: str) -> Json:
    name = f"{type_.name}{_capital(prop.name)}"
    value = {"type": "object", "properties": {_wire(prop): _KINDS[prop.kind]}}
    ids = [_parameter("id")]
    whole = _get(f"{prop.name} of a {type_.name}", f"read{name}", value, ids, type_)
    raw = _get(f"{prop.name} alone", f"read{name}Value", _KINDS[prop.kind], ids, type_, media="text/plain")
    for path in (whole, raw):
        path["get"]["responses"]["204"] = {"description": "The property is null"}
    return {f"{one}/{_wire(prop)}": whole, f"{one}/{_wire(prop)}/$value": raw}


def _link_paths(type_: EntityType, link: Link, one: str) -> Json:
    target, ids = link.type, [_parameter("id")]
    name = f"{type_.name}{link.name}"
    if not link.many:
        options = [*ids, *_options(ON_ENTITIES)]
        return {
            f"{one}/{link.name}": _get(
                f"The {link.name} of a {type_.name}", f"read{name}", _schema(target.name), options, target
            ),
            f"{one}/{link.name}/$ref": _get(
                f"A link to the {link.name}", f"refer{name}", _schema("Reference"), ids, target
            ),
        }
    set_options = [*ids, *_options(ON_SETS)]
    return {
        f"{one}/{link.name}": {
            **_get(
                f"The {link.name} of a {type_.name}", f"list{name}", _schema(f"{target.name}Page"), set_options, target
            ),
            "post": _post(target, f"create{name}", ids),
        },
        f"{one}/{link.name}/$ref": _get(
            f"Links to the {link.name}", f"refer{name}", _schema("References"), ids, target
        ),
    }


def _bulk_paths() -> Json:
    batch = {JSON: {"schema": {"type": "object", "required": ["requests"]}}, "multipart/mixed": {"schema": _TEXT}}
    links = {"type": "array", "items": _TEXT, "description": "A self link, or “error: …” in its place"}
    return {
        "/CreateObservations": {
            "post": _write(
                "Create many Observations, row by row",
                "createObservations",
                OBSERVATION,
                {"201": {"description": "What became of each row", "content": {JSON: {"schema": links}}}},
                body={JSON: {"schema": _schema("DataArrays")}},
            )
        },
        "/$batch": {
            "post": _write(
                "Several requests in one; a change set is all or nothing",
                "batch",
                None,
                {"200": {"description": "The answers in order", "content": batch}},
                body=batch,
            )
            | {"security": _READ}
        },
    }


# ── operations ──


def _get(
    summary: str,
    id_: str,
    schema: Json,
    parameters: list[Json],
    type_: EntityType | None = None,
    *,
    media: str = JSON,
) -> Json:
    found = {
        "summary": summary,
        "operationId": id_,
        "parameters": parameters,
        "responses": {
            "200": {"description": "Found", "content": {media: {"schema": schema}}},
            **_refusals(reading=True),
        },
    }
    return {"get": found | ({} if type_ is None else {"tags": [type_.plural]})}


def _write(
    summary: str,
    id_: str,
    type_: EntityType | None,
    responses: Json,
    *,
    parameters: list[Json] | None = None,
    body: Json | None = None,
) -> Json:
    found: Json = {"summary": summary, "operationId": id_, "security": _WRITE, "parameters": parameters or []}
    if body is not None:
        found["requestBody"] = {"required": True, "content": body}
    found["responses"] = responses | _refusals(reading=False)
    return found | ({} if type_ is None else {"tags": [type_.plural]})


def _post(type_: EntityType, id_: str, parameters: list[Json]) -> Json:
    location = {"Location": {"description": "Where the new entity is", "schema": {"type": "string", "format": "uri"}}}
    made = {"description": "Created", "headers": location, "content": {JSON: {"schema": _schema(type_.name)}}}
    body = {JSON: {"schema": _schema(f"{type_.name}New")}}
    if type_ is OBSERVATION:
        body["application/x-ndjson"] = {"schema": {"type": "string", "description": "One Observation a line"}}
    parameters = [*parameters, _parameter("idempotencyKey")]
    return _write(f"Create a {type_.name}", id_, type_, {"201": made}, parameters=parameters, body=body)


def _change(type_: EntityType, method: str) -> Json:
    schema = f"{type_.name}Changes" if method == "patch" else f"{type_.name}New"
    body: Json = {JSON: {"schema": _schema(schema)}}
    if method == "patch":
        body[PATCH] = {"schema": {"type": "array", "items": {"type": "object", "required": ["op", "path"]}}}
    summary = f"{'Change' if method == 'patch' else 'Replace'} a {type_.name}"
    done = {"200": {"description": "As it is now", "content": {JSON: {"schema": _schema(type_.name)}}}}
    parameters = [_parameter("id"), _parameter("ifMatch")]
    return _write(summary, f"{method}{type_.name}", type_, done, parameters=parameters, body=body)


def _refusals(*, reading: bool) -> Json:
    """The errors of the family that a request may meet, by status."""
    only_writing = {"Conflict", "PreconditionFailed", "TooLarge", "UnsupportedMediaType", "Forbidden"}
    kinds = [kind for kind in _error_kinds() if not (reading and kind.__name__ in only_writing)]
    return {str(kind.status): {"$ref": f"#/components/responses/{kind.__name__}"} for kind in kinds}


# ── components ──


def _schemas() -> Json:
    found: Json = {
        "Error": {
            "type": "object",
            "required": ["code", "status", "message"],
            "properties": {
                "code": _TEXT,
                "status": {"type": "integer"},
                "message": _TEXT,
                "place": {"type": "string", "description": "A position in the URL or a JSON pointer"},
                "hint": _TEXT,
            },
        },
        "GeoJSON": {"type": "object", "description": "RFC 7946", "required": ["type"], "properties": {"type": _TEXT}},
        "Reference": {"type": "object", "properties": {"@iot.selfLink": {"type": "string", "format": "uri"}}},
        "References": _page_of("Reference"),
        "LinkTo": {"type": "object", "required": ["@iot.id"], "properties": {"@iot.id": _KINDS[Kind.ID]}},
        "DataArrays": {"type": "array", "items": _data_array()},
    }
    for type_ in ENTITY_TYPES:
        found[type_.name] = _entity(type_)
        found[f"{type_.name}Page"] = _page_of(type_.name)
        found[f"{type_.name}New"] = _body(type_, new=True)
        found[f"{type_.name}Changes"] = _body(type_, new=False)
    return found


def _entity(type_: EntityType) -> Json:
    """The schema of an answer: properties, navigation links, and links expanded in place."""
    members: Json = {"@iot.selfLink": {"type": "string", "format": "uri"}}
    for prop in type_.properties:
        kind = _KINDS[prop.kind]
        members[_wire(prop)] = {"anyOf": [kind, {"type": "null"}]} if prop.shown_null else kind
    for link in type_.links:
        schema = _schema(link.target)
        members[f"{link.name}@iot.navigationLink"] = {"type": "string", "format": "uri"}
        members[link.name] = {"type": "array", "items": schema} if link.many else schema
        if link.many:
            members[f"{link.name}@iot.count"] = {"type": "integer"}
            members[f"{link.name}@iot.nextLink"] = {"type": "string", "format": "uri"}
    return {"type": "object", "properties": members}


def _body(type_: EntityType, *, new: bool) -> Json:
    """The schema of a request: what a client may set; `new` also says what it must and takes inline entities."""
    members: Json = {}
    needed: list[str] = []
    for prop in type_.properties:
        if prop.derived or prop.kind is Kind.ID:
            continue
        members[prop.name] = _KINDS[prop.kind]
        if new and prop.required:
            needed.append(prop.name)
    for link in type_.links:
        to = _schema("LinkTo")
        one = {"anyOf": [to, _schema(f"{link.target}New")]} if new else to
        members[link.name] = {"type": "array", "items": one} if link.many else one
    if type_ is not OBSERVATION:
        members[VISIBILITY] = {"enum": ["public", "restricted"]}
    if type_ in (DATASTREAM, MULTI_DATASTREAM):
        members[POLICY] = {"enum": list(POLICIES), "description": "What another value at a known time does"}
        duration = {"type": ["string", "null"], "description": "ISO 8601 duration of a day at least, such as P730D"}
        members[RETENTION] = {"type": ["object", "null"], "properties": dict.fromkeys(KEPT, duration)}
    return {"type": "object", "properties": members} | ({"required": needed} if needed else {})


def _page_of(name: str) -> Json:
    return {
        "type": "object",
        "required": ["value"],
        "properties": {
            "@iot.count": {"type": "integer"},
            "@iot.nextLink": {"type": "string", "format": "uri"},
            "value": {"type": "array", "items": _schema(name)},
        },
    }


def _data_array() -> Json:
    streams = {link.name: _schema("LinkTo") for link in OBSERVATION.links if "stream" in link.name}
    rows = {"type": "array", "items": {"type": "array", "items": {}}}
    names = {"type": "array", "items": _TEXT}
    return {
        "type": "object",
        "required": ["components", "dataArray"],
        "properties": {**streams, "components": names, "dataArray": rows},
    }


def _errors() -> Json:
    content = {JSON: {"schema": _schema("Error")}}
    return {
        kind.__name__: {"description": (kind.__doc__ or kind.code).strip(), "content": content}
        for kind in _error_kinds()
    }


def _error_kinds() -> Iterator[type[LakouError]]:
    """The closed family, one class for each status."""
    return iter(LakouError.__subclasses__())


def _parameters(limits: Limits) -> Json:
    natural = {"type": "integer", "minimum": 0}
    options: dict[str, tuple[Json, str]] = {
        "filter": (_TEXT, "Which entities: result gt 5 and phenomenonTime ge 2026-11-22T00:00:00Z"),
        "count": ({"type": "boolean"}, "Whether @iot.count is told"),
        "countMode": ({"enum": list(COUNT_MODES)}, "An estimate is faster and said to be one"),
        "orderby": (_TEXT, "phenomenonTime desc,id"),
        "skip": (natural, "How many entities to leave out; next links are faster"),
        "top": (natural | {"default": limits.default_top}, f"How many entities a page has, at most {limits.max_top}"),
        "skiptoken": (_TEXT, "Made by this service: follow @iot.nextLink as it is"),
        "expand": (_TEXT, "Datastreams($select=name;$expand=Observations($top=1))"),
        "select": (_TEXT, "name,properties/owner, or distinct:name"),
        "apply": (
            _TEXT,
            "groupby((bucket(phenomenonTime,duration'PT1H') as hour),aggregate(result with mean as mean))",
        ),
        "resultFormat": ({"enum": ["json", "dataArray", "CSV", "GeoJSON"]}, "The form of the answer"),
        "resultMetadata": ({"enum": ["full", "minimal", "off"]}, "How much control information the answer holds"),
    }
    found: Json = {
        name: {"name": f"${name}", "in": "query", "description": text, "schema": schema}
        for name, (schema, text) in options.items()
    }
    found["id"] = {"name": "id", "in": "path", "required": True, "schema": _KINDS[Kind.ID]}
    found["ifMatch"] = {"name": "If-Match", "in": "header", "description": "The ETag that is changed", "schema": _TEXT}
    found["idempotencyKey"] = {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "The same key again gives the first outcome and creates nothing",
        "schema": _TEXT,
    }
    return found


def _options(names: tuple[str, ...]) -> list[Json]:
    return [_parameter(name) for name in names]


def _parameter(name: str) -> Json:
    return {"$ref": f"#/components/parameters/{name}"}


def _schema(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _wire(prop: Property) -> str:
    return "@iot.id" if prop.kind is Kind.ID else prop.name


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:]
