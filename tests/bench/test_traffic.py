"""The loader's requests are what they claim to be."""

from __future__ import annotations

import itertools
import json
from datetime import datetime

import pytest

from bench.promises import Promise
from bench.traffic import Arrays, Gets, Posts, requests


def _body(request: bytes) -> bytes:
    head, _, body = request.partition(b"\r\n\r\n")
    length = next(line for line in head.split(b"\r\n") if line.startswith(b"content-length"))
    assert int(length.split(b":")[1]) == len(body)
    return body


def test_single_posts_go_over_all_datastreams_and_forward_in_time() -> None:
    sent = list(itertools.islice(requests(Posts(first=7, streams=3, start=0), host="x", token="t"), 6))

    assert [request.split()[1] for request in sent[:3]] == [
        b"/sta/v1.1/Datastreams(%d)/Observations" % n for n in (7, 8, 9)
    ]
    times = [json.loads(_body(request))["phenomenonTime"] for request in sent]
    assert times == ["1970-01-01T00:00:00Z"] * 3 + ["1970-01-01T00:00:01Z"] * 3
    assert all(b"authorization: Bearer t\r\n" in request for request in sent)


@pytest.mark.parametrize("rows", [1, 10, 1_000, 2_500])
def test_data_arrays_hold_so_many_rows_with_times_that_never_come_twice(rows: int) -> None:
    source = requests(Arrays(first=1, streams=2, start=1_790_000_000, rows=rows), host="x", token=None)
    seen: list[tuple[int, datetime]] = []
    for request in itertools.islice(source, 4):
        (group,) = json.loads(_body(request))
        assert group["dataArray@iot.count"] == len(group["dataArray"]) == rows
        seen += [(group["Datastream"]["@iot.id"], datetime.fromisoformat(time)) for time, _ in group["dataArray"]]

    assert len(set(seen)) == 4 * rows
    for stream in (1, 2):
        times = [time for of, time in seen if of == stream]
        assert times == sorted(times)


def test_gets_are_asked_in_turn() -> None:
    source = requests(Gets(["Things(1)", "Things(2)"]), host="x", token=None)

    assert [next(source).split()[1] for _ in range(3)] == [
        b"/sta/v1.1/Things(1)", b"/sta/v1.1/Things(2)", b"/sta/v1.1/Things(1)"
    ]  # fmt: skip


def test_a_promise_says_whether_it_is_kept() -> None:
    assert Promise("a", "a", "", "≥", 0.6).is_kept(0.6) is True
    assert Promise("a", "a", "ms", "≤", 20).is_kept(20.1) is False
    assert Promise("a", "a", "ms").is_kept(20.1) is None
