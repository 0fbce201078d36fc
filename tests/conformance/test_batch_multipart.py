"""$batch with multipart/mixed: order, change sets, references between requests (18-088 §11)."""

from __future__ import annotations

import pytest

from tests.conformance.requirements import requirement
from tests.harness import make
from tests.harness.client import ID, Api, assert_leaks_nothing, describe, key, key_of, refused
from tests.harness.multipart import BOUNDARY, Answer, Part, batch, read_answers

pytestmark = pytest.mark.requirement("batch-request/batch-request")


def _send(api: Api, *parts: Part | list[Part], text: str | None = None) -> list[Answer]:
    response = api.post(
        "$batch",
        content=(text if text is not None else batch(*parts)).encode(),
        headers={"Content-Type": f"multipart/mixed;boundary={BOUNDARY}"},
    )
    assert response.status_code == 200, describe(response)
    assert response.headers["Content-Type"].startswith("multipart/mixed"), response.headers
    return read_answers(response.headers["Content-Type"], response.text)


@requirement("batch-request/batch-request")
def test_answers_come_in_the_order_of_the_requests(api: Api) -> None:
    things = [api.create("Things", make.thing()) for _ in range(4)]
    answers = _send(api, *(Part("GET", f"Things({key(thing)})?$select=id") for thing in things))
    assert [answer.status for answer in answers] == [200] * 4
    assert [answer.json for answer in answers] == [{ID: thing[ID]} for thing in things]


@requirement("batch-request/batch-request")
@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0", ""])
@pytest.mark.parametrize("form", ["Things({k})", "/sta/v1.1/Things({k})", "{base}/Things({k})"])
def test_the_three_forms_of_an_address(api: Api, form: str, version: str) -> None:
    """Relative, absolute path, absolute URL; with or without the version in the request line."""
    thing = api.create("Things", make.thing())
    target = form.format(k=key(thing), base=api.base)
    (answer,) = _send(api, Part("GET", f"{target}?$select=id", version=version))
    assert (answer.status, answer.json) == (200, {ID: thing[ID]})


@requirement("batch-request/batch-request")
def test_a_failing_request_does_not_stop_the_next(api: Api) -> None:
    thing = api.create("Things", make.thing())
    answers = _send(
        api,
        Part("GET", "Things(9007199254740000)"),
        Part("GET", "Nothing"),
        Part("GET", "Things?$filter=nothing%20eq%201"),
        Part("POST", "Things", {"name": 5}),
        Part("GET", f"Things({key(thing)})"),
    )
    assert [answer.status for answer in answers][0::4] == [404, 200]
    assert [answer.status for answer in answers][1:4] in ([404, 400, 400], [400, 400, 400])
    for answer in answers[:4]:
        assert_leaks_nothing(answer.text)


@requirement("batch-request/batch-request")
def test_writing_outside_a_change_set(api: Api) -> None:
    body = make.thing()
    (answer,) = _send(api, Part("POST", "Things", body))
    assert answer.status == 201
    place = answer.headers["location"]
    assert api.read(place)["name"] == body["name"]
    patched, removed = _send(
        api,
        Part("PATCH", f"Things({key_of(place)})", {"description": "new"}),
        Part("DELETE", f"Things({key_of(place)})"),
    )
    assert patched.status in (200, 204)
    assert removed.status in (200, 204)
    refused(api.get(place), 404)


@requirement("batch-request/batch-request")
def test_a_change_set_is_answered_as_one_part_with_its_ids(api: Api) -> None:
    thing = api.create("Things", make.thing())
    (answer,) = _send(
        api,
        [
            Part("POST", "Things", make.thing(), "one"),
            Part("PATCH", f"Things({key(thing)})", {"description": "in a batch"}, "two"),
        ],
    )
    assert answer.parts is not None
    assert [part.content_id for part in answer.parts] == ["one", "two"]
    assert answer.parts[0].status == 201
    assert answer.parts[1].status in (200, 204)
    assert api.read(f"Things({key(thing)})")["description"] == "in a batch"


