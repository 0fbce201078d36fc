"""The event stream on both databases: what is selected, who sees what, coming back, and clients that are too slow."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from lakou.kernel.errors import Unauthorized
from lakou.sensorthings import broadcast
from lakou.sensorthings.access import ADMIN, Principal
from lakou.sensorthings.limits import Limits
from tests.sensorthings import bodies
from tests.sensorthings.bodies import ref
from tests.sensorthings.caller import AGENT, DEVICE, Caller, Store
from tests.sensorthings.stream import Client

RESTRICTED = {"@lakou.visibility": "restricted"}


def observe(caller: Caller, result: Any, stream: int = 1, **more: Any) -> int:
    return caller.make(f"/Datastreams({stream})/Observations", {"result": result, **more})


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ticks of 20 ms: nobody has time for 100."""
    monkeypatch.setattr(broadcast, "TICK_S", 0.02)


@pytest.fixture
def station(caller: Caller) -> Caller:
    caller.make("/Things", bodies.station())
    return caller


@pytest.fixture
def two(station: Caller) -> Caller:
    """Two Things far from one another, each with a Datastream of its own property."""
    place = bodies.location("east", x=178.0, y=-17.0)
    station.make("/Things", bodies.thing("other", Locations=[place], Datastreams=[bodies.datastream()]))
    return station


def test_an_observation_is_told_once_it_is_stored(station: Caller) -> None:
    client = Client(station)
    id_ = observe(station, 4.5, phenomenonTime="2026-01-01T00:00:00Z")
    (event,) = client.until(1)
    assert event.type == "observation"
    assert event.data == {
        "datastream": 1,
        "thing": 1,
        "id": id_,
        "phenomenonTime": "2026-01-01T00:00:00Z",
        "resultTime": None,
        "result": 4.5,
    }
    assert client.reader.retry == 2000
    assert client.headers["content-type"].startswith("text/event-stream")
    assert client.headers["x-accel-buffering"] == "no"


def test_events_come_in_order_and_each_once(station: Caller) -> None:
    first, second = Client(station), Client(station)
    for n in range(30):
        observe(station, n)
    first.until(30)
    second.until(30)
    assert first.quiet() == second.events
    assert first.results == list(range(30))


SELECTIONS = {
    "datastream=1": [1],
    "datastream=1,2": [1, 2],
    "thing=2": [2, 3],
    "property=2": [2],
    "property=1,2": [1, 2],
    "area=-62,14,-60,15": [1],
    "area=170,-20,-170,-10": [2, 3],
    "area=10,10,20,20": [],
    "thing=2&datastream=1": [],
    "thing=2&property=2&area=177,-18,179,-16": [2],
    "datastream=99": [],
}


def test_selections(two: Caller) -> None:
    two.make("/Things(2)/MultiDatastreams", bodies.multi_datastream())
    everything, clients = Client(two), {query: Client(two, query) for query in SELECTIONS}
    ids = {1: observe(two, 1), 2: observe(two, 2, stream=2)}
    ids[3] = two.make("/MultiDatastreams(3)/Observations", {"result": [3, 3]})
    everything.until(3)
    everything.quiet(0.1)
    for query, expected in SELECTIONS.items():
        assert [event.data["id"] for event in clients[query].events] == [ids[n] for n in expected], query


def test_a_multi_datastream_is_found_by_each_of_its_properties(station: Caller) -> None:
    station.make("/Things(1)/MultiDatastreams", bodies.multi_datastream(2))
    clients = [Client(station, f"property={n}") for n in (2, 3)]
    station.make("/MultiDatastreams(2)/Observations", {"result": [1, 2]})
    for client in clients:
        assert client.until(1)[0].data["multiDatastream"] == 2


def test_an_area_goes_by_the_feature_that_was_sent(station: Caller) -> None:
    here, there = Client(station, "area=-62,14,-60,15"), Client(station, "area=9,9,11,11")
    feature = station.make("/FeaturesOfInterest", bodies.feature("far", x=10, y=10))
    observe(station, 1, FeatureOfInterest=ref(feature))
    assert there.until(1)[0].data["result"] == 1
    assert here.quiet() == []


def test_an_area_follows_a_thing_that_moves(station: Caller) -> None:
    there = Client(station, "area=9,9,11,11")
    observe(station, 1)
    station.make("/Things(1)/Locations", bodies.location("new", x=10, y=10))
    observe(station, 2)
    assert [event.data["result"] for event in there.until(1)] == [2]


def test_an_area_falls_back_on_the_location_when_the_feature_has_no_place(station: Caller) -> None:
    here = Client(station, "area=-62,14,-60,15")
    vague = {"name": "x", "description": "", "encodingType": "text/plain", "feature": "somewhere"}
    observe(station, 1, FeatureOfInterest=vague)
    assert here.until(1)[0].data["result"] == 1


