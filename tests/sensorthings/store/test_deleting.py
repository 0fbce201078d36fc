"""Deletion: what falls with what (18-088 §10.4), gone at once for readers, purged in slices behind."""

from __future__ import annotations

import time

import pytest

from lakou.sensorthings.model import BY_PLURAL
from lakou.sensorthings.sql.dialect import Statement
from lakou.sensorthings.store import deleting
from tests.sensorthings import bodies
from tests.sensorthings.bodies import ref
from tests.sensorthings.caller import Caller, Store

ALL = set(BY_PLURAL)


@pytest.fixture
def full(caller: Caller) -> Caller:
    stream = bodies.datastream(Observations=[{"result": 1, "phenomenonTime": "2026-01-01T00:00:00Z"}])
    caller.make("Things", bodies.station(Datastreams=[stream]))
    caller.make("Things(1)/MultiDatastreams", bodies.multi_datastream(2))
    caller.make("MultiDatastreams(2)/Observations", {"result": [1, 2]})
    return caller


@pytest.mark.parametrize(
    ("target", "gone"),
    [
        ("Things(1)", {"Things", "Datastreams", "MultiDatastreams", "Observations", "HistoricalLocations"}),
        ("Locations(1)", {"Locations", "HistoricalLocations"}),
        ("HistoricalLocations(1)", {"HistoricalLocations"}),
        ("Sensors(1)", {"Datastreams"}),
        ("Sensors(2)", {"MultiDatastreams"}),
        ("ObservedProperties(1)", {"Datastreams"}),
        ("ObservedProperties(2)", {"MultiDatastreams"}),
        ("FeaturesOfInterest(1)", {"FeaturesOfInterest", "Observations"}),
        ("Datastreams(1)", {"Datastreams"}),
        ("MultiDatastreams(2)", {"MultiDatastreams"}),
    ],
)
def test_what_falls_with_what(full: Caller, target: str, gone: set[str]) -> None:
    assert full.call("DELETE", target).status == 200
    assert {plural for plural in ALL if not full.read(plural)["value"]} == gone
    assert full.call("GET", target).status == 404
    assert full.call("DELETE", target).status == 404
    change = {"time": "2026-01-01T00:00:00Z"} if "Hist" in target else {"name": "x"}
    assert full.call("PATCH", target, change).status == 404


def test_what_is_deleted_stays_so_after_a_restart(full: Caller) -> None:
    full.call("DELETE", "Things(1)")
    full.restart()
    assert full.ids("Observations") == full.ids("Things") == []
    assert full.make("Things", bodies.thing()) == 2


def test_nothing_can_be_linked_to_what_is_deleted(full: Caller) -> None:
    full.make("Things", bodies.thing("second"))
    for target in ("Sensors(1)", "Locations(1)", "Things(1)"):
        full.call("DELETE", target)
    assert full.call("PATCH", "Things(2)", {"Locations": [ref(1)]}).status == 404
    assert full.call("POST", "Things(2)/Datastreams", bodies.datastream(Sensor=ref(1))).status == 404
    assert full.call("POST", "Observations", {"result": 1, "Datastream": ref(1)}).status == 404
    assert full.call("POST", "Things(1)/Datastreams", bodies.datastream()).status == 404


def test_a_filter_deletes_what_it_finds_and_no_more(full: Caller) -> None:
    for n in range(6):
        full.make("Datastreams(1)/Observations", {"result": n, "phenomenonTime": f"2026-02-0{n + 1}T00:00:00Z"})
    assert full.call("DELETE", "Datastreams(1)/Observations?$filter=result%20gt%202").status == 200
    found = full.read("Datastreams(1)/Observations?$orderby=id")["value"]
    assert [o["result"] for o in found] == [1, 0, 1, 2]
    assert full.call("DELETE", "Things?$filter=name%20eq%20'nobody'").status == 200
    assert full.call("DELETE", "Observations?$filter=result%20gt%202&$top=1").status == 400


def test_more_than_a_slice_is_deleted_by_one_request(full: Caller, store: Store) -> None:
    count = deleting.SLICE + 150
    rows = [[n, f"2026-03-01T{n // 3600:02}:{n // 60 % 60:02}:{n % 60:02}Z"] for n in range(count)]
    group = {"Datastream": ref(1), "components": ["result", "phenomenonTime"], "dataArray": rows}
    full.call("POST", "CreateObservations", [group])
    assert full.read("Datastreams(1)/Observations?$count=true&$top=0")["@iot.count"] == count + 1
    assert full.call("DELETE", "Datastreams(1)/Observations?$filter=id%20gt%200").status == 200
    assert full.ids("Datastreams(1)/Observations") == []


def test_what_is_deleted_is_purged_from_the_tables(full: Caller, store: Store) -> None:
    full.call("DELETE", "Things(1)")
    full.call("DELETE", "FeaturesOfInterest(1)")
    tables = ("thing", "datastream", "historical_location", "observation", "purge", "feature_datastream")
    database = store.open()
    try:
        deadline = time.monotonic() + 5
        left = {"": 1}
        while any(left.values()) and time.monotonic() < deadline:
            time.sleep(0.02)
            left = {t: database.read(Statement(f"select count(*) from {t}", {}), 5.0)[0][0] for t in tables}  # noqa: S608
        assert left == dict.fromkeys(tables, 0)
    finally:
        database.close()
