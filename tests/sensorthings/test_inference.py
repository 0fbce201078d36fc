"""What is restricted cannot be inferred: by no question, in no form, page, batch, error, stream or message.

Two worlds differ only by a restricted part, which touches the public one wherever the model allows it. Whoever may not
see it must be answered the same bytes by both. hypothesis draws the questions, so that a difference comes back small.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from random import Random
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakou.sensorthings.access import ANONYMOUS, Principal
from lakou.sensorthings.model import BY_NAME
from lakou.sensorthings.request import Answer
from tests.sensorthings import bodies
from tests.sensorthings.bodies import ref
from tests.sensorthings.caller import DEVICE, OTHER, Caller, Store
from tests.sensorthings.mqtt.broker import Broker
from tests.sensorthings.stream import Client
from tests.sensorthings.worlds import RESTRICTED, build, question, question_of_shared

EXAMPLES = {"sqlite": 250, "postgres": 60}
_CLOCK = re.compile(rb"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z")  # when a Thing moved; no other time has fractions
FORMS = ("dataArray", "CSV", "GeoJSON")
PROBES = (
    "Things?$filter=properties/near.Thing/name ne 'thing 0'",
    "Things?$filter=properties/near.Thing/Datastreams/any(d: d/id gt 0)",
    "Things?$filter=not properties/near.Thing/Locations/name eq 'place 1'",
    "Things?$orderby=properties/near.Thing/name desc,id",
    "Things?$expand=properties/near.Thing($expand=Datastreams)&$orderby=properties/near.Thing/name",
    "Datastreams?$filter=Thing/properties/near.Thing/name eq 'secret 0'",
    "Locations?$filter=Things/any(t: startswith(t/name,'secret'))",
    "FeaturesOfInterest?$filter=Observations/any(o: o/result gt 1000)",
    "Sensors?$filter=Datastreams/any(d: d/Thing/any(t: startswith(t/name,'secret')) or startswith(d/name,'secret'))",
    "Things?$filter=Datastreams/any(d: startswith(d/name,'secret'))&$count=true",
    "Observations?$filter=FeatureOfInterest/Observations/any(o: o/result gt 1000)&$count=true",
)
"""By a client's own link to what the reader may not see, and straight at what is shared."""
Worlds = tuple[Caller, Caller, str]


@pytest.fixture
def worlds(stores: Callable[[int], Store]) -> Iterator[Worlds]:
    """The public part alone, and with its restricted part."""
    first = stores(0)
    bare, full = first.caller(), stores(1).caller()
    for one, restricted in ((bare, False), (full, True)):
        build(one, 3, restricted=restricted)
    known = bare.ids("Things")
    for place, thing in enumerate(known):
        # A client's own link to what only one of the worlds has.
        link = {"level": 1, "near.Thing@iot.id": len(known) + 1 + place}
        assert bare.call("PATCH", f"Things({thing})", {"properties": link}).status == 200
        assert full.call("PATCH", f"Things({thing})", {"properties": link}).status == 200
    # Beyond anything public: times, values and places that an extent, an order or a bucket would show.
    full.make("Things", bodies.station("secret far", **RESTRICTED))
    for time, result in (("1991-01-01T00:00:00Z", -1e9), ("2090-01-01T00:00:00Z", 1e9)):
        for stream in full.ids("Datastreams?$filter=startswith(name,'secret')"):
            feature = bodies.feature("secret spot", 120, -40, **RESTRICTED)
            full.make(
                f"Datastreams({stream})/Observations", {"result": result, "phenomenonTime": time, "resultTime": time}
            )
            more: dict[str, Any] = {"phenomenonTime": time, "result": result, "parameters": {"far": 1}}
            for place in (feature, ref(1), ref(2)):
                more["result"] += 1
                full.make(f"Datastreams({stream})/Observations", {**more, "FeatureOfInterest": place})
    for stream in full.ids("Datastreams?$filter=startswith(name,'secret')")[:1]:
        full.call("DELETE", f"Datastreams({stream})")
    yield bare, full, first.name
    bare.close()
    full.close()


