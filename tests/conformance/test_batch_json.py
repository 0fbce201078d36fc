"""$batch with JSON (JsonBatchRequest extension; OData JSON 4.01 §19)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.requirements import requirement
from tests.harness import make
from tests.harness.client import ID, Api, Entity, describe, key, key_of, refused

pytestmark = pytest.mark.requirement("extension/json-batch")
OK = (200, 204)


def _send(api: Api, *requests: Entity) -> list[Entity]:
    response = api.post("$batch", {"requests": list(requests)})
    assert response.status_code == 200, describe(response)
    assert response.headers["Content-Type"].startswith("application/json")
    answers: list[Entity] = response.json()["responses"]
    return answers


def _request(number: Any, method: str, url: str, **more: Any) -> Entity:
    return {"id": number, "method": method, "url": url, **more}


@requirement("extension/json-batch")
def test_the_example_of_the_extension(api: Api) -> None:
    """Read, a group of three changes, and a read of something that is not there."""
    thing, other = api.create("Things", make.thing()), api.create("Things", make.thing(properties={"a": 1}))
    name = make.unique("new")
    answers = _send(
        api,
        _request("0", "get", f"Things({key(thing)})?$select=name"),
        _request("1", "post", "Things", atomicityGroup="group1", body=make.thing(name=name)),
        _request("2", "patch", f"Things({key(thing)})", atomicityGroup="group1", body={"name": "patched"}),
        _request(
            "3",
            "patch",
            f"Things({key(other)})",
            atomicityGroup="group1",
            headers={"content-type": "application/json-patch+json"},
            body=[{"op": "add", "path": "/properties/new", "value": "x"}],
        ),
        _request("4", "get", "Things(9007199254740000)"),
    )
    assert [answer["id"] for answer in answers] == ["0", "1", "2", "3", "4"]
    assert answers[0]["status"] == 200
    assert answers[0]["body"] == {"name": thing["name"]}
    assert answers[1]["status"] == 201
    assert api.read(_place(answers[1]))["name"] == name
    assert answers[2]["status"] in OK
    assert answers[3]["status"] in OK
    assert answers[4]["status"] == 404
    assert api.read(f"Things({key(other)})")["properties"] == {"a": 1, "new": "x"}


def _place(answer: Entity) -> str:
    """`location` beside the status (FROST), or among the headers (OData)."""
    headers = {name.lower(): value for name, value in answer.get("headers", {}).items()}
    return str(answer.get("location") or headers["location"])


@requirement("extension/json-batch")
@pytest.mark.parametrize("method", ["get", "GET", "Get"])
def test_methods_in_any_case(api: Api, method: str) -> None:
    thing = api.create("Things", make.thing())
    assert _send(api, _request("a", method, f"Things({key(thing)})"))[0]["status"] == 200


@requirement("extension/json-batch")
@pytest.mark.parametrize("form", ["Things({k})", "/sta/v1.1/Things({k})", "{base}/Things({k})"])
def test_the_three_forms_of_an_address(api: Api, form: str) -> None:
    thing = api.create("Things", make.thing())
    (answer,) = _send(api, _request("1", "get", form.format(k=key(thing), base=api.base) + "?$select=id"))
    assert answer["body"] == {ID: thing[ID]}


@requirement("extension/json-batch")
@pytest.mark.parametrize("group", ["g", None])
def test_reference_in_a_body(api: Api, group: str | None) -> None:
    """In one group as in the extension's example; without groups the reference still holds."""
    more = {"atomicityGroup": group} if group else {}
    thing = api.create("Things", make.thing())
    first, second = _send(
        api,
        _request("sensor1", "post", "Sensors", body=make.sensor(), **more),
        _request(
            "2", "post", f"Things({key(thing)})/Datastreams", body=make.datastream(Sensor={ID: "$sensor1"}), **more
        ),
    )
    assert (first["status"], second["status"]) == (201, 201), second
    assert api.read(f"{_place(second)}/Sensor")[ID] == api.read(_place(first))[ID]


@requirement("extension/json-batch")
def test_reference_in_an_address(api: Api) -> None:
    answers = _send(
        api,
        _request("t", "post", "Things", atomicityGroup="g", body=make.thing(Locations=[make.location()])),
        _request("d", "post", "$t/Datastreams", atomicityGroup="g", body=make.datastream()),
        _request("o", "post", "$d/Observations", atomicityGroup="g", body=make.observation(5)),
    )
    assert [answer["status"] for answer in answers] == [201, 201, 201], answers
    assert api.read(f"{_place(answers[2])}/Datastream/Thing")[ID] == api.read(_place(answers[0]))[ID]


