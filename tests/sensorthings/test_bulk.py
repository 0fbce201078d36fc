"""Data arrays and NDJSON: each row stands or falls alone, in its order, whatever the size of a commit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from lakou.kernel.errors import TooLarge
from lakou.sensorthings import bulk
from lakou.sensorthings.access import ADMIN
from lakou.sensorthings.limits import Limits
from lakou.sensorthings.request import Request
from tests.sensorthings import bodies
from tests.sensorthings.bodies import ref
from tests.sensorthings.caller import Caller, Store, body_of

NDJSON = {"content-type": "application/x-ndjson"}


def time_of(n: int) -> str:
    return f"2026-04-{1 + n // 1440:02}T{n // 60 % 24:02}:{n % 60:02}:00Z"


@pytest.fixture
def station(caller: Caller) -> Caller:
    caller.make("Things", bodies.station())
    caller.make("Things(1)/MultiDatastreams", bodies.multi_datastream(2))
    return caller


def sent(caller: Caller, groups: Any) -> list[str]:
    answer = caller.call("POST", "CreateObservations", groups)
    assert answer.status == 201, answer.body
    found: list[str] = body_of(answer)
    return found


def group(components: list[str], rows: list[Any], stream: int = 1, kind: str = "Datastream") -> dict[str, Any]:
    return {kind: ref(stream), "components": components, "dataArray": rows}


def test_answers_come_in_the_order_of_the_rows(station: Caller) -> None:
    rows = [[time_of(n), n] for n in (5, 1, 3)]
    found = sent(station, [group(["phenomenonTime", "result"], rows)])
    assert [station.read(link.rpartition("/")[2])["result"] for link in found] == [5, 1, 3]


def test_bad_rows_are_said_in_their_place_and_the_others_stored(station: Caller) -> None:
    rows: list[Any] = [
        [time_of(1), 1],
        [time_of(2)],
        "row",
        ["yesterday", 3],
        [5, 3],
        [time_of(4), 4, 5],
        [None, 6],
    ]
    found = sent(station, [group(["phenomenonTime", "result"], rows)])
    assert [text.startswith("error") for text in found] == [False, True, True, True, True, True, False]
    assert "/0/dataArray/3" in found[3]
    assert len(station.ids("Datastreams(1)/Observations")) == 2


def test_a_row_with_a_value_that_no_store_can_keep_fails_alone(station: Caller) -> None:
    values = ["1", "1e999", str(10**19), r'"\u0000"', "[" * 70 + "]" * 70, "2"]
    rows = ",".join(f'["{time_of(n)}", {value}]' for n, value in enumerate(values))
    body = f'[{{"Datastream":{{"@iot.id":1}},"components":["phenomenonTime","result"],"dataArray":[{rows}]}}]'
    answer = station.call("POST", "CreateObservations", body.encode())
    found = body_of(answer)
    assert (answer.status, [text.startswith("error") for text in found]) == (201, [False, *[True] * 4, False])
    assert ["/0/dataArray/1" in found[1], "/0/dataArray/2/1" in found[2]] == [True, True]
    assert len(station.ids("Datastreams(1)/Observations")) == 2


@pytest.mark.parametrize("text", [b"\xff", b"\xc3\xa9", b"e"])
def test_a_body_outside_ascii_is_read_whole(station: Caller, text: bytes) -> None:
    body = b'[{"Datastream":{"@iot.id":1},"components":["result"],"dataArray":[[1],["' + text + b'"]]}]'
    answer = station.call("POST", "CreateObservations", body)
    assert answer.status == (400 if text == b"\xff" else 201)
    assert len(station.ids("Datastreams(1)/Observations")) == (0 if text == b"\xff" else 2)


def test_several_groups_and_kinds_of_datastream(station: Caller) -> None:
    multi = group(["result"], [[[1, 2]], [[1]], [3]], 2, "MultiDatastream")
    found = sent(station, [group(["result"], [[1]]), multi, group(["result"], [[1]], 99), group(["result"], [[1]], 2)])
    assert [t.startswith("error") for t in found] == [False, False, True, True, True, True]


def test_every_component_is_taken(station: Caller) -> None:
    feature = station.make("FeaturesOfInterest", bodies.feature("other"))
    names = ["resultTime", "result", "phenomenonTime", "parameters", "validTime", "resultQuality"]
    row = [time_of(1), "x", f"{time_of(0)}/{time_of(1)}", {"a": 1}, f"{time_of(0)}/{time_of(2)}", {"q": 1}]
    (link,) = sent(station, [group([*names, "FeatureOfInterest/id"], [[*row, feature]])])
    found = station.read(link.rpartition("/")[2] + "?$expand=FeatureOfInterest")
    assert [found[name] for name in names] == row
    assert found["FeatureOfInterest"]["name"] == "other"


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, "/"),
        ([1], "/0"),
        ([{"components": [], "dataArray": []}], "/0/Datastream"),
        ([{"Datastream": {"@iot.id": "1"}, "components": ["result"], "dataArray": []}], "/0/Datastream"),
        ([{"Datastream": ref(1), "components": "result", "dataArray": []}], "/0/components"),
        ([{"Datastream": ref(1), "components": ["phenomenonTime"], "dataArray": []}], "/0/components"),
        ([{"Datastream": ref(1), "components": ["result", "result"], "dataArray": []}], "/0/components"),
        ([{"Datastream": ref(1), "components": ["result"], "dataArray": {}}], "/0/dataArray"),
        ([{"Datastream": ref(1), "MultiDatastream": ref(2), "components": ["result"], "dataArray": []}],
         "/0/Datastream"),
    ],
)  # fmt: skip
def test_a_body_that_is_no_data_array_is_refused(station: Caller, body: Any, place: str) -> None:
    answer = station.call("POST", "CreateObservations", body)
    assert (answer.status, body_of(answer)["place"]) == (400, place)


def test_more_rows_than_a_commit_holds(store: Store) -> None:
    caller = store.caller(Limits(commit_rows=7))
    try:
        caller.make("Things", bodies.station())
        rows: list[Any] = [[time_of(n), n] if n % 10 else [time_of(n)] for n in range(50)]
        found = sent(caller, [group(["phenomenonTime", "result"], rows)])
        assert [t.startswith("error") for t in found] == [n % 10 == 0 for n in range(50)]
        page = caller.read("Observations?$orderby=id&$top=100")["value"]
        assert [o["result"] for o in page] == [n for n in range(50) if n % 10]
    finally:
        caller.close()


def test_lines_are_counted_and_bad_ones_named(station: Caller) -> None:
    lines = b'{"result":1}\n\n{"result":}\n[1]\n{"result":2}\r\n{"resul":3}\n{"result":4}'
    answer = station.call("POST", "Datastreams(1)/Observations", lines, headers=NDJSON)
    found = body_of(answer)
    assert (answer.status, found["stored"], found["refused"]) == (200, 3, 3)
    assert [e["line"] for e in found["errors"]] == [3, 4, 6]


@pytest.mark.parametrize(
    ("body", "status", "stored"),
    [(b'{"result":1}\n', 201, 1), (b"", 201, 0), (b"\n\n", 201, 0), (b"x", 400, 0)],
)
def test_status_of_lines(station: Caller, body: bytes, status: int, stored: int) -> None:
    answer = station.call("POST", "Datastreams(1)/Observations", body, headers=NDJSON)
    assert (answer.status, body_of(answer)["stored"]) == (status, stored)


@pytest.mark.parametrize("path", ["Things", "Observations(1)", "Things(1)/Datastreams", "Things(1)/Datastreams(1)"])
def test_lines_go_to_observations_only(station: Caller, path: str) -> None:
    assert station.call("POST", path, b"{}", headers=NDJSON).status in (400, 404)


def request(pieces: list[bytes]) -> Request:
    async def stream() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    return Request("POST", "", "", {}, b"", ADMIN, "", stream())


@pytest.mark.parametrize("cut", [1, 2, 3, 7, 100])
def test_lines_do_not_depend_on_how_the_body_comes(caller: Caller, cut: int) -> None:
    body = b"one\ntwo\n\nfour\r\n  \nsix"
    pieces = [body[n : n + cut] for n in range(0, len(body), cut)]

    async def read() -> list[tuple[int, bytes]]:
        found = bulk._lines(request(pieces), 2)
        return [(first + n, line.strip()) async for first, lines in found for n, line in enumerate(lines)]

    assert caller.run(read()) == [(1, b"one"), (2, b"two"), (4, b"four"), (6, b"six")]


def test_a_line_without_end_is_refused(caller: Caller) -> None:
    async def read() -> None:
        async for _ in bulk._lines(request([b"x" * 600_000] * 3), 10):
            pass

    with pytest.raises(TooLarge):
        caller.run(read())
