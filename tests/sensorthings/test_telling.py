"""Acts of the data plane: which there are, that each is told once and none is lost, and that ingest is none."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from lakou.kernel.errors import LakouError
from lakou.sensorthings.access import Principal
from lakou.sensorthings.store import outbox
from lakou.sensorthings.witness import MOST_SUBJECTS, Act, act_of, merged
from tests.sensorthings import bodies
from tests.sensorthings.caller import AGENT, DEVICE, Store, body_of

JSON = {"Content-Type": "application/json"}


class Notebook:
    """A witness that remembers; `broken` stands for a journal that cannot be written."""

    def __init__(self) -> None:
        self.acts: list[Act] = []
        self.refused: list[tuple[str, str]] = []
        self.taken: list[tuple[str, str]] = []
        self.broken = False

    def tell(self, acts: Sequence[Act]) -> None:
        if self.broken:
            raise RuntimeError("the journal is away")
        self.acts += acts

    def note_refusal(self, principal: Principal | None, error: LakouError, address: str | None, part: str) -> None:
        self.refused.append(("nobody" if principal is None else principal.name, part))

    def note_taken(self, principal: Principal, form: str, size: int, address: str | None) -> None:
        self.taken.append((principal.name, form))

    def is_due(self) -> bool:
        return False

    def settle(self, *, last: bool = False) -> None:
        """Nothing waits here."""


class Told:
    """A service with its witness."""

    def __init__(self, store: Store) -> None:
        self.notes = Notebook()
        self.caller = store.caller(witness=self.notes)

    def rows(self) -> list[Act]:
        """What was done since the last look."""
        teller = self.caller.service._teller
        assert teller is not None
        self.caller.run(teller._try(look=True))
        told, self.notes.acts = self.notes.acts, []
        return told

    def acts(self) -> list[tuple[str, str, tuple[str, ...], dict[str, str]]]:
        """The same as (act, by whom, on what, how)."""
        return [(one.act, one.name, one.subjects, one.detail) for one in self.rows()]

    def change(self, target: str, body: Any, **more: Any) -> None:
        answer = self.caller.call("PATCH", target, body, **more)
        assert answer.status == 200, answer.body


@pytest.fixture
def told(store: Store) -> Iterator[Told]:
    made = Told(store)
    yield made
    made.caller.close()


def test_what_a_token_makes_is_its_claim_named_once_a_request(told: Told) -> None:
    told.caller.make("Things", bodies.station(Datastreams=[bodies.datastream(), bodies.datastream()]), who=DEVICE)
    claim = ("device.claimed", "gauge", ("Things(1)", "Datastreams(1)", "Datastreams(2)"), {"visibility": "public"})
    assert told.acts() == [claim]
    hidden = bodies.datastream(Thing=bodies.ref(1), **{"@lakou.visibility": "restricted"})
    told.caller.make("Datastreams", hidden, who=DEVICE)
    assert told.acts() == [("device.claimed", "gauge", ("Datastreams(3)",), {"visibility": "restricted:101"})]
    assert told.acts() == []


def test_what_the_product_makes_and_an_observation_are_no_acts(told: Told) -> None:
    told.caller.make("Things", bodies.station(Datastreams=[bodies.datastream()]))
    told.caller.make("Datastreams(1)/Observations", {"phenomenonTime": "2026-01-01T00:00:00Z", "result": 1})
    told.caller.make("Datastreams(1)/Observations", {"result": 1, "FeatureOfInterest": bodies.feature()})
    assert told.acts() == []


def test_an_unknown_device_is_claimed_by_who_takes_its_mark_away(told: Told) -> None:
    mark = {"lakou": {"key": "lorawan:70b3d5e75e000001", "claim": "unclaimed"}}
    hidden = bodies.thing(properties=mark, **{"@lakou.visibility": "restricted"})
    webhook = Principal(id=21, name="chirpstack", role="agent", reads=None, home=1, changes=AGENT.changes)
    told.caller.make("Things", hidden, who=webhook)
    told.change("Things(1)", {"name": "still waiting", "properties": mark}, who=webhook)
    assert told.acts() == []
    told.change("Things(1)", {"properties": {"lakou": {"key": "lorawan:70b3d5e75e000001"}}}, who=webhook)
    assert told.acts() == [("device.claimed", "chirpstack", ("Things(1)",), {"before": "unclaimed"})]


def test_visibility_that_changes_is_an_act_and_one_that_does_not_is_none(told: Told) -> None:
    told.caller.make("Things", bodies.station(Datastreams=[bodies.datastream(), bodies.datastream()]), who=AGENT)
    told.acts()
    told.change("Things(1)", {"@lakou.visibility": "restricted"}, who=AGENT)
    told.change("Things(1)", {"@lakou.visibility": "restricted"}, who=AGENT)
    (one,) = told.acts()
    assert one == ("visibility.changed", "agent", ("Things(1)",), {"before": "public", "after": "restricted:103"})
    whole = {k: v for k, v in bodies.thing().items() if k != "Datastreams"}
    answer = told.caller.call("PUT", "Things(1)", {**whole, "@lakou.visibility": "public"}, who=AGENT)
    assert answer.status == 200, answer.body
    told.change("Sensors(1)", {"@lakou.visibility": "restricted"}, who=AGENT)
    assert [(act, subjects) for act, _, subjects, _ in told.acts()] == [
        ("visibility.changed", ("Things(1)",)),
        ("visibility.changed", ("Sensors(1)",)),
    ]


def test_what_is_refused_or_fails_in_a_change_set_leaves_no_act(told: Told) -> None:
    told.caller.make("Things", bodies.thing(), who=AGENT)
    told.acts()
    requests = [
        {"id": "1", "atomicityGroup": "a", "method": "post", "url": "Things", "body": bodies.thing()},
        {"id": "2", "atomicityGroup": "a", "method": "patch", "url": "Things(9)", "body": {"name": "x"}},
        {"id": "3", "method": "patch", "url": "Things(1)", "body": {"@lakou.visibility": "restricted"}},
    ]
    answer = told.caller.call("POST", "$batch", {"requests": requests}, who=DEVICE, headers=JSON)
    assert [one["status"] for one in body_of(answer)["responses"]] == [404, 404, 403]
    assert told.acts() == []
    assert told.notes.refused == [("gauge", "sensorthings")]
    answer = told.caller.call("POST", "$batch", {"requests": [requests[0], requests[2]]}, who=AGENT, headers=JSON)
    assert [one["status"] for one in body_of(answer)["responses"]] == [201, 200]
    assert [act for act, *_ in told.acts()] == ["device.claimed", "visibility.changed"]


def test_rows_that_may_not_be_stored_are_one_refusal_a_request(told: Told) -> None:
    told.caller.make("Things", bodies.station(Datastreams=[bodies.datastream()]), who=AGENT)
    rows = [[f"2026-01-01T00:00:{n:02}Z", n] for n in range(20)]
    series = [{"Datastream": bodies.ref(1), "components": ["phenomenonTime", "result"], "dataArray": rows}]
    answer = told.caller.call("POST", "CreateObservations", series, who=DEVICE)
    assert [said[:6] for said in body_of(answer)] == ["error:"] * 20
    lines = b'{"result": 1}\n' * 3
    kind = {"Content-Type": "application/x-ndjson"}
    assert told.caller.call("POST", "Datastreams(1)/Observations", lines, who=DEVICE, headers=kind).status == 400
    assert told.notes.refused == [("gauge", "sensorthings")] * 2


def test_keeping_for_another_time_is_an_act(told: Told) -> None:
    kept = bodies.datastream(**{"@lakou.retention": {"raw": "P730D"}})
    told.caller.make("Things", bodies.station(Datastreams=[kept]), who=AGENT)
    assert told.acts()[1] == ("retention.changed", "agent", ("Datastreams(1)",), {"after": "raw 730 d"})
    told.change("Datastreams(1)", {"@lakou.retention": {"raw": "P730D"}, "name": "the same"}, who=AGENT)
    assert told.acts() == []
    told.change("Datastreams(1)", {"@lakou.retention": None}, who=AGENT)
    (one,) = told.acts()
    assert one[3] == {"before": "raw 730 d", "after": "as the site"}


def test_deleting_is_an_act_with_how_many(told: Told) -> None:
    told.caller.make("Things", bodies.station(Datastreams=[bodies.datastream(), bodies.datastream()]), who=AGENT)
    for n in range(9):
        told.caller.make("Datastreams(2)/Observations", {"phenomenonTime": f"2026-01-0{n + 1}T00:00:00Z", "result": n})
    told.acts()
    assert told.caller.call("DELETE", "Observations?$filter=result%20ge%202", who=AGENT).status == 200
    assert told.caller.call("DELETE", "Datastreams(1)", who=AGENT).status == 200
    assert [(one.act, one.subjects, one.detail, one.counts) for one in told.rows()] == [
        ("data.deleted", ("Datastreams(2)",), {"what": "Observations"}, {"deleted": 7}),
        ("data.deleted", ("Datastreams(1)",), {"what": "Datastreams"}, {"deleted": 1}),
    ]


def test_an_act_waits_while_the_journal_is_away_and_is_there_after_a_restart(told: Told) -> None:
    told.notes.broken = True
    told.caller.make("Things", bodies.thing(), who=DEVICE)
    assert told.acts() == []
    teller = told.caller.service._teller
    assert teller is not None
    assert teller.failed >= 1
    waiting = {name: value for name, _, value in told.caller.run(told.caller.service.sizes())}
    assert waiting["lakou_acts_waiting"] == 1
    told.caller.restart()
    told.notes.broken = False
    assert [act for act, *_ in told.acts()] == ["device.claimed"]
    assert told.acts() == []


def test_a_stop_tells_what_was_just_done(told: Told) -> None:
    told.caller.make("Things", bodies.thing(), who=DEVICE)
    told.caller.restart()
    assert [one.act for one in told.notes.acts] == ["device.claimed"]


def test_what_is_told_twice_has_the_same_key(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process ends between the journal's commit and that which takes the act out of the outbox."""
    told.caller.make("Things", bodies.thing(), who=DEVICE)
    with monkeypatch.context() as patch:
        patch.setattr(outbox, "remove", lambda tx, numbers: None)
        told.caller.restart()
    told.caller.make("Things", bodies.thing(), who=DEVICE)
    told.caller.restart()
    keys = [one.key for one in told.notes.acts]
    assert keys.count(keys[0]) >= 2
    assert {one.subjects for one in told.notes.acts} == {("Things(1)",), ("Things(2)",)}


def test_alike_acts_are_joined_and_every_subject_stays_named() -> None:
    many = [act_of("device.claimed", DEVICE, at=n, subject=f"Things({n})", counts={"n": 1}) for n in range(120)]
    found = merged([*many, act_of("device.claimed", AGENT, at=0, subject="Things(7)")])
    assert [len(one.subjects) for one in found] == [MOST_SUBJECTS, MOST_SUBJECTS, 20, 1]
    assert sum(one.counts.get("n", 0) for one in found) == 120
    assert {subject for one in found for subject in one.subjects} == {f"Things({n})" for n in range(120)}
    assert (found[0].key, found[0].at) == (many[0].key, MOST_SUBJECTS - 1)


def test_the_teller_ends_when_it_is_woken_and_ended_at_once(told: Told) -> None:
    async def ended() -> bool:
        teller = told.caller.service._teller
        assert teller is not None
        task = asyncio.create_task(teller.run())
        await asyncio.sleep(0.01)
        teller._woken.set()
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task], timeout=5)
        return task.done()

    assert told.caller.run(ended())
