"""Evaluates a typed expression on a database, with its arguments as stored values or as literals.

One row holds the stored values, in columns named as in the model, so that the product's own SQL reads them.
"""

from __future__ import annotations

import datetime
import math
from typing import Any

import pytest
import shapely

from lakou.kernel.errors import LakouError
from lakou.sensorthings.access import ANONYMOUS
from lakou.sensorthings.model import LOCATION, OBSERVATION
from lakou.sensorthings.plan.values import Arm, Const, Expression, Field, Function, Type
from lakou.sensorthings.sql.dialect import Statement
from lakou.sensorthings.sql.expression import scalar
from lakou.sensorthings.sql.writer import Writer
from lakou.sensorthings.store.database import Database

_COLUMNS = {
    Type.NUMBER: ("result_number", "double precision"),
    Type.TEXT: ("result_text", 'text collate "C"'),
    Type.INSTANT: ("result_time", "timestamptz"),
    Type.BOOLEAN: ("result_boolean", "boolean"),
}
STORED = (*_COLUMNS, Type.GEOMETRY)
"""Types of which a row can hold a value; of the others there are only literals."""


def constant(kind: Type, value: Any) -> Const:
    """A literal as the planner makes it; geometries are given as WKT."""
    if kind is Type.GEOMETRY and isinstance(value, str):
        value = shapely.to_wkb(shapely.from_wkt(value), output_dimension=2, byte_order=1)
    return Const(kind, value)


def evaluate(database: Database, name: str, result: Type, arguments: list[Const], stored: int | None = None) -> Any:
    """The value of a function on a database; argument `stored` is a column, the others are literals.

    "refused" stands for an error that the user would see. Dates become days, truth values bool.
    """
    writer = Writer(database.dialect, ANONYMOUS)
    given: list[Expression] = list(arguments)
    columns: list[str] = []
    if stored is not None:
        column = arguments[stored]
        columns = [_column(writer, column)]
        given[stored] = _field(column.type)
    text = scalar(writer, Function(name, tuple(given), result), {(0, ()): "t"})
    source = f" from (select {', '.join(columns)}) t" if columns else ""
    try:
        ((found,),) = database.read(Statement(f"select {text} as found{source}", writer.parameters), 10.0)
    except LakouError:
        return "refused"
    return _plain(found, result)


def _column(writer: Writer, value: Const) -> str:
    if value.type is Type.GEOMETRY:
        return f"{writer.bind(Type.GEOMETRY, value.value)} as geometry"
    name, kind = _COLUMNS[value.type]
    bound = writer.bind(value.type, value.value)
    if writer.dialect.name == "sqlite":
        return f"{bound} as {name}" if value.type is not Type.NUMBER else f"cast({bound} as real) as {name}"
    return (
        f"cast({bound} as {kind.partition(' collate')[0]}){kind.partition(' collate')[1]} as {name}"
        if ("collate" not in kind)
        else f'(({bound})::text collate "C") as {name}'
    )


def _field(kind: Type) -> Expression:
    if kind is Type.GEOMETRY:
        shape = LOCATION.property("location")
        assert shape is not None
        return Field(0, (), LOCATION, shape, (), Type.GEOMETRY)
    name = "resultTime" if kind is Type.INSTANT else "result"
    prop = OBSERVATION.property(name)
    assert prop is not None
    if kind is Type.INSTANT:
        return Field(0, (), OBSERVATION, prop, (), Type.INSTANT)
    return Arm(Field(0, (), OBSERVATION, prop, (), Type.DYNAMIC), kind)


def _plain(found: Any, result: Type) -> Any:
    if isinstance(found, datetime.date):
        return (found - datetime.date(1970, 1, 1)).days
    if found is not None and result is Type.BOOLEAN:
        return bool(found)
    if found is not None and result is Type.NUMBER:
        return float(found)
    return found


def same(a: Any, b: Any) -> bool:
    """Whether two values are the same for a user: numbers to 12 digits."""
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (math.isnan(a) and math.isnan(b)) or a == pytest.approx(b, rel=1e-12, abs=1e-12)
    return bool(a == b)
