"""$batch in both forms: order, references, change sets that are all or nothing."""

from __future__ import annotations

from typing import Any

import pytest

from lakou.sensorthings import multipart
from lakou.sensorthings.access import ANONYMOUS
from lakou.sensorthings.limits import Limits
from tests.sensorthings import bodies
from tests.sensorthings.bodies import ref
from tests.sensorthings.caller import DEVICE, Caller, Store, body_of

JSON = {"content-type": "application/json"}


def one(id_: str, method: str, url: str, body: Any = None, group: str | None = None) -> dict[str, Any]:
    found = {"id": id_, "method": method, "url": url}
    return found | ({} if body is None else {"body": body}) | ({} if group is None else {"atomicityGroup": group})


def batch(caller: Caller, *requests: dict[str, Any], **how: Any) -> list[dict[str, Any]]:
    answer = caller.call("POST", "$batch", {"requests": list(requests)}, headers=JSON, **how)
    assert answer.status == 200, answer.body
    found: list[dict[str, Any]] = body_of(answer)["responses"]
    return found


def statuses(responses: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(r["id"], r["status"]) for r in responses]


def test_parts_are_done_in_order_each_with_its_own_answer(caller: Caller) -> None:
    found = batch(
        caller,
        one("a", "post", "Things", bodies.thing("x")),
        one("b", "get", "Things(1)"),
        one("c", "get", "Things(9)"),
        one("d", "patch", "Things(1)", {"name": "y"}),
        one("e", "get", "/sta/v1.1/Things(1)/name"),
        one("f", "delete", "http://test/sta/v1.1/Things(1)"),
        one("g", "get", "Things?$count=true"),
    )
    assert statuses(found) == [("a", 201), ("b", 200), ("c", 404), ("d", 200), ("e", 200), ("f", 200), ("g", 200)]
    assert found[0]["location"].endswith("Things(1)")
    assert found[4]["body"] == {"name": "y"}
    assert found[6]["body"]["@iot.count"] == 0


def test_references_in_urls_and_bodies(caller: Caller) -> None:
    found = batch(
        caller,
        one("t", "post", "Things", bodies.thing(Locations=[bodies.location()])),
        one("s", "post", "$t/Datastreams", bodies.datastream()),
        one("o", "post", "Observations", {"result": 1, "Datastream": {"@iot.id": "$s"}}),
        one("r", "get", "$o/Datastream/Thing?$select=name"),
        one("x", "get", "$nothing/Datastreams"),
    )
    assert [s for _, s in statuses(found)] == [201, 201, 201, 200, 404]


def test_a_change_set_is_all_or_nothing(caller: Caller) -> None:
    good = [one("a", "post", "Things", bodies.thing(), "g"), one("b", "patch", "$a", {"name": "x"}, "g")]
    assert statuses(batch(caller, *good)) == [("a", 201), ("b", 200)]
    bad = [*good, one("c", "delete", "Things(99)", group="g")]
    found = batch(caller, *bad)
    assert {s for _, s in statuses(found)} == {404}
    assert caller.ids("Things") == [1]


def test_a_failed_change_set_leaves_no_trace_in_memory(caller: Caller) -> None:
    caller.make("Things", bodies.station())
    observation = {"result": 1, "phenomenonTime": "2026-01-01T00:00:00Z", "Datastream": ref(1)}
    failed = batch(
        caller,
        one("a", "post", "Observations", observation, "g"),
        one("b", "post", "Observations", {"result": 1, "Datastream": ref(9)}, "g"),
    )
    assert {s for _, s in statuses(failed)} == {404}
    assert caller.ids("Observations") == []
    assert caller.ids("FeaturesOfInterest") == []
    assert caller.make("Observations", observation) in caller.ids("Observations")
    assert len(caller.ids("FeaturesOfInterest/?$filter=Observations/result eq 1".replace(" ", "%20"))) == 1


