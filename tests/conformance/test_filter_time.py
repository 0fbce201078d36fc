"""$filter on instants and intervals: order, relations and durations (18-088 §9.3.3.5; interval relations of FROST).

The expected answers come from `_holds`, which states the rules for half-open intervals in a few lines:
an interval [start, end) is before what begins at its end or later, and an instant is inside it from its
start on, without its end. The data set has each way in which two intervals can lie.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.conformance.requirements import requirement
from tests.harness import make
from tests.harness.client import Api, key, ref, refused

DAY = "2016-01-01T"


@dataclass(frozen=True)
class Span:
    """Minutes of one day; an instant when `end` is None."""

    start: int
    end: int | None = None

    @property
    def last(self) -> int:
        return self.start if self.end is None else self.end

    @property
    def is_interval(self) -> bool:
        return self.end is not None

    def text(self) -> str:
        parts = [self.start] if self.end is None else [self.start, self.end]
        return "/".join(f"{DAY}{minute // 60:02}:{minute % 60:02}:00Z" for minute in parts)


def _at(clock: int, end: int | None = None) -> Span:
    def minutes(hhmm: int) -> int:
        return hhmm // 100 * 60 + hhmm % 100

    return Span(minutes(clock), None if end is None else minutes(end))


def _before(a: Span, b: Span) -> bool:
    return a.last <= b.start if a.is_interval else a.start < b.start


def _at_most(a: Span, b: Span) -> bool:
    if a.is_interval and b.is_interval:
        return a.start <= b.start and a.last <= b.last
    return a.last <= b.start


def _during(a: Span, b: Span) -> bool:
    if not b.is_interval:
        return False
    return b.start <= a.start and (a.last <= b.last if a.is_interval else a.start < b.last)


def _overlaps(a: Span, b: Span) -> bool:
    if a.is_interval and b.is_interval:
        return a.start < b.last and b.start < a.last
    return a == b or _during(a, b) or _during(b, a)


def _holds(relation: str, a: Span, b: Span) -> bool:
    match relation:
        case "lt" | "before":
            return _before(a, b)
        case "gt" | "after":
            return _before(b, a)
        case "le":
            return _at_most(a, b)
        case "ge":
            return _at_most(b, a)
        case "eq":
            return a == b
        case "meets":
            return a.last == b.start or b.last == a.start
        case "during":
            return _during(a, b)
        case "overlaps":
            return _overlaps(a, b)
        case "starts":
            return a.start == b.start
        case "finishes":
            return a.last == b.last
    raise ValueError(relation)


INSTANTS = [_at(600), _at(659), _at(700), _at(701), _at(759), _at(800), _at(801), _at(900)]
INTERVALS = [
    _at(600, 659),
    _at(600, 700),
    _at(600, 701),
    _at(700, 800),
    _at(701, 759),
    _at(759, 900),
    _at(800, 900),
    _at(801, 900),
    _at(659, 801),
    _at(700, 759),
    _at(700, 801),
    _at(659, 800),
    _at(701, 800),
]
SPANS = INSTANTS + INTERVALS
LITERALS = {"instant": _at(700), "interval": _at(700, 800)}
OPERATORS = ["lt", "le", "gt", "ge", "eq"]
FUNCTIONS = ["before", "after", "meets", "overlaps", "starts", "finishes"]


@pytest.fixture(scope="module")
def spans(api: Api) -> str:
    """The path of Observations at `SPANS`, by number. Instants have a result time, intervals a valid time."""
    thing = api.create("Things", make.station())
    stream = api.value(f"Things({key(thing)})/Datastreams")[0]
    for number, span in enumerate(SPANS):
        extra = {"validTime": span.text()} if span.is_interval else {"resultTime": span.text()}
        api.create(
            f"Datastreams({key(stream)})/Observations", make.observation(number, phenomenonTime=span.text(), **extra)
        )
    return f"Datastreams({key(stream)})/Observations"


def _expected(relation: str, member: str, literal: Span, *, literal_first: bool = False) -> list[int]:
    kept = {"phenomenonTime": SPANS, "resultTime": INSTANTS, "validTime": INTERVALS}[member]
    return [
        number
        for number, span in enumerate(SPANS)
        if span in kept and (_holds(relation, literal, span) if literal_first else _holds(relation, span, literal))
    ]


@requirement("request-data/built-in-filter-operations", "extension/interval-relations")
@pytest.mark.parametrize("member", ["phenomenonTime", "resultTime", "validTime"])
@pytest.mark.parametrize("literal", LITERALS)
@pytest.mark.parametrize("op", OPERATORS)
def test_order_of_times(anon: Api, spans: str, op: str, literal: str, member: str) -> None:
    text = LITERALS[literal].text()
    found = anon.results(spans, filter=f"{member} {op} {text}")
    assert sorted(found) == _expected(op, member, LITERALS[literal])
    found = anon.results(spans, filter=f"{text} {op} {member}")
    assert sorted(found) == _expected(op, member, LITERALS[literal], literal_first=True)


@requirement("extension/interval-relations")
@pytest.mark.parametrize("member", ["phenomenonTime", "resultTime", "validTime"])
@pytest.mark.parametrize("literal", LITERALS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_relations_of_times(anon: Api, spans: str, name: str, literal: str, member: str) -> None:
    text = LITERALS[literal].text()
    found = anon.results(spans, filter=f"{name}({member},{text})")
    assert sorted(found) == _expected(name, member, LITERALS[literal])
    found = anon.results(spans, filter=f"{name}({text},{member})")
    assert sorted(found) == _expected(name, member, LITERALS[literal], literal_first=True)


@requirement("extension/interval-relations")
@pytest.mark.parametrize("member", ["phenomenonTime", "resultTime", "validTime"])
def test_during_an_interval(anon: Api, spans: str, member: str) -> None:
    interval = LITERALS["interval"]
    found = anon.results(spans, filter=f"during({member},{interval.text()})")
    assert sorted(found) == _expected("during", member, interval)


@requirement("extension/interval-relations")
@pytest.mark.parametrize("literal", LITERALS)
@pytest.mark.parametrize("member", ["phenomenonTime", "validTime"])
def test_a_value_during_a_stored_interval(anon: Api, spans: str, literal: str, member: str) -> None:
    found = anon.results(spans, filter=f"during({LITERALS[literal].text()},{member})")
    assert sorted(found) == _expected("during", member, LITERALS[literal], literal_first=True)


@requirement("extension/interval-relations")
@pytest.mark.parametrize(
    "condition",
    [
        "during(phenomenonTime,{t})",
        "during(resultTime,{t})",
        "during({t},resultTime)",
        "during({t}/{u},resultTime)",
        "meets(phenomenonTime)",
        "before({t})",
        "overlaps(phenomenonTime,5)",
        "starts('a','b')",
        "finishes()",
    ],
)
def test_relations_that_cannot_hold_are_refused(anon: Api, spans: str, condition: str) -> None:
    """During needs an interval on its right side (FROST)."""
    text = condition.format(t=_at(700).text(), u=_at(800).text())
    refused(anon.get(spans, filter=text), 400)


@requirement("extension/interval-relations")
@pytest.mark.parametrize("member", ["phenomenonTime", "resultTime", "validTime"])
def test_neither_before_nor_after_is_an_overlap(anon: Api, spans: str, member: str) -> None:
    """An Observation without that time is in neither list."""
    condition = f"not {member} lt {_at(700).text()} and not {member} ge {_at(800).text()}"
    kept = _expected("overlaps", member, _at(700, 800))
    assert sorted(anon.results(spans, filter=condition)) == kept


@requirement("request-data/built-in-filter-operations")
@pytest.mark.parametrize(
    ("condition", "relation", "literal"),
    [
        ("{m} add duration'PT1H' gt {t900}", "gt", _at(800)),
        ("{m} gt {t900} sub duration'PT1H'", "gt", _at(800)),
        ("{m} sub duration'PT1H' gt {t700}", "gt", _at(800)),
        ("{m} lt {i600} add duration'PT1H'", "lt", _at(700, 800)),
        ("{m} gt {i800} sub duration'PT1H'", "gt", _at(700, 800)),
        ("{m} add duration'PT60M' gt {t900}", "gt", _at(800)),
        ("{m} add duration'P0DT3600S' gt {t900}", "gt", _at(800)),
        ("{m} add duration'-PT1H' gt {t700}", "gt", _at(800)),
        ("{m} eq {t900} sub duration'PT1H'", "eq", _at(800)),
        ("{m} eq {i600} add duration'PT1H'", "eq", _at(700, 800)),
        ("{m} add duration'PT0.5H' lt {t700}", None, None),
    ],
)
@pytest.mark.parametrize("member", ["phenomenonTime", "resultTime", "validTime"])
def test_arithmetic_with_durations(
    anon: Api, spans: str, member: str, condition: str, relation: str | None, literal: Span | None
) -> None:
    """Adding to an interval moves both ends. Fractions of an hour may be refused (XML Schema allows only seconds)."""
    text = condition.format(
        m=member, t700=_at(700).text(), t900=_at(900).text(), i600=_at(600, 700).text(), i800=_at(800, 900).text()
    )
    if relation is None or literal is None:
        assert anon.get(spans, filter=text).status_code in (200, 400)
        return
    assert sorted(anon.results(spans, filter=text)) == _expected(relation, member, literal)


@requirement("request-data/built-in-filter-operations")
@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("resultTime sub 2016-01-01T08:00:00Z eq duration'PT1H'", [7]),
        ("resultTime sub 2016-01-01T08:00:00Z ge duration'PT1M'", [6, 7]),
        ("2016-01-01T08:00:00Z sub resultTime gt duration'PT1H'", [0, 1]),
        ("duration'PT1H' add resultTime gt 2016-01-01T09:00:00Z", [6, 7]),
        ("resultTime gt 2016-01-01T10:00:00Z sub duration'PT1H' sub duration'PT1H'", [6, 7]),
    ],
)
def test_difference_of_instants_is_a_duration(anon: Api, spans: str, condition: str, expected: list[int]) -> None:
    assert sorted(anon.results(spans, filter=condition)) == expected


@pytest.fixture(scope="module")
def extents(api: Api) -> str:
    """The path of two Datastreams of one Thing: `full` from 07:00 to 08:00 and `empty`."""
    thing = api.create("Things", make.station(Datastreams=[]))
    full = api.create(f"Things({key(thing)})/Datastreams", make.datastream(name="full"))
    api.create(
        f"Things({key(thing)})/Datastreams",
        make.datastream(name="empty", Sensor=ref(api.read(f"Datastreams({key(full)})/Sensor"))),
    )
    for clock in (700, 730, 800):
        api.create(
            f"Datastreams({key(full)})/Observations",
            make.observation(phenomenonTime=_at(clock).text(), resultTime=_at(clock).text()),
        )
    return f"Things({key(thing)})/Datastreams"


EXTENT = _at(700, 800)
PROBES = {
    "600": _at(600),
    "700": _at(700),
    "730": _at(730),
    "800": _at(800),
    "900": _at(900),
    "600-700": _at(600, 700),
    "700-800": _at(700, 800),
    "600-900": _at(600, 900),
    "730-900": _at(730, 900),
    "800-900": _at(800, 900),
    "700-730": _at(700, 730),
}


@requirement("extension/interval-relations", "datamodel/datastream/properties")
@pytest.mark.parametrize("member", ["phenomenonTime", "resultTime"])
@pytest.mark.parametrize("probe", PROBES)
@pytest.mark.parametrize(
    "relation", ["lt", "gt", "le", "ge", "eq", "before", "meets", "overlaps", "starts", "finishes"]
)
def test_extent_of_a_datastream_compared(anon: Api, extents: str, relation: str, probe: str, member: str) -> None:
    """The extent of a Datastream is an interval, also in filters; a Datastream without Observations has none."""
    text = PROBES[probe].text()
    condition = f"{member} {relation} {text}" if len(relation) == 2 else f"{relation}({member},{text})"
    expected = ["full"] if _holds(relation, EXTENT, PROBES[probe]) else []
    assert anon.names(extents, filter=condition) == expected


@requirement("datamodel/datastream/properties")
@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("phenomenonTime eq null", ["empty"]),
        ("phenomenonTime ne null", ["full"]),
        ("resultTime eq null", ["empty"]),
        ("not (phenomenonTime lt 2016-01-01T00:00:00Z)", ["full"]),
        ("observedArea eq null", ["empty"]),
        ("year(phenomenonTime) eq 2016", ["full"]),
    ],
)
def test_a_datastream_without_observations_has_no_extent(
    anon: Api, extents: str, condition: str, expected: list[str]
) -> None:
    assert anon.names(extents, filter=condition) == expected
