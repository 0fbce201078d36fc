"""What a Datastream's rows say of it: phenomenonTime, resultTime and observedArea, derived when read.

Each is one or two index probes, so that nothing of the Datastream is written while Observations come in
(DESIGN §4 rule 5).
"""

from __future__ import annotations

from lakou.sensorthings.model import FEATURE
from lakou.sensorthings.sql.writer import Writer


def interval(name: str, alias: str) -> tuple[str, str]:
    """(start, end) of `phenomenonTime` or `resultTime` of the Datastream row `alias`; null without Observations."""
    of = f"from observation o where o.datastream_id = {alias}.id"
    if name == "resultTime":
        known = f"{of} and o.result_time is not null"
        return f"(select min(o.result_time) {known})", f"(select max(o.result_time) {known})"
    latest = f"(select max(o.time_start) {of})"
    ended = f"(select max(o.time_end) {of} and o.time_end is not null)"
    end = f"(case when {ended} > {latest} then {ended} else {latest} end)"
    return f"(select min(o.time_start) {of})", end


def box(writer: Writer, alias: str) -> str:
    """[min_x, min_y, max_x, max_y] over the features of the Datastream's Observations that the reader may see."""
    corners = ["e.min_x", "e.min_y", "e.max_x", "e.max_y"]
    return f"(select {writer.dialect.json_row(corners)} from ({_boxes(writer, alias)}) e)"


def area(writer: Writer, alias: str) -> str:
    """The observed area as a geometry, for spatial functions."""
    return f"(select {writer.dialect.box_geometry('e')} from ({_boxes(writer, alias)}) e)"


def _boxes(writer: Writer, alias: str) -> str:
    return writer.dialect.boxes(f"{alias}.id", writer.visible("f", FEATURE))
