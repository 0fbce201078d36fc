"""JSON bodies → checked values: entity trees for entities, `Reading`s for Observations.

Errors are 400 with a JSON pointer. What the server makes itself (ids, links, extents) is ignored when sent
(18-088 §10.2.1); unknown members are refused. No rights and no references are checked here.
"""

from __future__ import annotations

import struct
from hashlib import blake2b
from typing import Any

import msgspec

from lakou.kernel import geometry, jsontext, time
from lakou.kernel.errors import BadRequest
from lakou.sensorthings.model import (
    DATASTREAM,
    MULTI_DATASTREAM,
    OBSERVATION,
    OM_COMPLEX,
    EntityType,
    Kind,
    Link,
    Property,
    ResultType,
)

GEOJSON = ("application/vnd.geo+json", "application/geo+json", "application/geojson")
VISIBILITY = "@lakou.visibility"
POLICY = "@lakou.onDifferent"
RETENTION = "@lakou.retention"
KEPT = {"raw": "keep_raw", "hourly": "keep_hourly", "daily": "keep_daily"}
POLICIES = ("keep-all", "replace", "reject")
EXACT = 2**53
_DAY_US = 86_400_000_000
_RETENTION_HINT = '{"raw": "P730D", "hourly": "P3650D"}'
_DOUBLE, _BITS = struct.Struct("<d"), struct.Struct("<q")


class Ref(msgspec.Struct, frozen=True):
    """A link to a stored entity."""

    id: int
    place: str


class Tree(msgspec.Struct):
    """A checked entity with its inline or linked relations.

    `columns` are values by column name (times as micros, JSON as text); `geometry` is WKB. `links` holds what
    each link leads to. `visibility` is "public", "restricted" or None when not said.
    """

    type: EntityType
    place: str
    columns: dict[str, Any]
    links: dict[str, list[Ref | Tree]]
    geometry: bytes | None = None
    box: tuple[float, float, float, float] | None = None
    visibility: str | None = None
    reading: Reading | None = None

    def set_links(self, name: str, values: list[Ref | Tree]) -> None:
        """Replace what a link leads to, e.g. by the parent of a nested POST."""
        self.links[name] = values


class Reading(msgspec.Struct, gc=False):
    """One Observation as it will be stored. Times are micros; JSON columns are text.

    `explicit` tells that phenomenonTime was sent; only then is there a `digest`, the identity of a replay
    (DESIGN §4 rule 6). `feature` is the id or the tree that was sent, if any.
    """

    time_start: int
    time_end: int | None
    result_time: int | None
    valid_start: int | None
    valid_end: int | None
    result_type: int
    result_number: float | None
    result_boolean: bool | None
    result_text: str | None
    result_json: str | None
    result_quality: str | None
    parameters: str | None
    explicit: bool
    feature: Ref | Tree | None
    digest: int | None


# ── Observations ──


def reading(body: dict[str, Any], place: str = "") -> Reading:
    """The Observation of a JSON object; links other than FeatureOfInterest are left to the caller."""
    sent = body.get("phenomenonTime")
    if sent is None:
        start, end = time.now(), None
    elif isinstance(sent, str):
        start, end = _time(sent, place, "phenomenonTime")
    else:
        raise _wrong("phenomenonTime", "an ISO 8601 time", place)
    if "result" not in body:
        raise BadRequest("An Observation needs a result", place=f"{place}/result", code="missing")
    kind, number, boolean, text, json = result(body["result"])
    result_time = _optional_instant(body.get("resultTime"), place, "resultTime")
    valid = _optional_interval(body.get("validTime"), place, "validTime")
    quality = _json(body.get("resultQuality"))
    parameters = _object(body.get("parameters"), place, "parameters")
    feature = body.get("FeatureOfInterest")
    linked = None if feature is None else _linked(_FEATURE_LINK, feature, f"{place}/FeatureOfInterest")
    digest = None
    if sent is not None:
        if quality is None and parameters is None and feature is None and valid == (None, None):
            digest = digest_of(end, number, boolean, text, json, result_time)
        else:
            more = (valid, body.get("resultQuality"), body.get("parameters"), feature)
            digest = digest_of(end, number, boolean, text, json, result_time, jsontext.canonical(more))
    return Reading(
        start, end, result_time, *valid, kind, number, boolean, text, json, quality, parameters,
        sent is not None, linked, digest,
    )  # fmt: skip


