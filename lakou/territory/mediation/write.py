"""Places back to the standard: a row that nobody changed is written with the very bytes it came with.

That is why no cell is guarded against spreadsheet formulas here, as in other CSV exports (trust R13): the standard
knows no such apostrophe, and a phone number `+596…` would no longer be one. Source: RFC 4180; lists are joined by `|`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lakou.kernel import jsontext
from lakou.territory.mediation.standard import NAMES
from lakou.territory.tables import Row, Table, read_cells

NUMBERS = ("latitude", "longitude")


def raw_of(table: Table, row: Row) -> dict[str, Any]:
    """What is kept of a row as given: its text when its file has the standard's form, else its cells."""
    if table.shape == "csv" and table.columns == NAMES and table.delimiter == ",":
        return {"form": "csv", "text": row.text}
    if table.shape == "json" and set(table.columns) <= set(NAMES):
        return {"form": "json", "text": row.text}
    return {"form": table.shape, "cells": row.cells}


def write_csv(places: Iterable[tuple[Mapping[str, str], Mapping[str, Any]]]) -> Iterator[str]:
    """Lines of CSV from pairs of a row and its raw form; the header first."""
    yield ",".join(NAMES) + "\n"
    for row, raw in places:
        yield (raw["text"] if _is_as_given("csv", row, raw) else _record(row)) + "\n"


def write_json(places: Iterable[tuple[Mapping[str, str], Mapping[str, Any]]]) -> Iterator[str]:
    """A JSON array from pairs of a row and its raw form; empty values are left out, coordinates are numbers."""
    yield "[\n"
    for index, (row, raw) in enumerate(places):
        text = raw["text"] if _is_as_given("json", row, raw) else _object(row)
        yield (",\n" if index else "") + text
    yield "\n]\n"


def _is_as_given(form: str, row: Mapping[str, str], raw: Mapping[str, Any]) -> bool:
    """Whether the text that was imported says exactly what the row says now."""
    text = raw.get("text")
    if raw.get("form") != form or not isinstance(text, str):
        return False
    try:
        cells = read_cells(text, NAMES) if form == "csv" else _cells(text)
    except (csv.Error, ValueError):
        return False
    return all(_same(name, cells.get(name, ""), row.get(name, "")) for name in NAMES)


def _cells(text: str) -> dict[str, str]:
    value = jsontext.decode(text)
    return {name: "" if member is None else str(member) for name, member in value.items()}


def _same(name: str, given: str, now: str) -> bool:
    if given == now:
        return True
    try:
        return name in NUMBERS and float(given) == float(now)
    except ValueError:
        return False


def _record(row: Mapping[str, str]) -> str:
    out = io.StringIO()
    # The writer quotes line breaks in a cell only when they are part of its own line end.
    csv.writer(out, lineterminator="\r\n").writerow([row.get(name, "") for name in NAMES])
    return out.getvalue().removesuffix("\r\n")


def _object(row: Mapping[str, str]) -> str:
    members: dict[str, Any] = {}
    for name in NAMES:
        if row.get(name, ""):
            members[name] = float(row[name]) if name in NUMBERS else row[name]
    return jsontext.encode(members).decode()