def test_a_wrong_value_is_refused_with_place_and_hint(station: Caller) -> None:
    client = Client(station, "area=1,2,3")
    assert client.status == 400
    assert '"place":"area"' in client.body.decode()
    assert '"hint":' in client.body.decode()
    assert Client(station, "after=x").status == 400


def test_other_methods(station: Caller) -> None:
    post = Client(station, method="POST")
    assert (post.status, post.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    head = Client(station, method="HEAD")
    assert (head.status, head.body, head.is_over) == (200, b"", True)
    assert head.headers["content-type"].startswith("text/event-stream")
    assert Client(station, method="OPTIONS").status == 204
    unknown = Client(station, who=Principal(name="nobody", role="agent"))
    assert unknown.status == 401
    assert "www-authenticate" in unknown.headers


def test_only_what_may_be_seen_is_told(station: Caller) -> None:
    station.make("/Things", bodies.station("hidden", **RESTRICTED), who=DEVICE)
    anonymous, device, agent, admin = (Client(station), *(Client(station, who=w) for w in (DEVICE, AGENT, ADMIN)))
    station.make("/Datastreams(2)/Observations", {"result": 1}, who=DEVICE)
    for client in (device, admin):
        assert client.until(1)[0].data["datastream"] == 2
    assert (anonymous.quiet(), agent.events) == ([], [])


def test_a_hidden_hop_selects_nothing(station: Caller) -> None:
    """A visible Datastream of a hidden Thing, at a hidden place, observing a hidden property."""
    property_ = station.make("/ObservedProperties", bodies.observed_property("secret", **RESTRICTED))
    feature = station.make("/FeaturesOfInterest", bodies.feature("secret", x=33, y=44, **RESTRICTED))
    thing = station.make("/Things", bodies.thing("secret", **RESTRICTED))
    stream = station.make("/Things(1)/Datastreams", bodies.datastream(ObservedProperty=ref(property_)))
    assert station.call("PATCH", f"/Datastreams({stream})", {"Thing": ref(thing)}).status == 200
    asked = (f"thing={thing}", f"property={property_}", "area=32,43,34,45")
    hidden = [Client(station, query) for query in asked]
    shown = [Client(station, query, who=ADMIN) for query in asked]
    plain = Client(station)
    observe(station, 1, stream=stream, FeatureOfInterest=ref(feature))
    (event,) = plain.until(1)
    assert "thing" not in event.data
    for client in shown:
        assert client.until(1)[0].data["thing"] == thing
    assert [client.events for client in hidden] == [[], [], []]


def test_a_client_that_comes_back_gets_what_it_missed_and_no_more(station: Caller) -> None:
    stays, client = Client(station), Client(station, "datastream=1")
    observe(station, 1)
    client.until(1)
    client.leave()
    for n in (2, 3, 4):
        observe(station, n)
    stays.until(4)
    back = Client(station, "datastream=1", last=client.events[-1].id)
    observe(station, 5)
    back.until(4)
    assert [event.data["result"] for event in back.quiet()] == [2, 3, 4, 5]


def test_what_was_missed_is_read_from_the_log_after_a_restart(station: Caller) -> None:
    client = Client(station)
    observe(station, 1)
    last = client.until(1)[0].id
    client.leave()
    for n in (2, 3):
        observe(station, n)
    station.restart()
    observe(station, 4)
    back = Client(station, last=last)
    observe(station, 5)
    back.until(4)
    assert [event.data["result"] for event in back.quiet()] == [2, 3, 4, 5]
    assert all(event.type == "observation" for event in back.events)


def test_a_page_may_name_the_place_itself(station: Caller) -> None:
    client = Client(station)
    here = client.reader.last_id
    assert here
    client.leave()
    observe(station, 1)
    back = Client(station, f"after={here}")
    assert [event.data["result"] for event in back.until(1)] == [1]


def test_a_client_that_saw_no_event_comes_back_from_where_the_stream_was(
    station: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcast, "ALIVE_TICKS", 2)
    other, client = Client(station, "datastream=1"), Client(station, "datastream=99")
    started = client.reader.last_id
    observe(station, 1)
    other.until(1)
    client.quiet(0.6)
    assert client.reader.comments >= 1
    assert client.reader.last_id != started
    client.leave()
    observe(station, 2)
    back = Client(station, last=client.reader.last_id)
    assert [event.data["result"] for event in back.until(1)] == [2]


def test_an_id_that_means_nothing_here_is_answered_by_one_resync(station: Caller) -> None:
    observe(station, 1)
    station.run(asyncio.sleep(0.05))
    clients = [Client(station, last=last) for last in ("17", "x", "9" * 18 + ".1", "1.2.3.4", "9" * 18 + ".1.1")]
    fresh = Client(station, last="")
    observe(station, 2)
    for client in clients:
        assert [event.type for event in client.until(2)] == ["resync", "observation"]
    assert fresh.until(1)[0].data["result"] == 2


def test_what_is_too_old_or_too_much_is_answered_by_resync(station: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(station)
    here = client.reader.last_id
    observe(station, 1)
    observe(station, 2)
    client.until(2)
    client.leave()
    monkeypatch.setattr("lakou.sensorthings.store.past.OLDEST_S", -1)
    assert Client(station, last=here).until(1)[0].type == "resync"
    monkeypatch.undo()
    station.service.broadcast._recent._kept = 1
    station.service.broadcast._recent.clear(station.service.broadcast._recent.since)
    assert Client(station, last=here).until(1)[0].type == "resync"


def test_a_slow_client_is_told_to_look_again_and_goes_on(station: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakou.sensorthings.listener.QUEUE_EVENTS", 5)
    slow, other = Client(station), Client(station)
    slow.stuck = True
    for n in range(20):
        observe(station, n)
        other.until(n + 1)
    slow.free()
    assert [event.type for event in slow.quiet(0.1)].count("resync") == 1
    observe(station, 77)
    slow.quiet(0.1)
    assert slow.results[-1] == 77


def test_a_client_that_takes_nothing_is_cut(station: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakou.sensorthings.listener.UNSENT_BYTES", 3_000)
    slow, other = Client(station), Client(station)
    slow.stuck = True
    for n in range(30):
        observe(station, n)
        other.until(n + 1)
    assert slow.over()
    assert slow.aborted
    assert not other.is_over
    assert station.service.broadcast.listeners == 1


def test_a_client_whose_write_is_blocked_for_long_is_cut(station: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakou.sensorthings.listener.BLOCKED_S", 0.2)
    monkeypatch.setattr(broadcast, "ALIVE_TICKS", 2)
    slow = Client(station)
    slow.stuck = True
    observe(station, 1)
    assert slow.over(2.0)
    assert slow.aborted


def test_the_node_and_every_address_have_a_limit(store: Store) -> None:
    caller = store.caller(Limits(live_clients=4, live_per_address=2))
    try:
        far = [Client(caller, address="203.0.113.7") for _ in range(3)]
        assert [client.status for client in far] == [200, 200, 429]
        assert far[2].headers["retry-after"] == "1"
        near = [Client(caller) for _ in range(3)]
        assert [client.status for client in near] == [200, 200, 503]
        assert near[2].headers["retry-after"] == "1"
        far[0].leave()
        assert Client(caller, address="203.0.113.7").status == 200
    finally:
        caller.close()


def test_a_stream_ends_when_its_token_is_revoked_and_follows_new_rights(
    station: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    station.make("/Things", bodies.station("hidden", **RESTRICTED), who=DEVICE)
    agent, anonymous = Client(station, who=AGENT), Client(station)
    known: list[Callable[[], Principal]] = [
        lambda: Principal(id=13, name="agent", role="agent", reads=frozenset({0, 101, 103}))
    ]

    def principal(authorization: str | None) -> Principal:
        return known[0]()

    monkeypatch.setattr(station.service.authority, "principal", principal)
    agent.quiet(0.8)
    station.make("/Datastreams(2)/Observations", {"result": 7}, who=DEVICE)
    assert agent.until(1)[0].data["result"] == 7

    def unknown(authorization: str | None) -> Principal:
        raise Unauthorized("There is no such token")

    monkeypatch.setattr(station.service.authority, "principal", unknown)
    assert agent.over(1.2)
    assert not anonymous.is_over


def test_the_end_of_the_service_ends_every_stream(station: Caller) -> None:
    client = Client(station)
    station.restart()
    assert client.over(2.0)
    observe(station, 1)
    back = Client(station, last=client.reader.last_id)
    assert back.until(1)[0].data["result"] == 1


def test_what_changed_while_nobody_listened_counts(station: Caller) -> None:
    client = Client(station)
    observe(station, 1)
    assert client.until(1)[0].data["thing"] == 1
    client.leave()
    station.run(asyncio.sleep(0.1))
    other = station.make("/Things", bodies.thing("other", Locations=[ref(1)]))
    assert station.call("PATCH", "/Datastreams(1)", {"Thing": ref(other)}).status == 200
    station.run(asyncio.sleep(0.1))
    client = Client(station, f"thing={other}")
    observe(station, 2)
    assert client.until(1)[0].data["thing"] == other


def test_when_nobody_listens_nothing_is_kept(station: Caller) -> None:
    client = Client(station)
    observe(station, 1)
    client.until(1)
    client.leave()
    observe(station, 2)
    station.run(asyncio.sleep(0.3))
    assert station.service.broadcast.listeners == 0
    assert not station.service.broadcast._recent._events
