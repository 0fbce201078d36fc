"""Replaying changes nothing (DESIGN §4 rule 6): any sequence of sends, re-sends, corrections, deletions and restarts.

The test keeps the identities that were sent; the store must give the same id for the same message, hold no
Observation twice and lose none that it acknowledged.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakou.sensorthings.sql.dialect import Statement
from tests.sensorthings import bodies
from tests.sensorthings.bodies import Body, ref
from tests.sensorthings.caller import AGENT, Caller, Store, body_of, made
from tests.sensorthings.conftest import emptied

Message = tuple[int, Any]
"""(minute, result): what a device sends."""

_NUMBERS = itertools.count()

NDJSON = {"content-type": "application/x-ndjson"}


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """One store for all of this module: every test makes Datastreams of its own."""
    if request.param == "sqlite":
        return Store("sqlite", folder=tmp_path_factory.mktemp("replay"))
    return emptied(request.getfixturevalue("postgres_urls")(0))


@pytest.fixture(scope="module")
def caller(store: Store) -> Iterator[Caller]:
    made_ = store.caller()
    yield made_
    made_.close()


def time_of(minute: int) -> str:
    return f"2026-05-01T00:{minute:02}:00Z"


def observation(message: Message, **more: Any) -> Body:
    return {"phenomenonTime": time_of(message[0]), "result": message[1], **more}


class Sender:
    """One Datastream, and what must be in it: the present values by id, and the id of every message."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        thing = caller.make("Things", bodies.station())
        self.stream = caller.ids(f"Things({thing})/Datastreams")[0]
        self.path = f"Datastreams({self.stream})/Observations"
        self.known: dict[Message, int] = {}
        self.stored: dict[int, Message] = {}

    def learn(self, message: Message, id_: int) -> None:
        """The store says that this message is the Observation `id_`."""
        assert id_ > 0
        if message in self.known:
            assert id_ == self.known[message], f"{message} was {self.known[message]}, now {id_}"
            return
        assert id_ not in self.stored, f"{message} got the id of {self.stored[id_]}"
        self.known[message] = id_
        self.stored[id_] = message

    def send(self, messages: list[Message]) -> None:
        """One after the other."""
        for message in messages:
            answer = self.caller.call("POST", self.path, observation(message))
            assert answer.status == 201, answer.body
            self.learn(message, made(answer))

    def send_together(self, messages: list[Message]) -> None:
        answers = self.caller.together(("POST", self.path, observation(m)) for m in messages)
        for message, answer in zip(messages, answers, strict=True):
            assert answer.status == 201, answer.body
            self.learn(message, made(answer))

    def send_array(self, messages: list[Message]) -> None:
        """As a data array; the answer lists a link for each row."""
        group = {
            "Datastream": ref(self.stream),
            "components": ["result", "phenomenonTime"],
            "dataArray": [[r, time_of(t)] for t, r in messages],
        }
        links = body_of(self.caller.call("POST", "CreateObservations", [group]))
        for message, link in zip(messages, links, strict=True):
            self.learn(message, int(link.rpartition("(")[2].rstrip(")")))

    def send_lines(self, messages: list[Message]) -> None:
        """As NDJSON, which answers with counts only: the ids are asked for by sending each alone again."""
        lines = b"\n".join(msgspec.json.encode(observation(m)) for m in messages)
        found = body_of(self.caller.call("POST", self.path, lines, headers=NDJSON))
        assert (found["stored"], found["refused"]) == (len(messages), 0)
        self.send(messages)

    def send_and_lose(self, messages: list[Message]) -> None:
        """The service stops under the requests; the device does what it must, and sends again."""
        self.caller.cut_off([("POST", self.path, observation(m)) for m in messages])
        self.send(messages)

    def correct(self, messages: list[Message]) -> None:
        """Another value for a stored Observation; its identity stays that of the message."""
        for message in messages:
            if message in self.known and self.known[message] in self.stored:
                id_ = self.known[message]
                self._patch(id_, {"result": "corrected"})
                self.stored[id_] = (self.stored[id_][0], "corrected")

    def move(self, messages: list[Message]) -> None:
        """Another time for a stored Observation."""
        for message in messages:
            if message in self.known and self.known[message] in self.stored:
                id_ = self.known[message]
                minute = (self.stored[id_][0] + 7) % 30
                self._patch(id_, {"phenomenonTime": time_of(minute)})
                self.stored[id_] = (minute, self.stored[id_][1])

    def delete(self, messages: list[Message]) -> None:
        """What is deleted may be sent anew, as a new Observation."""
        for message in messages:
            if message in self.known:
                id_ = self.known.pop(message)
                assert self.caller.call("DELETE", f"Observations({id_})").status == 200
                del self.stored[id_]

    def restart(self, messages: list[Message]) -> None:
        self.caller.restart()

    def _patch(self, id_: int, body: Body) -> None:
        answer = self.caller.call("PATCH", f"Observations({id_})", body)
        assert answer.status == 200, answer.body

    def check(self) -> None:
        """What is stored is exactly what must be."""
        page = self.caller.read(f"{self.path}?$top=1000&$orderby=id&$count=true")
        found = {o["@iot.id"]: (o["phenomenonTime"], o["result"]) for o in page["value"]}
        assert found == {i: (time_of(t), r) for i, (t, r) in sorted(self.stored.items())}
        assert page["@iot.count"] == len(found)