def simple_reading(sent: str, value: Any, result_time: str | None) -> Reading:
    """As `reading`, for the three members that nearly all rows of data arrays have; raises BadRequest."""
    start, end = (time.parse_instant(sent), None) if "/" not in sent else time.parse_time_value(sent)
    produced = None if result_time is None else time.parse_instant(result_time)
    if type(value) is float:
        number: float | None = value
        kind, boolean, text, json = ResultType.FLOAT, None, None, None
    else:
        kind, number, boolean, text, json = result(value)
    digest = digest_of(end, number, boolean, text, json, produced)
    return Reading(
        start, end, produced, None, None, kind, number, boolean, text, json, None, None, True, None, digest
    )  # fmt: skip


def result(value: Any) -> tuple[int, float | None, bool | None, str | None, str | None]:
    """(type tag, number, boolean, text, JSON text) of an untyped result."""
    if value is None:
        return ResultType.NULL, None, None, None, None
    if isinstance(value, bool):
        return ResultType.BOOLEAN, None, value, None, None
    if isinstance(value, float):
        return ResultType.FLOAT, value, None, None, None
    if isinstance(value, int):
        digits = str(value) if abs(value) > EXACT else None
        return ResultType.INTEGER, float(value), None, None, digits
    if isinstance(value, str):
        return ResultType.TEXT, None, None, value, None
    return ResultType.JSON, None, None, None, jsontext.encode(value).decode()


def digest_of(
    end: int | None,
    number: float | None,
    boolean: bool | None,
    text: str | None,
    json: str | None,
    result_time: int | None,
    more: bytes = b"",
) -> int:
    """64 bits over the fields as sent, besides Datastream and phenomenonTime: the identity of a replay.

    1 and 1.0 are the same. `more` is the canonical JSON of the rarer members, empty when there is none.
    """
    if number is not None and end is None and json is None and result_time is None and not more:
        return bits(number)
    if json is not None:
        more += jsontext.canonical(jsontext.decode(json))
    if number is not None:
        number += 0.0  # -0.0 is 0
    content = f"{end}|{number!r}|{boolean}|{text!r}|{result_time}|".encode()
    return int.from_bytes(blake2b(content + more, digest_size=8).digest(), signed=True)


def bits(number: float) -> int:
    """A number alone is its own digest: 64 bits, different for different numbers; adding 0 makes -0.0 and 0 one."""
    return int(_BITS.unpack(_DOUBLE.pack(number + 0.0))[0])


def check_observation(body: dict[str, Any], place: str) -> None:
    """Refuse members that an Observation does not have."""
    for name in body:
        if name not in _OBSERVATION_MEMBERS and not _is_control(name):
            raise _unknown(name, OBSERVATION, place)


_OBSERVATION_MEMBERS = frozenset({p.name for p in OBSERVATION.properties} | {link.name for link in OBSERVATION.links})


# ── entities ──


def tree(type_: EntityType, body: Any, place: str = "", *, given: tuple[str, ...] = ()) -> Tree:
    """The checked tree of a new entity; `given` names links that the URL or the parent provides."""
    found = _entity(type_, body, place, partial=False)
    for prop in type_.properties:
        if prop.required and not any(c in found.columns for c in prop.columns) and prop.kind is not Kind.RESULT:
            raise BadRequest(f"{type_.name} needs '{prop.name}'", place=f"{place}/{prop.name}", code="missing")
    for link in type_.links:
        if link.required and not found.links.get(link.name) and link.name not in given:
            raise BadRequest(f"{type_.name} needs a {link.name}", place=f"{place}/{link.name}", code="missing")
    _check_streams(found, given)
    return found


def changes(type_: EntityType, body: Any, place: str = "", *, whole: bool = False) -> Tree:
    """The checked tree of a PATCH (or, `whole`, of a PUT): links may only name stored entities."""
    found = _entity(type_, body, place, partial=True)
    for values in found.links.values():
        for value in values:
            if isinstance(value, Tree):
                raise BadRequest(
                    "Related entities cannot be changed here",
                    place=value.place,
                    code="inline_entity",
                    hint='Link with {"@iot.id": …}.',
                )
    if whole:
        _reset(type_, found, place)
    return found


def _reset(type_: EntityType, found: Tree, place: str) -> None:
    """PUT: what is not sent goes back to empty, what is required must be sent (18-088 §10.3.2)."""
    for prop in type_.properties:
        if prop.derived or prop.kind is Kind.ID or any(c in found.columns for c in prop.columns):
            continue
        if prop.name == "phenomenonTime":
            continue
        if prop.required:
            raise BadRequest(f"{type_.name} needs '{prop.name}'", place=f"{place}/{prop.name}", code="missing")
        found.columns.update(dict.fromkeys(prop.columns))


