"""Bodies: what is taken, what is refused and where, and what makes the identity of an Observation."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakou.kernel import jsontext, time
from lakou.kernel.errors import BadRequest, LakouError
from lakou.sensorthings import payload
from lakou.sensorthings.model import (
    BY_NAME,
    DATASTREAM,
    LOCATION,
    MULTI_DATASTREAM,
    OBSERVATION,
    OM_COMPLEX,
    THING,
    EntityType,
    ResultType,
)
from lakou.sensorthings.payload import Ref, Tree
from tests.sensorthings import bodies
from tests.sensorthings.bodies import ref

TIME = "2026-05-01T00:00:00Z"


def refusal(type_: EntityType, body: Any, **how: Any) -> tuple[str, str | None]:
    with pytest.raises(BadRequest) as caught:
        payload.tree(type_, body, **how)
    return caught.value.error_code, caught.value.place


# ── results ──


@pytest.mark.parametrize(
    ("value", "columns"),
    [
        (None, (ResultType.NULL, None, None, None, None)),
        (True, (ResultType.BOOLEAN, None, True, None, None)),
        (1, (ResultType.INTEGER, 1.0, None, None, None)),
        (1.5, (ResultType.FLOAT, 1.5, None, None, None)),
        ("1", (ResultType.TEXT, None, None, "1", None)),
        ("", (ResultType.TEXT, None, None, "", None)),
        ([1, None], (ResultType.JSON, None, None, None, "[1,null]")),
        ({}, (ResultType.JSON, None, None, None, "{}")),
        (2**53, (ResultType.INTEGER, 2.0**53, None, None, None)),
        (2**53 + 1, (ResultType.INTEGER, 2.0**53, None, None, str(2**53 + 1))),
        (-(2**63), (ResultType.INTEGER, -(2.0**63), None, None, str(-(2**63)))),
    ],
)
def test_result_columns_by_type(value: Any, columns: tuple[Any, ...]) -> None:
    assert payload.result(value) == columns


# ── Observations ──


def test_defaults_of_an_observation() -> None:
    before = time.now()
    found = payload.reading({"result": 1})
    assert before <= found.time_start <= time.now()
    assert (found.time_end, found.result_time, found.explicit, found.digest) == (None, None, False, None)


@pytest.mark.parametrize(
    ("body", "code", "place"),
    [
        ({}, "missing", "/result"),
        ({"result": 1, "phenomenonTime": 5}, "type_mismatch", "/phenomenonTime"),
        ({"result": 1, "phenomenonTime": "yesterday"}, "time_syntax", "/phenomenonTime"),
        (
            {"result": 1, "phenomenonTime": "2026-01-02T00:00:00Z/2026-01-01T00:00:00Z"},
            "time_syntax",
            "/phenomenonTime",
        ),
        ({"result": 1, "resultTime": f"{TIME}/{TIME}"}, "type_mismatch", "/resultTime"),
        ({"result": 1, "validTime": TIME}, "type_mismatch", "/validTime"),
        ({"result": 1, "parameters": [1]}, "type_mismatch", "/parameters"),
        ({"result": 1, "FeatureOfInterest": 7}, "type_mismatch", "/FeatureOfInterest"),
        ({"result": 1, "FeatureOfInterest": {"@iot.id": "x"}}, "type_mismatch", "/FeatureOfInterest/@iot.id"),
        ({"result": 1, "FeatureOfInterest": {"name": "x"}}, "missing", "/FeatureOfInterest/description"),
    ],
)
def test_a_bad_observation_is_refused_at_its_place(body: dict[str, Any], code: str, place: str) -> None:
    with pytest.raises(BadRequest) as caught:
        payload.reading(body, "")
    assert (caught.value.error_code, caught.value.place) == (code, place)


def test_unknown_members_of_an_observation_are_refused() -> None:
    with pytest.raises(BadRequest, match="resutl"):
        payload.check_observation({"resutl": 1}, "/0")
    payload.check_observation({"result": 1, "@iot.id": 7, "id": 8, "Datastream@iot.navigationLink": "x"}, "")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(value=JSON)
def test_any_result_has_one_type_and_a_digest_that_survives_json(value: Any) -> None:
    again = jsontext.decode(jsontext.encode(value))
    one, other = (payload.reading({"result": v, "phenomenonTime": TIME}) for v in (value, again))
    assert one.digest == other.digest
    filled = [c for c in (one.result_number, one.result_boolean, one.result_text) if c is not None]
    assert len(filled) <= 1


@settings(max_examples=100, deadline=None)
@given(value=JSON, produced=st.none() | st.just(TIME))
def test_the_short_way_of_data_arrays_reads_the_same(value: Any, produced: str | None) -> None:
    body = {"result": value, "phenomenonTime": TIME, "resultTime": produced}
    assert payload.simple_reading(TIME, value, produced) == payload.reading(body)


# ── entities ──


def test_a_deep_tree_is_read_whole() -> None:
    found = payload.tree(THING, bodies.station(Datastreams=[bodies.datastream(Observations=[{"result": 1}])]))
    (stream,) = found.links["Datastreams"]
    assert isinstance(stream, Tree)
    assert stream.type is DATASTREAM
    (location,) = found.links["Locations"]
    assert isinstance(location, Tree)
    assert location.box == (-61.0, 14.6, -61.0, 14.6)
    assert location.geometry is not None
    (observation,) = stream.links["Observations"]
    assert isinstance(observation, Tree)
    assert observation.reading is not None


def test_what_the_server_makes_is_ignored_when_sent() -> None:
    sent = bodies.thing() | {"@iot.id": 9, "id": 9, "@iot.selfLink": "x", "Datastreams@iot.navigationLink": "y"}
    assert set(payload.tree(THING, sent).columns) == {"name", "description"}
    stream = bodies.datastream(Thing=ref(1), phenomenonTime="x", observedArea="y", resultTime=3)
    assert "phenomenonTime" not in payload.tree(DATASTREAM, stream).columns


@pytest.mark.parametrize(
    ("type_", "body", "code", "place"),
    [
        (THING, [], "type_mismatch", "/"),
        (THING, {"description": ""}, "missing", "/name"),
        (THING, {"name": None, "description": ""}, "missing", "/name"),
        (THING, {"name": 5, "description": ""}, "type_mismatch", "/name"),
        (THING, bodies.thing(properties=[1]), "type_mismatch", "/properties"),
        (THING, bodies.thing(colour="red"), "unknown_name", "/colour"),
        (THING, bodies.thing() | {"a/b~c": 1}, "unknown_name", "/a~1b~0c"),
        (THING, bodies.thing(Locations=bodies.location()), "type_mismatch", "/Locations"),
        (THING, bodies.thing(Locations=[{"@iot.id": True}]), "type_mismatch", "/Locations/0/@iot.id"),
        (THING, bodies.thing(Locations=[{"name": "x"}]), "missing", "/Locations/0/description"),
        (THING, bodies.thing(Datastreams=[{**bodies.datastream(), "unitOfMeasurement": 1}]), "type_mismatch",
         "/Datastreams/0/unitOfMeasurement"),
        (THING, bodies.thing(**{payload.VISIBILITY: "hidden"}), "type_mismatch", f"/{payload.VISIBILITY}"),
        (DATASTREAM, bodies.datastream(), "missing", "/Thing"),
        (DATASTREAM, bodies.datastream(Thing=None), "missing", "/Thing"),
        (DATASTREAM, bodies.datastream(Thing=ref(1), **{payload.POLICY: "x"}), "type_mismatch", f"/{payload.POLICY}"),
        (DATASTREAM, bodies.datastream(Thing=ref(1), Observations=[ref(1)]), "link", "/Observations/0"),
        (LOCATION, bodies.location(location={"type": "Point"}), "geometry", "/location/coordinates"),
        (LOCATION, bodies.location(location={"type": "Point", "coordinates": ["a", 1]}), "geometry",
         "/location/coordinates/0"),
        (OBSERVATION, {"result": 1}, "missing", "/Datastream"),
        (MULTI_DATASTREAM, bodies.multi_datastream(Thing=ref(1)) | {"unitOfMeasurements": []}, "multi_datastream",
         "/multiObservationDataTypes"),
        (MULTI_DATASTREAM, bodies.multi_datastream(Thing=ref(1)) | {"observationType": "x"}, "value",
         "/observationType"),
        (MULTI_DATASTREAM, bodies.multi_datastream(Thing=ref(1)) | {"ObservedProperties": [ref(1)]},
         "multi_datastream", "/multiObservationDataTypes"),
    ],
)  # fmt: skip
def test_a_bad_entity_is_refused_at_its_place(type_: EntityType, body: Any, code: str, place: str) -> None:
    assert refusal(type_, body) == (code, place)


def test_a_multi_datastream_gets_its_observation_type() -> None:
    found = payload.tree(MULTI_DATASTREAM, bodies.multi_datastream(Thing=ref(1)))
    assert found.columns["observation_type"] == OM_COMPLEX


def test_other_encodings_keep_their_location_without_a_geometry() -> None:
    found = payload.tree(LOCATION, bodies.location(encodingType="text/plain") | {"location": "behind the church"})
    assert found.geometry is None
    assert found.columns["location"] == '"behind the church"'


def test_the_geojson_is_kept_as_given() -> None:
    given_ = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 2, 300]}, "properties": {"é": 1}}
    found = payload.tree(LOCATION, bodies.location(location=given_))
    assert jsontext.decode(found.columns["location"]) == given_
    assert found.box == (1, 2, 1, 2)


def test_a_clients_own_link_loses_only_what_the_server_adds() -> None:
    properties = {"near.Thing@iot.id": 1, "near.Thing@iot.navigationLink": "x", "near.Thing": {"name": "y"}, "a": 1}
    found = payload.tree(THING, bodies.thing(properties=properties))
    assert jsontext.decode(found.columns["properties"]) == {"near.Thing@iot.id": 1, "a": 1}


# ── changes ──


def test_a_patch_holds_only_what_is_sent() -> None:
    found = payload.changes(THING, {"name": "new", "Locations": [ref(3)]})
    assert found.columns == {"name": "new"}
    assert found.links == {"Locations": [Ref(3, "/Locations/0")]}


def test_a_put_resets_what_is_not_sent() -> None:
    found = payload.changes(THING, bodies.thing(), whole=True)
    assert found.columns["properties"] is None
    with pytest.raises(BadRequest) as caught:
        payload.changes(THING, {"name": "x"}, whole=True)
    assert caught.value.place == "/description"


def test_a_patch_takes_no_inline_entity() -> None:
    with pytest.raises(BadRequest) as caught:
        payload.changes(THING, {"Locations": [bodies.location()]})
    assert (caught.value.error_code, caught.value.place) == ("inline_entity", "/Locations/0")


@settings(max_examples=200, deadline=None)
@given(name=st.sampled_from(sorted(BY_NAME)), body=JSON, partial=st.booleans())
def test_any_body_is_read_or_refused(name: str, body: Any, partial: bool) -> None:
    type_ = BY_NAME[name]
    whole = {p.name: body for p in type_.properties} | {link.name: body for link in type_.links}
    for sent in (body, whole):
        with contextlib.suppress(LakouError):
            payload.changes(type_, sent) if partial else payload.tree(type_, sent)
