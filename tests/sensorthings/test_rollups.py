"""$apply from rollups merged with what is not rolled up yet equals $apply over the rows, whatever happened to them."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from lakou.kernel.time import format_instant
from lakou.sensorthings.access import ADMIN, ANONYMOUS, Principal
from lakou.sensorthings.limits import Limits
from tests.sensorthings import bodies
from tests.sensorthings.caller import Caller, Store

HOUR = 3_600_000_000
NOON = 1_790_000_000_000_000 // (24 * HOUR) * 24 * HOUR + 12 * HOUR
ROWS = 10_000
STREAMS = 4
# An id is always above zero, but no rollup knows ids: the same set, read row by row.
BY_ROWS = "id gt 0"

KEYS = [
    "bucket(phenomenonTime,duration'PT1H') as t",
    "bucket(phenomenonTime,duration'PT6H') as t",
    "bucket(phenomenonTime,duration'P1D') as t",
    "bucket(phenomenonTime,duration'P7D') as t",
    "Datastream/id,bucket(phenomenonTime,duration'PT1H') as t",
    "Datastream/id",
    "MultiDatastream/id",
    "",
]
AGGREGATES = (
    "$count as n,result with count as c,result with sum as s,result with mean as m,result with min as low,"
    "result with max as high,result with first as f,result with last as l"
)
FILTERS = [
    "",
    "phenomenonTime ge {a} and phenomenonTime lt {b}",
    "phenomenonTime gt {odd} and phenomenonTime le {b}",
    "phenomenonTime ge {odd}",
    "phenomenonTime lt {odd}",
    "phenomenonTime ge {a} and phenomenonTime le {odder}",
    "resultQuality eq null",
    "resultQuality ne null and phenomenonTime lt {b}",
    "Datastream/id eq {stream}",
    "Datastream/id eq {multi}",
]
PATHS = ["Observations", "Datastreams({stream})/Observations", "MultiDatastreams({multi})/Observations"]


def ok(caller: Caller, method: str, target: str, body: Any = None) -> Any:
    """The body of an answer that must be a success."""
    answer = caller.call(method, target, body)
    assert answer.status < 300, answer.body
    return json.loads(answer.body) if answer.body else None


class World:
    """Datastreams with Observations that come late, are corrected, moved and deleted while tiers and rollups work."""

    def __init__(self, caller: Caller, seed: int) -> None:
        self.caller = caller
        self.random = random.Random(seed)
        thing = caller.make(
            "Things",
            bodies.thing(Locations=[bodies.location()], Datastreams=[bodies.datastream() for _ in range(STREAMS)]),
        )
        self.streams = caller.ids(f"Things({thing})/Datastreams?$orderby=id")
        self.multi = caller.make(f"Things({thing})/MultiDatastreams", bodies.multi_datastream())
        self.ids: list[int] = []

    def time(self) -> int:
        """Now and then late, early, at the very same instant as others, or at a bound of what is asked for."""
        if self.random.random() < 0.03:
            return self.random.choice((NOON - 30 * HOUR, NOON + 5 * HOUR, NOON + 6 * HOUR))
        spread = self.random.choice((HOUR, 12 * HOUR, 20 * 24 * HOUR))
        return NOON + self.random.randrange(-spread, spread) // self.random.choice((1, HOUR // 4)) * 1

    def row(self) -> list[Any]:
        start = self.time()
        when = format_instant(start)
        if self.random.random() < 0.1:
            end = start + self.random.randrange(1, 3 * HOUR)
            whole = end - end % HOUR  # many stations tell of whole hours
            when += "/" + format_instant(whole if whole > start and self.random.random() < 0.5 else end)
        value = self.random.choice((self.random.uniform(-1e3, 1e3), self.random.randrange(5), "open", None, True))
        quality = self.random.choice((None, None, "good", {"code": 3}))
        return [when, value, quality]

    def write(self, rows: int) -> None:
        stream = self.random.choice(self.streams)
        group = {
            "Datastream": {"@iot.id": stream},
            "components": ["phenomenonTime", "result", "resultQuality"],
            "dataArray": [self.row() for _ in range(rows)],
        }
        answer = ok(self.caller, "POST", "CreateObservations", [group])
        self.ids += [int(link.rpartition("(")[2][:-1]) for link in answer]

    def disturb(self) -> None:
        """A correction, a move or a deletion, now and then an Observation of the MultiDatastream."""
        if not self.ids:
            return
        id_ = self.random.choice(self.ids)
        match self.random.randrange(6):
            case 0:
                ok(self.caller, "PATCH", f"Observations({id_})", {"result": self.random.uniform(-1, 1)})
            case 1:
                ok(self.caller, "PATCH", f"Observations({id_})", {"phenomenonTime": format_instant(self.time())})
            case 2:
                target = {"Datastream": {"@iot.id": self.random.choice(self.streams)}}
                ok(self.caller, "PATCH", f"Observations({id_})", target)
            case 3:
                ok(self.caller, "PATCH", f"Observations({id_})", {"resultQuality": self.random.choice(("bad", None))})
            case 4:
                ok(self.caller, "DELETE", f"Observations({id_})")
                self.ids = [other for other in self.ids if other != id_]
            case _:
                body = {"phenomenonTime": format_instant(self.time()), "result": [1, 2]}
                ok(self.caller, "POST", f"MultiDatastreams({self.multi})/Observations", body)

    def filled(self, text: str) -> str:
        names = {
            "a": NOON - 30 * HOUR,
            "b": NOON + 6 * HOUR,
            "odd": NOON - 7 * HOUR + 12_345_678,
            "odder": NOON + 777_777_777,
        }
        times = {name: format_instant(value) for name, value in names.items()}
        return text.format(stream=self.streams[0], multi=self.multi, **times)


def asked(world: World, path: str, keys: str, filter_: str, by: Principal) -> tuple[str, list[dict[str, Any]]]:
    """(the source that the answer names, its groups)."""
    option = f"groupby(({keys}),aggregate({AGGREGATES}))" if keys else f"aggregate({AGGREGATES})"
    query = f"$apply={quote(option, safe='')}" + (f"&$filter={quote(filter_, safe='')}" if filter_ else "")
    answer = world.caller.call("GET", f"{path}?{query}", who=by)
    assert answer.status == 200, answer.body
    body = json.loads(answer.body)
    return body["@lakou.source"], body["value"]


def compare(world: World, by: Principal = ADMIN, questions: int = 60) -> int:
    """Ask a number of the questions there are both ways; how many groups were compared."""
    groups = 0
    every = list(itertools.product(PATHS, KEYS, FILTERS))
    for question in world.random.sample(every, questions):
        path, keys, filter_ = map(world.filled, question)
        source, rolled = asked(world, path, keys, filter_, by)
        other, rows = asked(world, path, keys, f"{filter_} and {BY_ROWS}" if filter_ else BY_ROWS, by)
        assert (source, other) == ("rollups", "raw")
        assert len(rolled) == len(rows), question
        for one, two in zip(rolled, rows, strict=True):
            for name, value in two.items():
                close = pytest.approx(value, rel=1e-9, abs=1e-9) if isinstance(value, float) else value
                assert one[name] == close, (question, name)
        groups += len(rows)
    return groups


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1])
def test_rollups_merged_with_the_rest_equal_a_recomputation_from_the_rows(
    stores: Callable[[int], Store], seed: int
) -> None:
    store = stores(0)
    caller = store.caller(Limits(hot_rows=250))
    try:
        world = World(caller, seed)
        while len(world.ids) < ROWS:
            world.write(world.random.choice((1, 20, 100, 400)))
            for _ in range(world.random.randrange(6)):
                world.disturb()
            if world.random.random() < 0.3:
                world.caller.service._database.beside()
            if world.random.random() < 0.05:
                caller.restart()
        assert compare(world) > 1_000
        caller.restart()
        assert compare(world) > 1_000
    finally:
        caller.close()


def test_counts_by_rollups_equal_counts_by_rows(stores: Callable[[int], Store]) -> None:
    caller = stores(0).caller(Limits(hot_rows=30))
    try:
        world = World(caller, 7)
        for _ in range(12):
            world.write(25)
            world.disturb()
        for path in map(world.filled, PATHS):
            for filter_ in map(world.filled, FILTERS):
                both = f"{filter_} and {BY_ROWS}" if filter_ else BY_ROWS
                query = f"&$filter={quote(filter_, safe='')}" if filter_ else ""
                by_rollups = caller.read(f"{path}?$count=true&$top=0{query}")["@iot.count"]
                by_rows = caller.read(f"{path}?$count=true&$top=0&$filter={quote(both, safe='')}")["@iot.count"]
                assert by_rollups == by_rows, (path, filter_)
                assert isinstance(by_rollups, int)
    finally:
        caller.close()


def test_rollups_tell_nothing_of_what_the_reader_may_not_see(stores: Callable[[int], Store]) -> None:
    caller = stores(0).caller(Limits(hot_rows=10))
    try:
        world = World(caller, 5)
        for _ in range(20):
            world.write(10)
        ok(caller, "PATCH", f"Datastreams({world.streams[1]})", {"@lakou.visibility": "restricted"})
        compare(world, ANONYMOUS)
        _, seen = asked(world, "Observations", "Datastream/id", "", ANONYMOUS)
        assert world.streams[1] not in [g["Datastream/id"] for g in seen]
        _, whole = asked(world, "Observations", "Datastream/id", "", ADMIN)
        assert len(whole) == len(seen) + 1
    finally:
        caller.close()


@pytest.mark.parametrize(
    "option",
    [
        "groupby((bucket(phenomenonTime,duration'PT15M') as t),aggregate($count as n))",
        "groupby((bucket(resultTime,duration'PT1H') as t),aggregate($count as n))",
        "groupby((FeatureOfInterest/id),aggregate($count as n))",
        "aggregate(parameters/depth with mean as m)",
        "filter(result gt 3)/aggregate($count as n)",
    ],
)
def test_what_rollups_do_not_hold_is_answered_from_the_rows(caller: Caller, option: str) -> None:
    assert caller.read(f"Observations?$apply={quote(option)}")["@lakou.source"] == "raw"
