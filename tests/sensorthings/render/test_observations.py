"""A page written as text at once says the same as one made of entities."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lakou.kernel import jsontext
from lakou.sensorthings.grammar.options import parse_query_string
from lakou.sensorthings.grammar.path import parse_path
from lakou.sensorthings.limits import Limits
from lakou.sensorthings.plan.read import Asker, plan_read
from lakou.sensorthings.plan.target import resolve
from lakou.sensorthings.plan.values import ReadPlan
from lakou.sensorthings.render import observations, sets
from lakou.sensorthings.render.entities import Style

STYLE = Style("http://localhost/sta/v1.1")
T = 1_767_225_600_000_000

ROWS: list[tuple[Any, ...]] = [
    (1, T, None, 2, 1.5, None, None, None, None, None, None, None, None),
    (2, T + 1, T + 5_000, 1, 7.0, None, None, None, T, None, None, None, None),
    (3, T + 2, None, 1, 9.007199254740993e15, None, None, "9007199254740993", None, None, None, None, None),
    (4, T + 3, None, 3, None, None, 'é "quoted" \\ \n', None, None, None, None, None, None),
    (5, T + 4, None, 4, None, 1, None, None, None, None, None, None, None),
    (6, T + 5, None, 4, None, 0, None, None, None, '{"q":1}', T, T + 9, '{"p":[1,2]}'),
    (7, T + 6, None, 5, None, None, None, '[1,{"a":null}]', None, '"good"', None, None, None),
    (8, T + 7, None, 0, None, None, None, None, None, None, None, None, None),
    (9, T + 8, None, 2, 1e-07, None, None, None, None, None, None, None, None),
]


def _plan(path: str, query: str = "") -> ReadPlan:
    return plan_read(resolve(parse_path(path)), parse_query_string(query), Asker(Limits(), 0, "anonymous"))


@pytest.mark.parametrize("path", ["Datastreams(1)/Observations", "MultiDatastreams(1)/Observations", "Observations"])
def test_page_is_that_of_entities(path: str) -> None:
    plan = _plan(path)
    rows = [(*row, n % 2, row[1], row[0]) if plan.extras else (*row, row[1], row[0]) for n, row in enumerate(ROWS)]
    assert observations.fits(plan, STYLE)
    made = observations.page(plan, rows, {"@iot.count": 9}, STYLE)
    slow = sets.page(plan, rows, STYLE, url="http://localhost", count={"@iot.count": 9})
    assert list(msgspec.json.decode(made)["value"][5]) == list(slow["value"][5])
    assert msgspec.json.decode(made) == msgspec.json.decode(jsontext.encode(slow))


def test_empty_page() -> None:
    assert observations.page(_plan("Observations"), [], {}, STYLE) == b'{"value":[]}'


@pytest.mark.parametrize("query", ["$select=result", "$expand=Datastream", "$select=distinct:result"])
def test_other_forms_are_left_to_the_general_way(query: str) -> None:
    assert not observations.fits(_plan("Observations", query), STYLE)
    assert not observations.fits(_plan("Observations"), msgspec.structs.replace(STYLE, metadata="off"))
