"""The service as a whole, called from inside the process: routes, methods, errors as answers."""

from __future__ import annotations

import pytest

from lakou.sensorthings.access import ANONYMOUS
from lakou.sensorthings.model import BY_PLURAL
from lakou.sensorthings.reading import LARGE, LARGE_WAITING
from tests.sensorthings import bodies
from tests.sensorthings.caller import READER, Caller, body_of


def test_root_lists_every_set(caller: Caller) -> None:
    root = caller.read("", who=ANONYMOUS)
    assert [entry["name"] for entry in root["value"]] == list(BY_PLURAL)
    assert all(entry["url"] == f"http://test/sta/v1.1/{entry['name']}" for entry in root["value"])


def test_deep_insert_is_read_back_by_every_path(caller: Caller) -> None:
    thing = caller.make("Things", bodies.station(Datastreams=[bodies.datastream(Observations=[{"result": 4}])]))
    assert caller.read(f"Things({thing})/Datastreams(1)/Observations")["value"][0]["result"] == 4
    assert caller.read("Observations(1)/Datastream/Thing")["@iot.id"] == thing
    assert caller.read("Observations(1)/FeatureOfInterest")["feature"] == bodies.point()
    assert caller.read(f"Things({thing})/HistoricalLocations?$expand=Locations")["value"][0]["Locations"]


@pytest.mark.parametrize(
    ("method", "target", "status", "code"),
    [
        ("PATCH", "Things", 405, "method_not_allowed"),
        ("POST", "Things(1)", 405, "method_not_allowed"),
        ("POST", "", 405, "method_not_allowed"),
        ("PATCH", "Things(1)/name", 405, "method_not_allowed"),
        ("TRACE", "Things", 405, "method_not_allowed"),
        ("DELETE", "Things", 400, "missing"),
        ("GET", "Thangs", 404, "not_found"),
        ("GET", "Things(1)", 404, "not_found"),
        ("GET", "Things(1)/Datastreams", 404, "not_found"),
        ("GET", "Things?$nosuch=1", 501, "unsupported_option"),
        ("GET", "Things?$resultFormat=xml", 400, "option_value"),
        ("GET", "Things(1)?$top=1", 400, "option_not_allowed"),
        ("GET", "Things?$resultFormat=dataArray", 400, "result_format"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_code(
    caller: Caller, method: str, target: str, status: int, code: str
) -> None:
    answer = caller.call(method, target, {} if method in ("POST", "PATCH") else None)
    assert (answer.status, body_of(answer)["code"]) == (status, code)


def test_writing_needs_a_token_that_may_write(caller: Caller) -> None:
    assert caller.call("POST", "Things", bodies.thing(), who=ANONYMOUS).status == 401
    assert caller.call("POST", "Things", bodies.thing(), who=READER).status == 403


def test_a_restart_keeps_what_was_acknowledged(caller: Caller) -> None:
    thing = caller.make("Things", bodies.station())
    caller.restart()
    assert caller.read(f"Things({thing})")["name"] == "station"
    assert caller.make("Things", bodies.thing()) == thing + 1


def test_who_asks_for_a_large_page_behind_too_many_others_is_refused_at_once(caller: Caller) -> None:
    caller.make("Things", bodies.station())
    answers = caller.together([("GET", f"Things?$top={LARGE + 1}", None)] * (LARGE_WAITING + 5))
    assert sorted(answer.status for answer in answers) == [200] * LARGE_WAITING + [503] * 5
    assert {answer.header(b"retry-after") for answer in answers if answer.status == 503} == {"1"}
    assert caller.call("GET", f"Things?$top={LARGE + 1}").status == 200
