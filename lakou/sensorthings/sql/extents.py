"""What a Datastream's rows say of it: phenomenonTime, resultTime and observedArea, derived when read.

Each is a few index probes, so that nothing of the Datastream is written while Observations come in
(DESIGN §4 rule 5).
"""

from __future__ import annotations

from lakou.sensorthings.model import FEATURE
from lakou.sensorthings.sql.dialect import Dialect
from lakou.sensorthings.sql.writer import Writer


def interval(dialect: Dialect, name: str, alias: str) -> tuple[str, str]:
    """(start, end) of `phenomenonTime` or `resultTime` of the Datastream row `alias`; null without Observations."""
    if dialect.name == "sqlite":
        return _tiered(name, alias)
    of = f"from observation o where o.datastream_id = {alias}.id"
    if name == "resultTime":
        known = f"{of} and o.result_time is not null"
        return f"(select min(o.result_time) {known})", f"(select max(o.result_time) {known})"
    latest = f"(select max(o.time_start) {of})"
    ended = f"(select max(o.time_end) {of} and o.time_end is not null)"
    end = f"(case when {ended} > {latest} then {ended} else {latest} end)"
    return f"(select min(o.time_start) {of})", end


def _tiered(name: str, alias: str) -> tuple[str, str]:
    """The same over the tiers: an end of an index in each, and the days for what the sealed rows have no index of.

    What a hot table still holds of sealed rows changes nothing.
    """
    of = f"where datastream_id = {alias}.id"

    def over(end: str, column: str, *, sealed: str) -> str:
        known = "" if column == "time_start" else f" and {column} is not null"
        hot = [f"select {end}({column}) from hot_{table} {of}{known}" for table in ("a", "b")]
        arms = " union all ".join((f"select {sealed} as t", *(f"select ({text})" for text in hot)))
        return f"(select {end}(t) from ({arms}))"

    def day(end: str, column: str) -> str:
        return f"(select {end}({column}) from rollup_day {of})"

    if name == "resultTime":
        return (
            over("min", "result_time", sealed=day("min", "result_time_min")),
            over("max", "result_time", sealed=day("max", "result_time_max")),
        )
    first, latest = (over(e, "time_start", sealed=f"(select {e}(time_start) from sealed {of})") for e in ("min", "max"))
    ended = over("max", "time_end", sealed=day("max", "time_end"))
    return first, f"max({latest}, coalesce({ended}, {latest}))"


def box(writer: Writer, alias: str) -> str:
    """[min_x, min_y, max_x, max_y] over the features of the Datastream's Observations that the reader may see."""
    corners = ["e.min_x", "e.min_y", "e.max_x", "e.max_y"]
    return f"(select {writer.dialect.json_row(corners)} from ({_boxes(writer, alias)}) e)"


def area(writer: Writer, alias: str) -> str:
    """The observed area as a geometry, for spatial functions."""
    return f"(select {writer.dialect.box_geometry('e')} from ({_boxes(writer, alias)}) e)"


def _boxes(writer: Writer, alias: str) -> str:
    return writer.dialect.boxes(f"{alias}.id", writer.visible("f", FEATURE))
