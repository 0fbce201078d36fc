"""The query string of the event stream: what it selects, and how it is refused."""

from __future__ import annotations

import pytest

from lakou.kernel.errors import BadRequest
from lakou.sensorthings.access import DELETED
from lakou.sensorthings.selection import Selection, is_visible, selected
from lakou.sensorthings.store.details import Detail, Place

OPEN = frozenset({0})
DETAIL = Detail(thing_id=3, thing_scope=0, properties=((4, 0), (5, 7)))
HERE = Place(0, (-61.1, 14.5, -61.0, 14.6), is_feature=True)
THERE = Place(0, (10, 10, 11, 11), is_feature=False)


def takes(query: str, *places: Place, reads: frozenset[int] | None = OPEN) -> bool:
    return selected(query)[0].takes(1, DETAIL, places, reads)


def test_nothing_selects_everything() -> None:
    assert selected("") == (Selection(), None)
    assert takes("")


def test_the_parts_are_joined_by_and() -> None:
    assert takes("datastream=1,2&thing=3&property=4")
    assert not takes("datastream=1,2&thing=4&property=4")
    assert not takes("datastream=2&thing=3")


def test_what_may_not_be_seen_selects_nothing() -> None:
    assert not takes("property=5")
    assert takes("property=5", reads=None)
    hidden = Place(7, (-61, 14, -61, 14), is_feature=True)
    assert not takes("area=-62,14,-60,15", hidden)
    assert takes("area=-62,14,-60,15", hidden, reads=frozenset({0, 7}))


def test_an_area_goes_by_the_feature_first() -> None:
    assert takes("area=-62,14,-60,15", HERE, THERE)
    assert not takes("area=9,9,12,12", HERE, THERE)
    assert takes("area=9,9,12,12", THERE)
    assert not takes("area=9,9,12,12")


def test_an_area_may_cross_the_antimeridian() -> None:
    fiji = Place(0, (179.9, -17, 180, -16), is_feature=True)
    samoa = Place(0, (-172, -14, -171, -13), is_feature=True)
    assert takes("area=170,-20,-170,-10", fiji)
    assert takes("area=170,-20,-170,-10", samoa)
    assert not takes("area=-170,-20,170,-10", samoa)


def test_borders_touch() -> None:
    assert takes("area=-61,14.6,-60,15", HERE)


def test_unknown_and_deleted_scopes_are_not_visible() -> None:
    assert not is_visible(None, DELETED)
    assert not is_visible(OPEN, 9)
    assert is_visible(None, 9)


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("datastream=x", "datastream"),
        ("datastream=", "datastream"),
        ("thing=1,-2", "thing"),
        ("property=1.5", "property"),
        ("datastream=1&datastream=2", "datastream"),
        ("datastream=" + ",".join(["1"] * 1001), "datastream"),
        ("area=1,2,3", "area"),
        ("area=1,2,3,nan", "area"),
        ("area=0,50,1,40", "area"),
        ("area=0,0,181,1", "area"),
        ("colour=red", "query"),
        ("&".join(f"a{n}=1" for n in range(30)), "query"),
    ],
)
def test_a_wrong_value_is_refused_with_place_and_hint(query: str, place: str) -> None:
    with pytest.raises(BadRequest) as caught:
        selected(query)
    assert caught.value.place == place
    assert caught.value.hint