SENDS = ("send", "send_together", "send_array", "send_lines")
CHANGES = ("correct", "move", "delete")
STOPS = ("restart", "send_and_lose")
MESSAGES = st.lists(st.tuples(st.integers(0, 4), st.sampled_from([1, 2.5, "a", None])), min_size=1, max_size=4)
STEPS = st.lists(
    st.tuples(st.sampled_from(SENDS * 3 + CHANGES * 2 + STOPS), MESSAGES), min_size=1, max_size=8
)  # fmt: skip


def test_any_sequence_stores_each_message_once(caller: Caller, store: Store) -> None:
    @settings(
        max_examples=40 if store.name == "sqlite" else 12,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(steps=STEPS)
    def check(steps: list[tuple[str, list[Message]]]) -> None:
        sender = Sender(caller)
        for step, messages in steps:
            getattr(sender, step)(messages)
        sender.check()
        caller.restart()
        sender.send([m for m in sender.known if sender.known[m] in sender.stored])
        sender.check()

    check()


def test_hundreds_at_once_with_every_message_twice(caller: Caller) -> None:
    sender = Sender(caller)
    messages = [(minute, value) for minute in range(50) for value in (1, 2)]
    sender.send_together(messages + messages)
    sender.send_array(messages + messages[::-1])
    sender.check()
    assert len(sender.stored) == 100


# ── what makes two messages the same ──


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ({"result": 1}, {"result": 1.0}, True),
        ({"result": 0.0}, {"result": -0.0}, True),
        ({"result": 1}, {"result": True}, False),
        ({"result": 1}, {"result": "1"}, False),
        ({"result": None}, {"result": "null"}, False),
        ({"result": {"a": 1, "b": [1.0]}}, {"result": {"b": [1], "a": 1}}, True),
        ({"result": 1}, {"result": 1, "resultTime": None}, True),
        ({"result": 1}, {"result": 1, "resultTime": "2026-05-01T00:00:00Z"}, False),
        ({"result": 1, "parameters": {"a": 1, "b": 2}}, {"result": 1, "parameters": {"b": 2, "a": 1}}, True),
        ({"result": 1, "resultQuality": 1}, {"result": 1, "resultQuality": 2}, False),
        ({"result": 2**60}, {"result": 2**60 + 1}, False),
        (
            {"result": 1, "FeatureOfInterest": bodies.feature("f")},
            {"result": 1, "FeatureOfInterest": bodies.feature("f")},
            True,
        ),
        (
            {"result": 1, "FeatureOfInterest": bodies.feature("f")},
            {"result": 1, "FeatureOfInterest": bodies.feature("g")},
            False,
        ),
        ({"result": 1}, {"result": 1, "phenomenonTime": "2026-05-01T02:00:00+02:00"}, True),
        ({"result": 1}, {"result": 1, "phenomenonTime": "2026-05-01T00:00:00Z/2026-05-01T01:00:00Z"}, False),
    ],
)
def test_identity_of_an_observation(caller: Caller, first: Body, second: Body, same: bool) -> None:
    path, time = Sender(caller).path, {"phenomenonTime": time_of(0)}
    one, other = (caller.make(path, {**time, **body}) for body in (first, second))
    assert (one == other) is same
    assert len(caller.ids(path)) == (1 if same else 2)


