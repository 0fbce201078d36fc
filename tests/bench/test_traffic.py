"""The loader's requests are what they claim to be."""

from __future__ import annotations

import itertools
import json
from datetime import datetime

import pytest

from bench.traffic import Arrays, Gets, Posts, Wire, in_path, requests

WIRE = Wire("x", authorization="Bearer t")


def _body(request: bytes) -> bytes:
    head, _, body = request.partition(b"\r\n\r\n")
    length = next(line for line in head.split(b"\r\n") if line.startswith(b"content-length"))
    assert int(length.split(b":")[1]) == len(body)
    return body


def test_single_posts_go_over_all_datastreams_and_forward_in_time() -> None:
    sent = list(itertools.islice(requests(Posts([7, 8, 9], start=0), WIRE), 6))

    assert [request.split()[1] for request in sent[:3]] == [
        b"/sta/v1.1/Datastreams(%d)/Observations" % n for n in (7, 8, 9)
    ]
    times = [json.loads(_body(request))["phenomenonTime"] for request in sent]
    assert times == ["1970-01-01T00:00:00Z"] * 3 + ["1970-01-01T00:00:01Z"] * 3
    assert all(b"authorization: Bearer t\r\n" in request for request in sent)


@pytest.mark.parametrize(("rows", "together"), [(1, 1), (10, 1), (1_000, 1), (2_500, 1), (1_000, 2), (10, 5)])
def test_data_arrays_hold_so_many_rows_with_times_that_never_come_twice(rows: int, together: int) -> None:
    source = requests(Arrays([1, 2, 3, 4, 5], start=1_790_000_000, rows=rows, together=together), WIRE)
    seen: list[tuple[int, datetime]] = []
    for request in itertools.islice(source, 10):
        groups = json.loads(_body(request))
        assert len(groups) == together
        assert len({group["Datastream"]["@iot.id"] for group in groups}) == together
        for group in groups:
            assert group["dataArray@iot.count"] == len(group["dataArray"]) == rows // together
            seen += [(group["Datastream"]["@iot.id"], datetime.fromisoformat(time)) for time, _ in group["dataArray"]]

    assert len(set(seen)) == 10 * rows
    for stream in range(1, 6):
        times = [time for of, time in seen if of == stream]
        assert times == sorted(times)


def test_gets_are_asked_in_turn() -> None:
    source = requests(Gets(["Things(1)", "Things(2)"]), Wire("x", "/peer/v1.1"))

    assert [next(source).split()[1] for _ in range(3)] == [
        b"/peer/v1.1/Things(1)", b"/peer/v1.1/Things(2)", b"/peer/v1.1/Things(1)"
    ]  # fmt: skip


def test_ids_that_are_texts_are_quoted_in_paths_and_bodies() -> None:
    ids: list[int | str] = ["a'b c"]

    assert in_path(ids[0]) == "'a''b%20c'"
    assert b"/Datastreams('a''b%20c')/Observations " in next(requests(Posts(ids, 0), WIRE))
    assert json.loads(_body(next(requests(Arrays(ids, 0, 1), WIRE))))[0]["Datastream"] == {"@iot.id": "a'b c"}