def _entity(type_: EntityType, body: Any, place: str, *, partial: bool) -> Tree:
    if not isinstance(body, dict):
        raise BadRequest(f"A {type_.name} is a JSON object", place=place or "/", code="type_mismatch")
    found = Tree(type_, place, {}, {})
    if type_ is OBSERVATION and not partial:
        check_observation(body, place)
        found.reading = reading(body, place)
        for stream in type_.links:
            if stream.name != "FeatureOfInterest" and body.get(stream.name) is not None:
                found.links[stream.name] = [_linked(stream, body[stream.name], f"{place}/{stream.name}")]
        found.columns = {"result_type": found.reading.result_type}
        return found
    for name, value in body.items():
        prop, link = type_.property(name), type_.link(name)
        if name == VISIBILITY:
            if value not in ("public", "restricted"):
                raise _wrong(name, '"public" or "restricted"', place)
            found.visibility = value
        elif name == POLICY and type_ in (DATASTREAM, MULTI_DATASTREAM):
            if value not in POLICIES:
                raise _wrong(name, " or ".join(f'"{p}"' for p in POLICIES), place)
            found.columns["on_different"] = value
        elif name == RETENTION and type_ in (DATASTREAM, MULTI_DATASTREAM):
            found.columns |= _kept(value, f"{place}/{name}")
        elif prop is not None and prop.kind is not Kind.ID and not prop.derived:
            _property(found, prop, value, place, body)
        elif link is not None:
            found.links[name] = _links(link, value, f"{place}/{name}", partial=partial)
        elif prop is None and not _is_control(name):
            raise _unknown(name, type_, place)
    return found


def _property(found: Tree, prop: Property, value: Any, place: str, body: dict[str, Any]) -> None:
    name = prop.name
    if value is None and (prop.required and prop.kind is not Kind.RESULT):
        raise BadRequest(f"'{name}' cannot be null", place=f"{place}/{name}", code="missing")
    match prop.kind:
        case Kind.TEXT:
            if value is not None and not isinstance(value, str):
                raise _wrong(name, "a text", place)
            values: tuple[Any, ...] = (value,)
        case Kind.OBJECT:
            values = (_object(_without_own_links(value), place, name),)
        case Kind.JSON:
            values = (_json(value),)
        case Kind.INSTANT:
            values = (_optional_instant(value, place, name),)
        case Kind.INTERVAL:
            values = _optional_interval(value, place, name)
        case Kind.TIME:
            if not isinstance(value, str):
                raise _wrong(name, "an ISO 8601 time", place)
            values = _time(value, place, name)
        case Kind.GEOMETRY:
            encoding = body.get("encodingType", GEOJSON[0])
            if encoding in GEOJSON:
                shape = geometry.from_geojson(value, place=f"{place}/{name}")
                if shape is not None and not shape.is_empty:
                    found.geometry, found.box = geometry.to_wkb(shape), geometry.bounds(shape)
            values = (_json(value),)
        case _:
            values = result(value)
    found.columns.update(zip(prop.columns, values, strict=True))


def _links(link: Link, value: Any, place: str, *, partial: bool) -> list[Ref | Tree]:
    if not link.many:
        if value is None:
            raise BadRequest(f"'{link.name}' cannot be null", place=place, code="missing")
        return [_linked(link, value, place, partial=partial)]
    if not isinstance(value, list):
        raise BadRequest(f"'{link.name}' is an array", place=place, code="type_mismatch")
    return [_linked(link, item, f"{place}/{n}", partial=partial) for n, item in enumerate(value)]


def _linked(link: Link, value: Any, place: str, *, partial: bool = False) -> Ref | Tree:
    if not isinstance(value, dict):
        raise BadRequest(
            f"'{link.name}' is an entity", place=place, code="type_mismatch", hint='{"@iot.id": 1} or an inline entity'
        )
    if "@iot.id" in value:
        id_ = value["@iot.id"]
        if isinstance(id_, bool) or not isinstance(id_, int):
            raise BadRequest("Ids are integers", place=f"{place}/@iot.id", code="type_mismatch")
        return Ref(id_, place)
    if partial:
        return Tree(link.type, place, {}, {})
    return tree(link.type, value, place, given=(link.inverse,))


def _check_streams(found: Tree, given: tuple[str, ...]) -> None:
    if found.type is OBSERVATION:
        streams = [n for n in ("Datastream", "MultiDatastream") if n in found.links or n in given]
        if not streams:
            raise BadRequest("An Observation needs a Datastream", place=f"{found.place}/Datastream", code="missing")
    if found.type is MULTI_DATASTREAM:
        check_multi(found.columns, len(found.links.get("ObservedProperties", ())), found.place)
        found.columns["observation_type"] = OM_COMPLEX
    if found.type in (DATASTREAM, MULTI_DATASTREAM):
        for child in found.links.get("Observations", ()):
            if isinstance(child, Ref):
                raise BadRequest("An Observation cannot change its Datastream here", place=child.place, code="link")