@st.composite
def questions(draw: st.DrawFn) -> str:
    """A question of `worlds.question`, perhaps in another form, of a property, or not well formed."""
    random = draw(st.randoms(use_true_random=False))
    target = question_of_shared(random) if draw(st.integers(0, 2)) == 0 else question(random)
    change = draw(st.integers(0, 9))
    path, _, query = target.partition("?")
    if change < 3:
        return f"{target}{'&' if query else '?'}$resultFormat={FORMS[change]}"
    if change == 3:
        return f"{target}{'&' if query else '?'}$resultMetadata={draw(st.sampled_from(('off', 'minimal')))}"
    if change == 4 and "$count=true" in query:
        return f"{target}&$countMode=estimate"
    if change == 5:
        type_ = draw(st.sampled_from(list(BY_NAME.values())))
        names = [
            "id",
            "name",
            "properties",
            "phenomenonTime",
            "observedArea",
            "result",
            *(one.name for one in type_.links),
        ]
        end = draw(st.sampled_from(names))
        return (
            f"{type_.plural}({draw(st.integers(1, 9))})/{end}{draw(st.sampled_from(('', '/$value', '/$ref', '/name')))}"
        )
    if change == 7:
        path, _, query = draw(st.sampled_from(PROBES)).partition("?")
        return f"{path}?{quote(query, safe='$=&,/')}"
    if change == 6 and path:
        return target.replace(draw(st.sampled_from(("eq", "$", "(", "name"))), draw(st.sampled_from(("", "x", "'"))), 1)
    return target


def shown(caller: Caller, target: str, who: Principal) -> list[tuple[int, bytes, list[Any]]]:
    """The answer, and those of the pages that it leads to."""
    found = []
    for _ in range(3):
        answer = caller.call("GET", target, who=who)
        headers = [header for header in answer.headers if header[0] != b"server-timing"]
        found.append((answer.status, _CLOCK.sub(b"", answer.body), [h for h in headers if h[0] != b"etag"]))
        link = _next(answer)
        if link is None:
            break
        target = link
    return found


def _next(answer: Answer) -> str | None:
    if answer.status != 200 or not answer.body.startswith(b"{"):
        return None
    link = json.loads(answer.body).get("@iot.nextLink")
    return None if link is None else str(link).partition("/sta/v1.1/")[2]


