"""Groups are written column by column; whatever the values are, it is the JSON or CSV of the rows."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lakou.kernel import jsontext
from lakou.kernel.time import format_instant
from lakou.sensorthings.render import groups
from lakou.sensorthings.render.columns import column

DAY = 86_400_000_000
INSTANTS = st.one_of(st.none(), st.integers(-1000 * DAY, 30_000 * DAY), st.integers(-99, 20_000).map(lambda d: d * DAY))
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False), st.text()
)
ROWS = st.lists(st.tuples(INSTANTS, VALUES, st.floats(-1e6, 1e6)), max_size=8)
NAMES = ["hour", "Datastream/id", "mean"]


def columns(rows: list[tuple[Any, ...]]) -> list[list[Any]]:
    return [column(rows, n) for n in range(3)]


def decoded(value: Any) -> Any:
    return json.loads(jsontext.encode(value))


def shown(rows: list[tuple[Any, ...]]) -> list[list[Any]]:
    return [[None if row[0] is None else format_instant(row[0]), *row[1:]] for row in rows]


@given(ROWS)
def test_objects_are_the_json_of_the_rows(rows: list[tuple[Any, ...]]) -> None:
    found = decoded(groups.objects(NAMES, columns(rows), [0]))
    assert found == [dict(zip(NAMES, row, strict=True)) for row in shown(rows)]


@given(ROWS)
def test_arrays_are_the_json_of_the_rows(rows: list[tuple[Any, ...]]) -> None:
    assert decoded(groups.arrays(columns(rows), [0])) == shown(rows)


@given(ROWS)
def test_a_table_has_a_line_for_each_row(rows: list[tuple[Any, ...]]) -> None:
    lines = list(csv.reader(io.StringIO(groups.table(NAMES, columns(rows), [0]), newline="")))
    assert lines[0] == NAMES
    assert [line[0] for line in lines[1:]] == ["" if row[0] is None else row[0] for row in shown(rows)]
    assert len(lines) == len(rows) + 1