def test_the_form_of_the_request_does_not_matter(caller: Caller) -> None:
    sender = Sender(caller)
    message = (3, 7.5)
    sender.send([message])
    sender.send_array([message])
    sender.send_lines([message])
    body = observation(message, Datastream=ref(sender.stream))
    sender.learn(message, caller.make("Observations", body))
    batch = {"requests": [{"id": "1", "method": "post", "url": "Observations", "body": body, "atomicityGroup": "g"}]}
    answer = body_of(caller.call("POST", "$batch", batch, headers={"content-type": "application/json"}))
    assert answer["responses"][0]["location"].endswith(f"({sender.known[message]})")
    sender.check()


def test_without_a_time_each_message_is_a_new_observation(caller: Caller) -> None:
    path = Sender(caller).path
    assert len({caller.make(path, {"result": 1}) for _ in range(3)}) == 3


def test_sent_deleted_and_sent_again_within_one_commit(caller: Caller) -> None:
    sender = Sender(caller)
    sender.send([(9, 1)])
    body = observation((1, 5), Datastream=ref(sender.stream))
    urls = [("POST", "Observations"), ("DELETE", f"{sender.path}?$filter=result eq 5"), ("POST", "Observations")]
    requests = [
        {"id": str(n), "method": m, "url": u, "atomicityGroup": "g"} | ({"body": body} if m == "POST" else {})
        for n, (m, u) in enumerate(urls)
    ]
    answer = caller.call("POST", "$batch", {"requests": requests}, headers={"content-type": "application/json"})
    responses = body_of(answer)["responses"]
    assert [r["status"] for r in responses] == [201, 200, 201]
    assert caller.read(f"{sender.path}?$count=true")["@iot.count"] == 2


# ── another value at the same time: the policy of the Datastream ──


def with_policy(caller: Caller, policy: str) -> str:
    thing = caller.make("Things", bodies.station(Datastreams=[bodies.datastream(**{"@lakou.onDifferent": policy})]))
    return f"Datastreams({caller.ids(f'Things({thing})/Datastreams')[0]})/Observations"


@pytest.mark.parametrize("again", [False, True], ids=["at once", "after a restart"])
def test_keep_all_keeps_both_values(caller: Caller, again: bool) -> None:
    path = with_policy(caller, "keep-all")
    first = caller.make(path, observation((1, 1)))
    if again:
        caller.restart()
    assert caller.make(path, observation((1, 2))) != first
    assert [o["result"] for o in caller.read(path)["value"]] == [1, 2]


@pytest.mark.parametrize("again", [False, True], ids=["at once", "after a restart"])
def test_replace_puts_the_new_value_in_place_and_keeps_history(caller: Caller, store: Store, again: bool) -> None:
    path = with_policy(caller, "replace")
    first = caller.make(path, observation((1, 1)))
    if again:
        caller.restart()
    for value in (2, 2, "three"):
        assert caller.make(path, observation((1, value))) == first
    assert [o["result"] for o in caller.read(path)["value"]] == ["three"]
    database = store.open()
    try:
        sql = f"select count(*) from observation_history where observation_id = {first}"  # noqa: S608  an integer
        (count,) = database.read(Statement(sql, {}), 5.0)[0]
    finally:
        database.close()
    assert count == 2


@pytest.mark.parametrize("again", [False, True], ids=["at once", "after a restart"])
def test_a_late_repeat_of_a_replaced_message_does_not_put_it_back(caller: Caller, again: bool) -> None:
    path = with_policy(caller, "replace")
    first = caller.make(path, observation((1, 1)))
    assert caller.make(path, observation((1, 2))) == first
    if again:
        caller.restart()
    assert caller.make(path, observation((1, 1))) == first
    assert [o["result"] for o in caller.read(path)["value"]] == [2]