def test_no_question_tells_of_what_is_restricted(worlds: Worlds) -> None:
    bare, full, name = worlds
    statuses: dict[int, int] = {}

    @settings(max_examples=EXAMPLES[name], deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(questions(), st.sampled_from((ANONYMOUS, OTHER)))
    def check(target: str, who: Principal) -> None:
        expected = shown(bare, target, who)
        assert shown(full, target, who) == expected, target
        statuses[expected[0][0]] = statuses.get(expected[0][0], 0) + 1
        assert expected[0][0] < 500

    check()
    assert statuses.get(200, 0) > EXAMPLES[name] // 4, statuses


def test_a_batch_tells_no_more_than_its_parts(worlds: Worlds) -> None:
    bare, full, name = worlds
    random = Random(2)
    for _ in range(EXAMPLES[name] // 10):
        parts = [{"id": str(n), "method": "get", "url": question(random)} for n in range(3)]
        headers = {"content-type": "application/json"}
        found = [
            _CLOCK.sub(b"", one.call("POST", "$batch", {"requests": parts}, who=ANONYMOUS, headers=headers).body)
            for one in (bare, full)
        ]
        assert found[0] == found[1], parts


# ── something restricted is as something that is not there ──

ABSENT = 9  # with as many digits as what is there, for errors tell positions
SHAPES = (
    "",
    "/id",
    "/name",
    "/$ref",
    "/{link}",
    "/{link}/$count",
    "/{link}/$ref",
    "/{link}?$top=1",
    "/id/$value",
    "/nothing",
)
BODY = {"name": "x", "description": "x", "result": 1, "time": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize("who", [ANONYMOUS, OTHER], ids=lambda who: who.name)
def test_every_way_to_something_restricted_ends_as_if_it_were_not_there(caller: Caller, who: Principal) -> None:
    secret = bodies.datastream(Observations=[{"result": 1, "phenomenonTime": "2026-01-01T00:00:00Z"}])
    for name in ("before", "after"):  # nothing depends on it being the last
        thing = bodies.station(name, Datastreams=[secret], MultiDatastreams=[bodies.multi_datastream()])
        caller.make("Things", {**thing, **RESTRICTED}, who=DEVICE)
    asked = 0
    for type_ in BY_NAME.values():
        hidden = caller.ids(type_.plural, who=DEVICE)[0]
        for shape in SHAPES:
            for link in type_.links if "{link}" in shape else type_.links[:1]:
                way = f"{type_.plural}({{}}){shape.format(link=link.name)}"
                same(caller, "GET", way, hidden, None, who)
                asked += 1
        for method, way in (
            ("PATCH", "{plural}({{}})"), ("PUT", "{plural}({{}})"), ("DELETE", "{plural}({{}})"),
            ("DELETE", "{plural}?$filter=id eq {{}}"), ("POST", "{plural}({{}})"),
            *(("POST", f"{{plural}}({{{{}}}})/{link.name}") for link in type_.links),
        ):  # fmt: skip
            same(caller, method, way.format(plural=type_.plural), hidden, BODY, who)
            asked += 1
        for other in BY_NAME.values():
            for link in (link for link in other.links if link.type is type_):
                one = ref(hidden)
                body = {**whole(other.name), link.name: [one] if link.many else one}
                same(caller, "POST", other.plural, hidden, body, who)
                asked += 1
    assert asked > 200
    assert caller.ids("Things", who=DEVICE) == [1, 2]


def whole(name: str) -> dict[str, Any]:
    made: dict[str, Callable[[], dict[str, Any]]] = {
        "Thing": bodies.thing, "Location": bodies.location, "Sensor": bodies.sensor,
        "ObservedProperty": bodies.observed_property, "FeatureOfInterest": bodies.feature,
        "Datastream": bodies.datastream, "MultiDatastream": bodies.multi_datastream,
        "Observation": lambda: {"result": 1}, "HistoricalLocation": lambda: {"time": "2026-01-01T00:00:00Z"},
    }  # fmt: skip
    return made[name]()


def same(caller: Caller, method: str, way: str, hidden: int, body: Any, who: Principal) -> None:
    """The same answer for a hidden id and for one that is not there, but for the number itself."""
    answers = []
    for number in (hidden, ABSENT):
        sent = json.loads(json.dumps(body).replace(f'"@iot.id": {hidden}', f'"@iot.id": {number}')) if body else None
        answer = caller.call(method, way.format(number), sent, who=who)
        text = re.sub(rf"(?<!\d){number}(?!\d)", "N", answer.body.decode())
        answers.append((answer.status, text))
    assert answers[0] == answers[1], (method, way)
    if method != "DELETE" or "$filter" not in way:
        assert answers[0][0] >= 400, (method, way, answers[0])


# ── what is told as it comes ──

SELECTIONS = (
    "",
    "datastream=1,2,3,4,5,6",
    "thing=1,2,3",
    "property=1,2,3,4",
    "area=-180,-90,180,90",
    "area=19,19,21,21",
)


SINCE = "2026-02-"
"""What happens while clients listen; on PostgreSQL they may be told of what was committed just before."""


def publicly(make: Callable[[str, Any], Any]) -> None:
    """The public part of what happens."""
    make("Things", bodies.station("open"))
    make("Datastreams(1)/Observations", {"result": 1, "phenomenonTime": "2026-01-01T00:00:00Z"})


def secretly(make: Callable[[str, Any], Any], *, first: bool = False) -> None:
    """The restricted part, as close to the public one as it goes."""
    if first:
        make("Datastreams", {**bodies.datastream("secret"), "Thing": ref(1), **RESTRICTED})
        make("Things", {**bodies.thing("secret"), "Locations": [ref(1)], **RESTRICTED})
        make("FeaturesOfInterest", bodies.feature("secret", 20, 20, **RESTRICTED))
    make("Datastreams(2)/Observations", {"result": 99, "FeatureOfInterest": ref(1)})
    make("Datastreams(2)/Observations", {"result": 98, "FeatureOfInterest": bodies.feature("s", 20, 20)})


def test_the_event_stream_tells_nothing_of_what_is_restricted(stores: Callable[[int], Store]) -> None:
    told = []
    for number, restricted in ((0, False), (1, True)):
        caller = stores(number).caller()
        publicly(caller.make)
        if restricted:
            secretly(caller.make, first=True)
        clients = [Client(caller, query, who=who) for query in SELECTIONS for who in (ANONYMOUS, OTHER)]
        for n in range(3):
            if restricted:
                secretly(caller.make)
            caller.make("Datastreams(1)/Observations", {"result": n, "phenomenonTime": f"{SINCE}0{n + 1}T00:00:00Z"})
        for one in clients[:2]:
            one.until(3)
        caller.run(asyncio.sleep(0.3))
        told.append(
            [[found for e in one.events if SINCE in str(found := (e.type, without_ids(e.data)))] for one in clients]
        )
        for one in clients:
            one.leave()
        caller.close()
    assert told[0] == told[1]
    assert [len(events) for events in told[0][:2]] == [3, 3]


def without_ids(data: Any) -> Any:
    """An event without the id of its Observation: ids are numbers in a row, and one may be missing."""
    return json.loads(re.sub(r'("id": |Observations\()\d+', r"\g<1>0", json.dumps(data)))


TOPICS = (
    "Observations", "Datastreams", "Things", "Locations", "FeaturesOfInterest", "Datastreams(1)", "Datastreams(2)",
    "Datastreams(2)/Observations", "Datastreams(2)/phenomenonTime", "Datastreams(1)/observedArea", "Things(1)",
    "Things(1)/Datastreams", "Things(1)/Datastreams?$expand=Observations", "Locations(1)/Things", "Things(2)",
    "FeaturesOfInterest(1)/Observations", "Observations?$filter=result gt 50", "Sensors(1)/Datastreams",
    "Observations?$expand=Datastream($expand=Thing($expand=Datastreams))",
)  # fmt: skip


def test_messages_tell_nothing_of_what_is_restricted(stores: Callable[[int], Store]) -> None:
    told = []
    for number, restricted in ((0, False), (1, True)):
        broker = Broker(stores(number))
        publicly(broker.make)
        if restricted:
            secretly(broker.make, first=True)
        with broker.wire(None) as nobody, broker.wire(OTHER.name) as other:
            granted = [
                tuple(wire.subscribe(*(f"v1.1/{topic}" for topic in TOPICS)).reasons) for wire in (nobody, other)
            ]
            for n in range(2):
                if restricted:
                    secretly(broker.make)
                time = f"{SINCE}0{n + 1}T00:00:00Z"
                broker.make(
                    "Datastreams(1)/Observations", {"result": n, "phenomenonTime": time, "FeatureOfInterest": ref(1)}
                )
            broker.change("Things(1)", {"description": "the end"})
            told.append((granted, [until_the_end(wire) for wire in (nobody, other)]))
        broker.close()
    assert told[0][0] == told[1][0]
    for before, after in zip(told[0][1], told[1][1], strict=True):
        assert [one for one in after if one not in before] == []
        assert [one for one in before if one not in after] == []
        assert before == after
        assert len(before) > 5


def until_the_end(wire: Any) -> list[tuple[str, str]]:
    """The messages up to the last change, and for a moment after it: each new Observation, and of other entities how
    they look in the end, for what lies between is told more or less often.
    """
    found: dict[tuple[str, str], str] = {}
    is_over = False
    while True:
        try:
            (message,) = wire.messages(1, 1.0 if is_over else 20.0)
        except TimeoutError:
            assert is_over, found
            return sorted((topic, text) for (topic, _), text in found.items())
        text = re.sub(r'("@iot.id": ?|Observations\()\d+', r"\g<1>0", message.payload.decode())
        is_over = is_over or (message.topic.endswith("Things(1)") and "the end" in text)
        if "$expand" in message.topic:  # as it is when it is read: a later commit may show in it already
            text = re.sub(r'"(phenomenonTime|description)":"[^"]*"', r'"\1":""', text)
        is_new = message.topic.partition("?")[0].endswith("Observations")
        if not is_new or SINCE in text:
            found[message.topic, text if is_new else str(json.loads(text).get("@iot.selfLink"))] = text