def check_multi(columns: dict[str, Any], properties: int, place: str) -> None:
    """The three lists of a MultiDatastream have one length (18-088 §14.1, multi-datastream/constraints)."""
    types = msgspec.json.decode(columns["multi_observation_data_types"])
    units = msgspec.json.decode(columns["unit_of_measurements"])
    if not isinstance(types, list) or not all(isinstance(t, str) for t in types):
        raise _wrong("multiObservationDataTypes", "an array of texts", place)
    if not isinstance(units, list) or not all(isinstance(u, dict) for u in units):
        raise _wrong("unitOfMeasurements", "an array of objects", place)
    if not len(types) == len(units) == properties:
        raise BadRequest(
            f"{len(types)} data types, {len(units)} units and {properties} ObservedProperties do not match",
            place=f"{place}/multiObservationDataTypes",
            code="multi_datastream",
            hint="All three have one entry for each member of the result.",
        )
    given = columns.get("observation_type")
    if given is not None and given != OM_COMPLEX:
        raise BadRequest(f"The observationType is {OM_COMPLEX}", place=f"{place}/observationType", code="value")


# ── single values ──


def _time(text: str, place: str, name: str) -> tuple[int, int | None]:
    try:
        if "/" in text:
            return time.parse_time_value(text)
        return time.parse_instant(text), None
    except BadRequest as error:
        raise BadRequest(error.message, place=f"{place}/{name}", hint=error.hint, code=error.error_code) from None


def _optional_instant(value: Any, place: str, name: str) -> int | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise _wrong(name, "an ISO 8601 instant", place)
    start, end = _time(value, place, name)
    if end is not None:
        raise _wrong(name, "an instant, not an interval", place)
    return start


def _optional_interval(value: Any, place: str, name: str) -> tuple[int | None, int | None]:
    if value is None:
        return None, None
    if not isinstance(value, str):
        raise _wrong(name, "an ISO 8601 interval start/end", place)
    start, end = _time(value, place, name)
    if end is None:
        raise _wrong(name, "an interval start/end", place)
    return start, end


def _kept(value: Any, place: str) -> dict[str, int | None]:
    """How long a Datastream keeps what, in micros; what is not named, or null, is kept as the site says."""
    if value is not None and (not isinstance(value, dict) or not value.keys() <= KEPT.keys()):
        raise BadRequest("Retention names raw, hourly, daily", place=place, code="type_mismatch", hint=_RETENTION_HINT)
    found: dict[str, int | None] = dict.fromkeys(KEPT.values())
    for name, text in (value or {}).items():
        if text is None:
            continue
        try:
            lasts = time.parse_duration(text) if isinstance(text, str) else 0
        except BadRequest:
            lasts = 0
        if lasts < _DAY_US:
            raise BadRequest(
                "A duration of a day at least is needed", place=f"{place}/{name}", code="value", hint=_RETENTION_HINT
            )
        found[KEPT[name]] = lasts
    return found


def _json(value: Any) -> str | None:
    return None if value is None else jsontext.encode(value).decode()


def _object(value: Any, place: str, name: str) -> str | None:
    if value is not None and not isinstance(value, dict):
        raise _wrong(name, "a JSON object", place)
    return _json(value)


def _without_own_links(value: Any) -> Any:
    """Drop what the server adds to a client's own links when it renders them (extension EntityLinking)."""
    if not isinstance(value, dict):
        return value
    names = [n.removesuffix("@iot.id") for n in value if n.endswith("@iot.id") and "." in n.removesuffix("@iot.id")]
    if not names:
        return value
    return {k: v for k, v in value.items() if not any(k.startswith(n) and k != f"{n}@iot.id" for n in names)}


def _is_control(name: str) -> bool:
    return name == "id" or "@iot." in name or name.startswith("@")


def _wrong(name: str, wanted: str, place: str) -> BadRequest:
    return BadRequest(f"'{name}' must be {wanted}", place=f"{place}/{name}", code="type_mismatch")


def _unknown(name: str, type_: EntityType, place: str) -> BadRequest:
    shown = name if len(name) <= 60 else name[:57] + "…"
    known = ", ".join([p.name for p in type_.properties[1:]] + [link.name for link in type_.links])
    pointer = jsontext.pointer([shown])
    return BadRequest(
        f"A {type_.name} has no '{shown}'", place=f"{place}{pointer}", code="unknown_name", hint=f"Known: {known}"
    )


_feature_link = OBSERVATION.link("FeatureOfInterest")
assert _feature_link is not None  # noqa: S101  the model has it
_FEATURE_LINK: Link = _feature_link
