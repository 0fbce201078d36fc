"""Retention: what is old goes in batches, what it came to stays as long as that is kept, nothing goes unasked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from lakou.kernel.time import format_instant
from lakou.sensorthings.limits import Limits
from lakou.sensorthings.sql.dialect import Statement
from lakou.sensorthings.sql.rollups import DAY, HOUR
from lakou.sensorthings.store import outbox, retention, rolling, soundness
from lakou.sensorthings.store.database import Lookup
from lakou.sensorthings.store.retention import Keep, Retention
from lakou.sensorthings.store.sqlite import SQLiteDatabase
from tests.sensorthings import bodies
from tests.sensorthings.caller import Caller, Store

NOW = 20_000 * DAY.micros + 5 * HOUR.micros
FOR_EVER = Keep()
BY_DAY = "$apply=" + quote(
    "groupby((bucket(phenomenonTime,duration'P1D') as day),aggregate($count as n,result with sum as s,"
    "result with first as f,result with last as l))",
    safe="",
)


class Site:
    """A Datastream with four Observations a day over ten days, all sealed or rolled up."""

    def __init__(self, store: Store, **more: Any) -> None:
        self.caller = store.caller(Limits(hot_rows=10_000))
        self.caller.make("Things", bodies.station(Datastreams=[bodies.datastream(**more), bodies.datastream()]))
        self.old, self.other = self.caller.ids("Datastreams?$orderby=id")
        for stream in (self.old, self.other):
            self.write(stream, [(day, hour) for day in range(10) for hour in (1, 1.5, 7, 23)])
        self.settle()

    def write(self, stream: int, ages: list[tuple[float, float]]) -> None:
        rows = [
            [format_instant(NOW - NOW % DAY.micros - int(d * DAY.micros) + int(h * HOUR.micros)), d + h / 100]
            for d, h in ages
        ]
        group = {"Datastream": {"@iot.id": stream}, "components": ["phenomenonTime", "result"], "dataArray": rows}
        assert self.caller.call("POST", "CreateObservations", [group]).status == 201

    def settle(self) -> None:
        database = self.caller.service._database
        if isinstance(database, SQLiteDatabase):
            writer = self.caller.service._writer
            assert writer is not None
            self.caller.run(self._seal())
        else:
            self._roll_up()

    def _roll_up(self) -> None:
        """Until the rollups have read all of the log: an older transaction of the server may hold them up."""
        database = self.caller.service._database
        behind = (
            "select count(*) from change c where not exists (select 1 from change_reader r where r.name = ?"
            " and (c.transaction, c.seq) <= (r.transaction, r.seq))"
        )
        for _ in range(600):
            while (database.beside() or 1) < 0.5:
                pass
            if Lookup(database, 5.0).rows(behind, (rolling.READER,)) == [(0,)]:
                return
            time.sleep(0.05)
        raise AssertionError("the rollups do not come to rest")

    async def _seal(self) -> None:
        def work(session: Any) -> None:
            tiers = session.bare._tiers
            tiers._hot_rows, tiers._cap = 1, 1

        submit, database = self.caller.service.submitter(), self.caller.service._database
        await submit(work)
        for _ in range(500):
            # Asked on the writer's own thread: from here it may be seen between two states.
            if not await submit(lambda session: database.is_behind(idle=True)):
                return
            await asyncio.sleep(0.01)
        raise AssertionError("the store does not come to rest")

    def step(self, policy: Retention, now: int = NOW) -> bool:
        async def run() -> bool:
            return bool(await self.caller.service.submitter()(lambda session: policy.step(session, now)))

        return bool(self.caller.run(run()))

    def run(self, policy: Retention, now: int = NOW) -> int:
        steps = 0
        while self.step(policy, now):
            steps += 1
            assert steps < 500
        return steps

    def count(self, stream: int) -> int:
        return int(self.caller.read(f"Datastreams({stream})/Observations?$count=true&$top=0")["@iot.count"])

    def days(self, stream: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.caller.read(f"Datastreams({stream})/Observations?{BY_DAY}")["value"]
        return found

    def outlook(self, defaults: Keep = FOR_EVER, now: int = NOW) -> dict[int, tuple[int, int, int]]:
        database = self.caller.service._database
        rows = database.read(retention.outlook(database.dialect.name, defaults, now), 10)
        return {o.datastream_id: (o.observations, o.hours, o.days) for o in retention.read_outlook(rows)}


@pytest.fixture
def site(stores: Callable[[int], Store]) -> Any:
    made: list[Site] = []

    def make(**more: Any) -> Site:
        made.append(Site(stores(len(made)), **more))
        return made[-1]

    yield make
    for one in made:
        one.caller.close()


def test_nothing_goes_unless_somebody_says_how_long_it_is_kept(site: Callable[..., Site]) -> None:
    here = site()
    assert here.outlook(now=NOW + 10_000 * DAY.micros) == {}
    assert here.run(Retention(Keep()), NOW + 10_000 * DAY.micros) == 0
    assert (here.count(here.old), here.count(here.other)) == (40, 40)


@pytest.mark.parametrize("batch", [1_000, 3])
def test_whole_days_go_and_what_they_came_to_stays(
    site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(retention, "BATCH", batch)
    here = site(**{"@lakou.retention": {"raw": "P4D"}})
    before = here.days(here.old)
    assert here.outlook() == {here.old: (5 * 4, 0, 0)}
    here.run(Retention(Keep()))
    assert here.outlook() == {}
    assert (here.count(here.old), here.count(here.other)) == (20, 40)
    assert len(here.caller.read(f"Datastreams({here.old})/Observations")["value"]) == 20
    after = here.days(here.old)
    assert len(after) == len(before) == 10
    for one, two in zip(before, after, strict=True):
        assert two == {**one, "s": pytest.approx(one["s"])}
    extent = here.caller.read(f"Datastreams({here.old})")["phenomenonTime"]
    assert extent.startswith(format_instant(NOW - NOW % DAY.micros - 4 * DAY.micros + HOUR.micros))


def test_late_rows_of_days_that_are_gone_are_added_to_them(site: Callable[..., Site]) -> None:
    here = site(**{"@lakou.retention": {"raw": "P4D"}})
    here.run(Retention(Keep()))
    here.write(here.old, [(9, 12)])
    assert here.days(here.old)[0]["n"] == 5
    here.settle()
    assert here.days(here.old)[0]["n"] == 5
    here.run(Retention(Keep()))
    assert here.days(here.old)[0]["n"] == 5
    assert here.count(here.old) == 20


def test_hours_and_days_go_when_they_are_not_kept_either(site: Callable[..., Site]) -> None:
    here = site(**{"@lakou.retention": {"raw": "P4D", "hourly": "P6D", "daily": "P8D"}})
    policy = Retention(Keep())
    here.run(policy)
    # It is five o'clock: of the day that is eight days ago the end is not old enough yet.
    assert len(here.days(here.old)) == 9
    assert here.outlook() == {}
    by_hour = BY_DAY.replace("P1D", "PT1H")
    assert len(here.caller.read(f"Datastreams({here.old})/Observations?{by_hour}")["value"]) == 6 * 3 + 2


def test_the_default_of_the_site_is_for_those_who_say_nothing(site: Callable[..., Site]) -> None:
    here = site(**{"@lakou.retention": {"raw": "P9000D"}})
    defaults = Keep(raw=4 * DAY.micros)
    assert here.outlook(defaults) == {here.other: (20, 0, 0)}
    here.run(Retention(defaults))
    assert (here.count(here.old), here.count(here.other)) == (40, 20)
    patch = {"@lakou.retention": None}
    assert here.caller.call("PATCH", f"Datastreams({here.old})", patch).status == 200
    here.run(Retention(defaults))
    assert here.count(here.old) == 20


def test_the_store_is_sound_after_retention(site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 3)
    here = site(**{"@lakou.retention": {"raw": "P4D"}})
    policy = Retention(Keep())
    for _ in range(4):
        here.step(policy)
    database = here.caller.service._database

    def ask(text: str) -> list[tuple[Any, ...]]:
        return database.read(Statement(text, {}), 30)

    for check in soundness.CHECKS:
        if check.only in (None, database.dialect.name):
            assert soundness.count_wrong(ask, check, full=True) == 0, check.name


@pytest.mark.parametrize(
    "value", [{"raw": "P1Y"}, {"raw": "PT1H"}, {"raw": 5}, {"weekly": "P9D"}, "P9D", {"raw": "nonsense"}, []]
)
def test_what_is_no_retention_is_refused_with_its_place(caller: Caller, value: Any) -> None:
    caller.make("Things", bodies.station())
    answer = caller.call("PATCH", "Datastreams(1)", {"@lakou.retention": value})
    assert answer.status == 400
    assert b"@lakou.retention" in answer.body


def test_a_run_is_one_act_with_what_it_came_to(site: Callable[..., Site]) -> None:
    here = site(**{"@lakou.retention": {"raw": "P4D"}})
    service = here.caller.service
    here.run(Retention(Keep(raw=8 * DAY.micros)))

    async def gathered() -> list[Any]:
        await service.submitter()(lambda session: outbox.gather(session.tx))
        return [act for _, act in outbox.acts_of(await service.readers().rows(outbox.OLDEST, 5.0))]

    (one,) = [act for act in here.caller.run(gathered()) if act.act == "retention.applied"]
    left = here.count(here.old) + here.count(here.other)
    assert (one.name, one.counts) == ("system", {"observations": 80 - left, "datastreams": 2})
    assert 0 < left < 80
