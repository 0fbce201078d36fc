"""$apply: groups, time buckets and aggregates over Observations, inside one request (ours, after OData's)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.requirements import requirement
from tests.harness import make
from tests.harness.client import Api, Entity, describe, key, ref, refused

pytestmark = pytest.mark.requirement("lakou/apply")


@pytest.fixture(scope="module")
def hours(api: Api) -> Entity:
    """A Datastream with four Observations an hour for three hours: 0 to 11; one text among them at the end."""
    thing = api.create("Things", make.station())
    stream = api.value(f"Things({key(thing)})/Datastreams")[0]
    rows: list[list[Any]] = [[f"2024-05-01T{n // 4:02}:{n % 4 * 15:02}:00Z", n] for n in range(12)]
    rows.append(["2024-05-01T02:50:00Z", "broken"])
    response = api.post(
        "CreateObservations",
        [{"Datastream": ref(stream), "components": ["phenomenonTime", "result"], "dataArray": rows}],
    )
    assert response.status_code == 201, describe(response)
    return stream


def _path(stream: Entity) -> str:
    return f"Datastreams({key(stream)})/Observations"


BUCKET = "bucket(phenomenonTime,duration'PT1H') as hour"


@requirement("lakou/apply")
@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("min", [0, 4, 8]),
        ("max", [3, 7, 11]),
        ("mean", [1.5, 5.5, 9.5]),
        ("sum", [6, 22, 38]),
        ("first", [0, 4, 8]),
        ("last", [3, 7, 11]),
        ("count", [4, 4, 4]),
    ],
)
def test_each_aggregate_by_the_hour(anon: Api, hours: Entity, method: str, expected: list[float]) -> None:
    """Only numbers take part: a text among the results changes nothing."""
    rows = anon.value(_path(hours), apply=f"groupby(({BUCKET}),aggregate(result with {method} as v))")
    assert [row["v"] for row in rows] == expected
    assert [row["hour"].replace(".000Z", "Z") for row in rows] == [f"2024-05-01T{hour:02}:00:00Z" for hour in range(3)]


@requirement("lakou/apply")
def test_several_aggregates_and_the_number_of_rows(anon: Api, hours: Entity) -> None:
    rows = anon.value(
        _path(hours), apply=f"groupby(({BUCKET}),aggregate(result with min as low,result with max as high,$count as n))"
    )
    assert [(row["low"], row["high"], row["n"]) for row in rows] == [(0, 3, 4), (4, 7, 4), (8, 11, 5)]


@requirement("lakou/apply")
@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("result ge 4", [22, 38]),
        ("phenomenonTime lt 2024-05-01T01:30:00Z", [6, 9]),
        ("result gt 100", []),
        ("result mod 2 eq 0", [2, 10, 18]),
        ("Datastream/Thing/name ne 'x' and result lt 2", [1]),
    ],
)
def test_filter_before_grouping(anon: Api, hours: Entity, condition: str, expected: list[float]) -> None:
    rows = anon.value(_path(hours), apply=f"filter({condition})/groupby(({BUCKET}),aggregate(result with sum as v))")
    assert [row["v"] for row in rows] == expected


@requirement("lakou/apply")
def test_the_filter_option_holds_too(anon: Api, hours: Entity) -> None:
    response = anon.get(_path(hours), filter="result ge 8", apply=f"groupby(({BUCKET}),aggregate($count as n))")
    assert response.status_code in (200, 400), describe(response)
    if response.status_code == 200:
        assert [row["n"] for row in response.json()["value"]] == [4]


@requirement("lakou/apply")
def test_aggregate_without_groups(anon: Api, hours: Entity) -> None:
    (row,) = anon.value(_path(hours), apply="aggregate(result with mean as mean,result with count as n)")
    assert (row["mean"], row["n"]) == (5.5, 12)


@requirement("lakou/apply")
@pytest.mark.parametrize(("width", "groups"), [("PT15M", 12), ("PT30M", 6), ("PT2H", 2), ("P1D", 1), ("PT10S", 13)])
def test_width_of_a_bucket(anon: Api, hours: Entity, width: str, groups: int) -> None:
    """Buckets start at whole widths since 1970; the row of 02:50 falls into that of 02:45."""
    rows = anon.value(
        _path(hours), top=1000, apply=f"groupby((bucket(phenomenonTime,duration'{width}') as t),aggregate($count as n))"
    )
    assert sum(row["n"] for row in rows) == 13
    assert len(rows) == groups


@requirement("lakou/apply")
def test_group_by_datastream(api: Api) -> None:
    thing = api.create("Things", make.station(Datastreams=[make.datastream(), make.datastream()]))
    streams = api.value(f"Things({key(thing)})/Datastreams")
    for number, stream in enumerate(streams):
        for n in range(3):
            api.create(_path(stream), make.observation(number * 10 + n, phenomenonTime=f"2024-05-01T0{n}:00:00Z"))
    response = api.get(
        "Observations",
        apply=f"filter(Datastream/Thing/id eq {key(thing)})/groupby((Datastream/id),aggregate(result with max as top))",
    )
    assert response.status_code == 200, describe(response)
    assert sorted(row["top"] for row in response.json()["value"]) == [2, 12]
    assert all(str(key(stream)) in response.text for stream in streams)


@requirement("lakou/apply")
@pytest.mark.parametrize(
    "apply",
    [
        "",
        "groupby",
        "groupby()",
        "groupby(())",
        "aggregate()",
        "aggregate(result)",
        "aggregate(result with fly as x)",
        "aggregate(nothing with mean as x)",
        "groupby((nothing),aggregate($count as n))",
        "groupby((bucket(phenomenonTime) as t),aggregate($count as n))",
        "groupby((bucket(phenomenonTime,duration'PT0S') as t),aggregate($count as n))",
        "groupby((bucket(phenomenonTime,duration'-PT1H') as t),aggregate($count as n))",
        "groupby((bucket(result,duration'PT1H') as t),aggregate($count as n))",
        "filter(nothing eq 1)/aggregate($count as n)",
        "filter(result gt 1)",
        "compute(result as x)",
        "aggregate(result with mean as x,result with max as x)",
        "aggregate($count as n)/aggregate($count as m)",
        "aggregate($count as 'n')",
        "aggregate($count as n",
        "groupby((bucket(phenomenonTime,5) as t))",
    ],
)
def test_malformed_apply_is_refused(anon: Api, hours: Entity, apply: str) -> None:
    refused(anon.get(_path(hours), apply=apply), 400, 501)


@requirement("lakou/apply")
def test_pages_of_buckets(anon: Api, hours: Entity) -> None:
    rows = anon.items(
        _path(hours), top=2, apply="groupby((bucket(phenomenonTime,duration'PT30M') as t),aggregate($count as n))"
    )
    assert sum(row["n"] for row in rows) == 13
    assert len({row["t"] for row in rows}) == 6