@requirement("batch-request/batch-request")
def test_a_new_entity_is_referred_to_in_a_body(api: Api) -> None:
    """The standard's example: a Sensor, then a Datastream with that Sensor (18-088 §11.2.2)."""
    thing = api.create("Things", make.thing())
    stream = make.datastream(Sensor={ID: "$sensor1"})
    (answer,) = _send(
        api,
        [
            Part("POST", "Sensors", make.sensor(), "sensor1"),
            Part("POST", f"Things({key(thing)})/Datastreams", stream, "any"),
        ],
    )
    assert answer.parts is not None
    assert [part.status for part in answer.parts] == [201, 201], answer
    sensor, made = (part.headers["location"] for part in answer.parts)
    assert api.read(f"{made}/Sensor")[ID] == api.read(sensor)[ID]


@requirement("batch-request/batch-request")
def test_a_new_entity_is_referred_to_in_an_address(api: Api) -> None:
    (answer,) = _send(
        api,
        [
            Part("POST", "Things", make.thing(Locations=[make.location()]), "t"),
            Part("POST", "$t/Datastreams", make.datastream(), "d"),
            Part("POST", "$d/Observations", make.observation(42), "o"),
        ],
    )
    assert answer.parts is not None
    assert [part.status for part in answer.parts] == [201, 201, 201], answer
    assert (
        api.read(f"{answer.parts[2].headers['location']}/Datastream/Thing")[ID]
        == api.read(answer.parts[0].headers["location"])[ID]
    )


@requirement("batch-request/batch-request")
@pytest.mark.parametrize(
    "bad",
    [
        Part("POST", "Things", {"name": 5}, "bad"),
        Part("PATCH", "Things(9007199254740000)", {"name": "x"}, "bad"),
        Part("POST", "Datastreams", {"name": "x"}, "bad"),
        Part("DELETE", "Things(9007199254740000)", None, "bad"),
        Part("POST", "Things", "{broken", "bad"),
        Part("POST", "$unknown/Datastreams", make.datastream(), "bad"),
        Part("POST", "Datastreams", make.datastream(Thing={ID: "$unknown"}), "bad"),
        Part("GET", "Things", None, "bad"),
    ],
    ids=lambda part: f"{part.method}-{part.target[:20]}",
)
@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_change_set_fails_as_a_whole_with_one_answer(api: Api, bad: Part, position: int) -> None:
    """OData: a failed change set is answered by one error part. No GET inside one."""
    names = [make.unique("rollback") for _ in range(2)]
    parts = [Part("POST", "Things", make.thing(name=name), f"t{index}") for index, name in enumerate(names)]
    parts.insert(position, bad)
    answers = _send(api, parts)
    assert len(answers) == 1
    assert answers[0].parts is None, answers
    assert 400 <= answers[0].status < 500
    for name in names:
        assert api.value("Things", filter=f"name eq '{name}'") == []


@requirement("batch-request/batch-request")
def test_what_follows_a_failed_change_set_is_done(api: Api) -> None:
    body = make.thing()
    answers = _send(api, [Part("POST", "Things", {"name": 5}, "1")], Part("POST", "Things", body))
    assert 400 <= answers[0].status < 500
    assert answers[1].status == 201
    assert api.names("Things", filter=f"name eq '{body['name']}'") == [body["name"]]


@requirement("batch-request/batch-request")
def test_a_later_request_sees_the_change_set_before_it(api: Api) -> None:
    thing = api.create("Things", make.thing())
    path = f"Things({key(thing)})"
    first, _, last = _send(
        api,
        Part("GET", f"{path}?$select=description"),
        [Part("PATCH", path, {"description": "changed"}, "1")],
        Part("GET", f"{path}?$select=description"),
    )
    assert (first.json["description"], last.json["description"]) == (thing["description"], "changed")


