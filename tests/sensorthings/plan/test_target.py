"""Resource paths: sets, entities, properties and their parts; what leads nowhere is 404."""

from __future__ import annotations

import pytest

from lakou.kernel.errors import NotFound
from lakou.sensorthings.grammar.path import parse_path
from lakou.sensorthings.plan.target import Target, resolve


def target(path: str) -> Target:
    return resolve(parse_path(path))


@pytest.mark.parametrize(
    ("path", "hops", "single"),
    [
        ("Things", [("Thing", None)], False),
        ("Things(1)", [("Thing", 1)], True),
        ("Things(1)/Datastreams", [("Thing", 1), ("Datastream", None)], False),
        ("Things(1)/Datastreams(2)", [("Thing", 1), ("Datastream", 2)], True),
        ("Datastreams(2)/Thing", [("Datastream", 2), ("Thing", None)], True),
        ("Datastreams(2)/Thing/Locations", [("Datastream", 2), ("Thing", None), ("Location", None)], False),
        ("Observations(1)/FeatureOfInterest", [("Observation", 1), ("FeatureOfInterest", None)], True),
    ],
)
def test_hops_of_a_path(path: str, hops: list[tuple[str, int | None]], single: bool) -> None:
    found = target(path)
    assert [(h.type.name, h.key) for h in found.hops] == hops
    assert found.single is single
    assert found.member is None


@pytest.mark.parametrize(
    ("path", "member", "sub", "raw"),
    [
        ("Things(1)/name", "name", (), False),
        ("Things(1)/name/$value", "name", (), True),
        ("Things(1)/properties/a/b", "properties", ("a", "b"), False),
        ("Things(1)/properties/a[0]/b/$value", "properties", ("a", 0, "b"), True),
        ("Things(1)/@iot.id", "id", (), False),
        ("Things(1)/id", "id", (), False),
        ("Datastreams(1)/unitOfMeasurement/symbol", "unitOfMeasurement", ("symbol",), False),
        ("Datastreams(1)/observedArea/type", "observedArea", ("type",), False),
        ("Observations(1)/result/a", "result", ("a",), False),
        ("Datastreams(1)/Thing/name", "name", (), False),
    ],
)
def test_properties_of_an_entity(path: str, member: str, sub: tuple[str | int, ...], raw: bool) -> None:
    found = target(path)
    assert found.member is not None
    assert (found.member.name, found.sub, found.raw, found.single) == (member, sub, raw, True)


def test_ref_and_count() -> None:
    assert target("Things/$ref").ref
    assert target("Things(1)/$ref").ref
    assert target("Things(1)/Datastreams/$ref").ref
    assert target("Things/$count").count
    assert target("Things(1)/Datastreams/$count").count


@pytest.mark.parametrize(
    ("path", "at"),
    [
        ("Thangs", 0),
        ("Thing", 0),
        ("Things(1)/Datastream", 10),
        ("Things/Datastreams", 7),
        ("Things/name", 7),
        ("Things(1)/nme", 10),
        ("Things(1)/name/first", 15),
        ("Things(1)/name/$ref", 15),
        ("Things(1)/$count", 10),
        ("Things(1)/$value", None),
        ("Things('a')", 0),
        ("Datastreams(1)/Thing(1)", 15),
        ("Things/$ref/$ref", 7),
        ("$metadata", 0),
        ("Things(1)/properties(1)", 10),
    ],
)
def test_what_is_not_there_is_not_found(path: str, at: int | None) -> None:
    with pytest.raises(NotFound) as caught:
        target(path)
    if at is not None:
        assert caught.value.place == f"path:{at}"