@pytest.mark.parametrize("again", [False, True], ids=["at once", "after a restart"])
def test_reject_refuses_another_value_and_knows_the_same(caller: Caller, again: bool) -> None:
    path = with_policy(caller, "reject")
    first = caller.make(path, observation((1, 1)))
    if again:
        caller.restart()
    answer = caller.call("POST", path, observation((1, 2)))
    assert (answer.status, body_of(answer)["code"]) == (409, "different_value")
    assert caller.make(path, observation((1, 1))) == first
    assert caller.make(path, observation((2, 1))) != first


def test_reject_refuses_a_row_of_a_data_array_alone(caller: Caller) -> None:
    path = with_policy(caller, "reject")
    stream = int(path.partition("(")[2].partition(")")[0])
    rows = [[1, time_of(1)], [2, time_of(1)], [1, time_of(1)], [3, time_of(2)]]
    group = {"Datastream": ref(stream), "components": ["result", "phenomenonTime"], "dataArray": rows}
    found = body_of(caller.call("POST", "CreateObservations", [group]))
    assert [f.startswith("error") for f in found] == [False, True, False, False]
    assert found[0] == found[2]


def test_the_policy_can_be_changed_later(caller: Caller) -> None:
    path = with_policy(caller, "keep-all")
    caller.make(path, observation((1, 1)))
    assert caller.call("PATCH", path.partition("/")[0], {"@lakou.onDifferent": "reject"}).status == 200
    assert caller.call("POST", path, observation((1, 2))).status == 409


# ── Idempotency-Key ──


@pytest.fixture
def key() -> dict[str, str]:
    """The header of a key that no other test uses."""
    return {"idempotency-key": f"key {next(_NUMBERS)}"}


def test_a_key_makes_any_request_safe_to_repeat(caller: Caller, key: dict[str, str]) -> None:
    path = Sender(caller).path
    answers = [caller.call("POST", path, {"result": 1}, headers=key) for _ in range(2)]
    caller.restart()
    answers.append(caller.call("POST", path, {"result": 1}, headers=key))
    assert [a.status for a in answers] == [201] * 3
    assert len({made(a) for a in answers}) == 1
    assert len(caller.ids(path)) == 1
    things = {
        made(caller.call("POST", "Things", bodies.thing(), headers={"idempotency-key": f"{key}"[:150]}))
        for _ in range(2)
    }
    assert len(things) == 1


def test_a_key_with_another_request_is_a_conflict(caller: Caller, key: dict[str, str]) -> None:
    path = Sender(caller).path
    caller.call("POST", path, {"result": 1}, headers=key)
    answer = caller.call("POST", path, {"result": 2}, headers=key)
    assert (answer.status, body_of(answer)["code"]) == (409, "idempotency_key")


def test_a_key_belongs_to_its_token(caller: Caller, key: dict[str, str]) -> None:
    path = Sender(caller).path
    one = made(caller.call("POST", path, {"result": 1}, headers=key))
    other = made(caller.call("POST", path, {"result": 1}, headers=key, who=AGENT))
    assert one != other


def test_a_refused_request_leaves_its_key_free(caller: Caller, key: dict[str, str]) -> None:
    thing = caller.make("Things", bodies.thing(Datastreams=[bodies.datastream()]))
    path = f"Datastreams({caller.ids(f'Things({thing})/Datastreams')[0]})/Observations"
    assert caller.call("POST", path, {"result": 1}, headers=key).status == 400
    caller.make(f"Things({thing})/Locations", bodies.location())
    assert caller.call("POST", path, {"result": 1}, headers=key).status == 201


@pytest.mark.parametrize("text", ["", "x" * 201, "a\tb"])
def test_a_key_has_a_form(caller: Caller, text: str) -> None:
    answer = caller.call("POST", "Things", bodies.thing(), headers={"idempotency-key": text})
    assert (answer.status, body_of(answer)["code"]) == (400, "idempotency_key")


def test_a_repeated_deletion_is_answered_as_the_first(caller: Caller, key: dict[str, str]) -> None:
    thing = caller.make("Things", bodies.thing())
    statuses = [caller.call("DELETE", f"Things({thing})", headers=key).status for _ in range(2)]
    assert statuses == [200, 200]