@requirement("batch-request/batch-request")
def test_encoded_marks_in_an_address(api: Api) -> None:
    name = make.unique("a b+c&d#e'é")
    api.create("Things", make.thing(name=name))
    target = api.url("Things", filter=f"name eq '{name.replace(chr(39), chr(39) * 2)}'", select="name", count=True)
    (answer,) = _send(api, Part("GET", target))
    assert answer.json == {"@iot.count": 1, "value": [{"name": name}]}


@requirement("batch-request/batch-request")
def test_other_languages_in_a_body(api: Api) -> None:
    body = make.thing(name=make.unique("Rivière 空港 🌊"))
    (answer,) = _send(api, [Part("POST", "Things", body, "1")])
    assert answer.parts is not None
    assert api.read(answer.parts[0].headers["location"])["name"] == body["name"]


@requirement("batch-request/batch-request")
def test_json_patch_in_a_change_set(api: Api) -> None:
    thing = api.create("Things", make.thing(properties={"a": 1}))
    (answer,) = _send(
        api,
        [
            Part(
                "PATCH",
                f"Things({key(thing)})",
                [{"op": "replace", "path": "/properties/a", "value": 2}],
                "1",
                media="application/json-patch+json",
            )
        ],
    )
    assert answer.parts is not None
    assert answer.parts[0].status in (200, 204)
    assert api.read(f"Things({key(thing)})")["properties"] == {"a": 2}


@requirement("batch-request/batch-request")
def test_bare_line_feeds_are_understood(api: Api) -> None:
    """RFC 9112 §2.2: a recipient may take a single LF as the end of a line; FROST's own answers use it."""
    thing = api.create("Things", make.thing())
    (answer,) = _send(api, text=batch(Part("GET", f"Things({key(thing)})?$select=id")).replace("\r\n", "\n"))
    assert answer.json == {ID: thing[ID]}


@requirement("batch-request/batch-request")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "nothing",
        f"--{BOUNDARY}",
        f"--{BOUNDARY}\r\n",
        f"--{BOUNDARY}--",
        f"--{BOUNDARY}\r\nContent-Type: application/http\r\n\r\n",
        "--other\r\n\r\n--other--",
        f"--{BOUNDARY}\r\nContent-Type: multipart/mixed\r\n\r\n--x--\r\n--{BOUNDARY}--",
        f"--{BOUNDARY}\r\nContent-Type: application/http\r\n\r\nGARBAGE\r\n\r\n--{BOUNDARY}--",
    ],
)
def test_a_malformed_batch_is_no_failure_of_the_server(api: Api, text: str) -> None:
    response = api.post("$batch", content=text, headers={"Content-Type": f"multipart/mixed;boundary={BOUNDARY}"})
    assert response.status_code in (200, 400), describe(response)
    assert_leaks_nothing(response.text)
    if response.status_code == 200:
        answers = read_answers(response.headers["Content-Type"], response.text) if response.text.strip() else []
        assert all(400 <= answer.status < 500 for answer in answers)


@requirement("batch-request/batch-request")
@pytest.mark.parametrize("media", ["multipart/mixed", "text/plain", "multipart/mixed;boundary="])
def test_a_batch_of_an_unknown_kind_is_refused(api: Api, media: str) -> None:
    refused(api.post("$batch", content="--x--", headers={"Content-Type": media}), 400, 415)


@requirement("batch-request/batch-request", "lakou/rights")
def test_a_batch_gives_no_more_rights_than_its_caller_has(anon: Api) -> None:
    response = anon.post(
        "$batch",
        content=batch(Part("POST", "Things", make.thing()), Part("GET", "Things?$top=1")),
        headers={"Content-Type": f"multipart/mixed;boundary={BOUNDARY}"},
    )
    if response.status_code == 200:
        first, second = read_answers(response.headers["Content-Type"], response.text)
        assert first.status in (401, 403)
        assert second.status == 200
    else:
        assert response.status_code in (401, 403)