@requirement("extension/json-batch")
def test_a_group_fails_as_a_whole(api: Api) -> None:
    name = make.unique("rollback")
    answers = _send(
        api,
        _request("1", "post", "Things", atomicityGroup="g", body=make.thing(name=name)),
        _request("2", "post", "Things", atomicityGroup="g", body={"name": 5}),
        _request("3", "post", "Things", atomicityGroup="g", body=make.thing(name=name)),
        _request("4", "get", "Things?$top=1"),
    )
    by_id = {answer["id"]: answer for answer in answers}
    assert by_id["4"]["status"] == 200
    assert all(400 <= answer["status"] < 500 for number, answer in by_id.items() if number != "4"), answers
    assert api.value("Things", filter=f"name eq '{name}'") == []


@requirement("extension/json-batch")
def test_requests_without_a_group_stand_alone(api: Api) -> None:
    name = make.unique("alone")
    answers = _send(
        api,
        _request("1", "post", "Things", body=make.thing(name=name)),
        _request("2", "post", "Things", body={"name": 5}),
    )
    assert [answer["status"] for answer in answers] == [201, 400]
    assert api.names("Things", filter=f"name eq '{name}'") == [name]


@requirement("extension/json-batch")
def test_put_delete_and_json_patch(api: Api) -> None:
    thing, gone = api.create("Things", make.thing()), api.create("Things", make.thing())
    body = make.thing()
    answers = _send(
        api, _request("1", "put", f"Things({key(thing)})", body=body), _request("2", "delete", f"Things({key(gone)})")
    )
    assert all(answer["status"] in OK for answer in answers), answers
    assert api.read(f"Things({key(thing)})")["name"] == body["name"]
    refused(api.get(f"Things({key(gone)})"), 404)


@requirement("extension/json-batch")
def test_options_and_a_data_array(api: Api) -> None:
    made = api.create("Things", make.station())
    stream = api.value(f"Things({key(made)})/Datastreams")[0]
    answers = _send(
        api,
        _request(
            "1",
            "post",
            "CreateObservations",
            body=[
                {
                    "Datastream": {ID: stream[ID]},
                    "components": ["phenomenonTime", "result"],
                    "dataArray": [["2024-01-01T00:00:00Z", 1], ["2024-01-01T01:00:00Z", 2]],
                }
            ],
        ),
        _request(
            "2", "get", f"Datastreams({key(stream)})/Observations?$count=true&$select=result&$orderby=result%20desc"
        ),
    )
    assert answers[0]["status"] == 201
    assert answers[1]["body"] == {"@iot.count": 2, "value": [{"result": 2}, {"result": 1}]}


@requirement("extension/json-batch")
@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        5,
        None,
        {"requests": {}},
        {"requests": "x"},
        {"requests": [5]},
        {"requests": [{}]},
        {"requests": [{"id": "1"}]},
        {"requests": [{"id": "1", "method": "get"}]},
        {"requests": [{"id": "1", "method": "fly", "url": "Things"}]},
        {"requests": [{"id": "1", "method": "get", "url": 5}]},
        {"requests": [{"id": "1", "method": "post", "url": "$nothing/Things", "body": {}}]},
        {"requests": [{"id": "1", "method": "post", "url": "$batch", "body": {"requests": []}}]},
    ],
    ids=lambda case: str(case)[:60],
)
def test_malformed_batches_are_no_failure_of_the_server(api: Api, body: Any) -> None:
    response = api.post("$batch", body)
    assert response.status_code in (200, 400), describe(response)
    if response.status_code == 400:
        refused(response, 400)
    else:
        assert any(400 <= answer["status"] < 600 and answer["status"] != 500 for answer in response.json()["responses"])


@requirement("extension/json-batch")
def test_an_empty_batch(api: Api) -> None:
    assert api.post("$batch", {"requests": []}).json() == {"responses": []}


@requirement("extension/json-batch")
def test_many_requests(api: Api) -> None:
    tag = make.unique("many")
    answers = _send(
        api, *(_request(str(number), "post", "Things", body=make.thing(description=tag)) for number in range(60))
    )
    assert {answer["status"] for answer in answers} == {201}
    assert len({key_of(_place(answer)) for answer in answers}) == 60
    assert api.read("Things", filter=f"description eq '{tag}'", count=True, top=0)["@iot.count"] == 60