def test_a_change_set_sees_what_it_did(caller: Caller) -> None:
    caller.make("Things", bodies.station())
    found = batch(
        caller,
        one("a", "post", "Observations", {"result": 1, "Datastream": ref(1)}, "g"),
        one("b", "patch", "$a", {"result": 2}, "g"),
        one("c", "post", "Datastreams(1)/Observations", {"result": 3}, "g"),
        one("d", "delete", "$a", group="g"),
    )
    assert [s for _, s in statuses(found)] == [201, 200, 201, 200]
    assert [o["result"] for o in caller.read("Observations")["value"]] == [3]


def test_rights_hold_in_every_part(caller: Caller) -> None:
    caller.make("Things", bodies.thing())
    parts = [one("a", "get", "Things"), one("b", "patch", "Things(1)", {"name": "x"})]
    assert statuses(batch(caller, *parts, who=ANONYMOUS)) == [("a", 200), ("b", 401)]
    assert statuses(batch(caller, *parts, who=DEVICE)) == [("a", 200), ("b", 403)]
    stolen = one("c", "patch", "Things(1)", {"name": "x"}) | {"headers": {"Authorization": "Bearer system"}}
    assert statuses(batch(caller, stolen, who=ANONYMOUS)) == [("c", 401)]


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ([], "/requests"),
        ({"requests": {}}, "/requests"),
        ({"requests": [5]}, "/requests/0"),
        ({"requests": [{"id": "1", "url": "Things"}]}, "/requests/0/method"),
        ({"requests": [{"id": "1", "method": "brew", "url": "Things"}]}, "/requests/0/method"),
        ({"requests": [{"id": "1", "method": "get"}]}, "/requests/0/url"),
        ({"requests": [{"method": "get", "url": "Things"}]}, "/requests/0/id"),
        ({"requests": [one("1", "get", "Things") | {"headers": {"a": 1}}]}, "/requests/0"),
        ({"requests": [one("1", "get", "Things") | {"atomicityGroup": 1}]}, "/requests/0/atomicityGroup"),
    ],
)
def test_a_bad_batch_is_refused_at_its_place(caller: Caller, body: Any, place: str) -> None:
    answer = caller.call("POST", "$batch", body, headers=JSON)
    assert answer.status == 400
    assert body_of(answer)["place"].startswith(place)


def test_a_batch_has_a_bound_and_does_not_nest(store: Store) -> None:
    caller = store.caller(Limits(batch_requests=2))
    try:
        three = {"requests": [one(str(n), "get", "Things") for n in range(3)]}
        assert caller.call("POST", "$batch", three, headers=JSON).status == 400
        inner = one("a", "post", "$batch", {"requests": [one("b", "get", "Things")]})
        found = caller.call("POST", "$batch", {"requests": [inner]}, headers=JSON)
        assert found.status == 200
    finally:
        caller.close()


def test_multipart_with_a_change_set(caller: Caller) -> None:
    part = "Content-Type: application/http\r\nContent-ID: {}\r\n\r\n{}\r\n"
    post = "POST Things HTTP/1.1\r\nContent-Type: application/json\r\n\r\n"
    first = part.format(1, post + '{"name":"a","description":"b"}')
    second = part.format(2, 'PATCH $1\r\nContent-Type: application/json\r\n\r\n{"name":"c"}')
    changes = f"Content-Type: multipart/mixed;boundary=c\r\n\r\n--c\r\n{first}\r\n--c\r\n{second}\r\n--c--\r\n"
    body = f"--b\r\n{changes}\r\n--b\r\n{part.format(3, 'GET Things(1)/name')}\r\n--b--"
    answer = caller.call("POST", "$batch", body.encode(), headers={"content-type": "multipart/mixed;boundary=b"})
    assert answer.status == 200
    mark = multipart.boundary(answer.header(b"content-type") or "")
    set_, get = multipart.split(answer.body, mark)
    inner = multipart.split(set_.body, multipart.boundary(set_.header("content-type")))
    assert [p.body.split(b" ")[1] for p in inner] == [b"201", b"200"]
    assert [p.header("content-id") for p in inner] == ["1", "2"]
    assert get.body.endswith(b'{"name":"c"}')


def test_other_forms_are_refused(caller: Caller) -> None:
    assert caller.call("POST", "$batch", b"x", headers={"content-type": "text/plain"}).status == 400
    assert caller.call("POST", "$batch", b"x", headers={"content-type": "multipart/mixed"}).status == 400
