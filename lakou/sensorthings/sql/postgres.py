"""The PostgreSQL dialect (15 or later, PostGIS). Parameters are named and typed by a cast, so that any plan fits.

A literal percent sign is doubled: the driver reads `%(name)s` as a placeholder. No function may fail on any value: it
may meet rows that the reader must not know of (`safe_…` and their like are made by migration 0005).
"""

from __future__ import annotations

import datetime
from typing import Any, ClassVar

from lakou.sensorthings.plan.values import Type
from lakou.sensorthings.sql.dialect import Dialect, Micros

_CASTS = {
    Type.TEXT: "text",
    Type.BOOLEAN: "boolean",
    Type.INSTANT: "timestamptz",
    Type.DURATION: "bigint",
    Type.DATE: "date",
    Type.TIME_OF_DAY: "bigint",
}
_EPOCH_DAY = datetime.date(1970, 1, 1)
_MICRO = "interval '1 microsecond'"
_NUMBER, _OTHER = "({0})::double precision", "({1})::double precision"


def _utc(field: str) -> str:
    return f"extract({field} from ({{0}} at time zone 'UTC'))::double precision"


class Postgres(Dialect):
    """Times as timestamptz, JSON by jsonb paths, geometry by PostGIS."""

    name = "postgres"
    functions: ClassVar[dict[str, str]] = {
        "substringof": "(strpos({1}, {0}) > 0)",
        "contains": "(strpos({0}, {1}) > 0)",
        "startswith": "starts_with({0}, {1})",
        "endswith": "(right({0}, length({1})) = {1})",
        "length": "length({0})",
        "indexof": "(strpos({0}, {1}) - 1)",
        "substring": "text_part({0}, {1})",
        "substring/3": "text_part({0}, {1}, {2})",
        "tolower": '(lower({0} collate "und-x-icu") collate "C")',
        "toupper": '(upper({0} collate "und-x-icu") collate "C")',
        "trim": "btrim({0})",
        "concat": "({0} || {1})",
        "year": _utc("year"),
        "month": _utc("month"),
        "day": _utc("day"),
        "hour": _utc("hour"),
        "minute": _utc("minute"),
        "second": f"floor({_utc('second')})",
        "fractionalseconds": (
            "((extract(microseconds from ({0} at time zone 'UTC'))::bigint %% 1000000) / 1000000.0)::double precision"
        ),
        "date": "({0} at time zone 'UTC')::date",
        "time": "(extract(epoch from ({0} at time zone 'UTC')::time) * 1000000)::bigint",
        "totaloffsetminutes": "(case when {0} is not null then 0 end)",
        "round": "round(({0})::numeric)::double precision",
        "floor": "floor(({0})::double precision)",
        "ceiling": "ceil(({0})::double precision)",
        "negate": "(-({0}))",
        "negate_duration": "(-({0}))",
        "add": f"safe_add({_NUMBER}, {_OTHER})",
        "sub": f"safe_add({_NUMBER}, -{_OTHER})",
        "mul": f"safe_mul({_NUMBER}, {_OTHER})",
        "div": f"safe_div({_NUMBER}, {_OTHER})",
        "mod": f"safe_mod({_NUMBER}, {_OTHER})",
        "start": "{0}",
        "instant_add": "instant_add({0}, {1})",
        "instant_sub": "instant_add({0}, -{1})",
        "add_instant": "instant_add({1}, {0})",
        "instant_diff": "instant_diff({0}, {1})",
        "duration_add": "micros_add({0}, {1})",
        "duration_sub": "micros_add({0}, -{1})",
        "duration_mul": f"whole_micros(safe_mul({_NUMBER}, {_OTHER}))",
        "mul_duration": f"whole_micros(safe_mul({_NUMBER}, {_OTHER}))",
        "duration_div": f"whole_micros(safe_div({_NUMBER}, {_OTHER}))",
        "geo.distance": "ST_Distance({0}, {1})",
        "geo.length": "ST_Length({0})",
        "geo.intersects": "ST_Intersects({0}, {1})",
        "st_equals": "ST_Equals({0}, {1})",
        "st_disjoint": "ST_Disjoint({0}, {1})",
        "st_touches": "ST_Touches({0}, {1})",
        "st_within": "ST_Within({0}, {1})",
        "st_overlaps": "ST_Overlaps({0}, {1})",
        "st_crosses": "ST_Crosses({0}, {1})",
        "st_intersects": "ST_Intersects({0}, {1})",
        "st_contains": "ST_Contains({0}, {1})",
        "st_relate": "ST_Relate({0}, {1}, {2})",
    }

    def placeholder(self, name: str) -> str:
        return f"%({name})s"

    def parameter(self, name: str, kind: Type, value: Any) -> str:
        match kind:
            case Type.GEOMETRY:
                return f"ST_GeomFromWKB(%({name})s, 4326)"
            case Type.TEXT:
                return f'(%({name})s::text collate "C")'
            case Type.NUMBER:
                return f"%({name})s::{'bigint' if isinstance(value, int) else 'double precision'}"
        return f"%({name})s::{_CASTS[kind]}"

    def encode(self, kind: Type, value: Any) -> Any:
        if value is None:
            return None
        if kind is Type.INSTANT:
            return Micros(value)
        if kind is Type.DATE:
            return _EPOCH_DAY + datetime.timedelta(days=value)
        return value

    def json_value(self, column: str, path: tuple[str | int, ...]) -> str:
        steps = "".join(f" -> {p}" if isinstance(p, int) else f" -> {_literal(p)}" for p in path)
        return f"({column}::jsonb{steps})"

    def json_arm(self, column: str, path: tuple[str | int, ...], kind: Type) -> str:
        found = self.json_value(column, path)
        match kind:
            case Type.NUMBER:
                name, cast = "number", "::double precision"
            case Type.BOOLEAN:
                name, cast = "boolean", "::boolean"
            case _:
                name, cast = "string", ' collate "C"'
        return f"(case jsonb_typeof({found}) when '{name}' then (({found} #>> '{{}}'){cast}) end)"

    def json_is_null(self, column: str, path: tuple[str | int, ...]) -> str:
        return f"(coalesce(jsonb_typeof({self.json_value(column, path)}), 'null') = 'null')"

    def json_text(self, column: str, path: tuple[str | int, ...]) -> str:
        return f"({self.json_value(column, path)})::text"

    def to_instant(self, text: str) -> str:
        return f"to_instant({text})"

    def nested(self, text: str, kind: str) -> str:
        return f"(extract(epoch from {text}) * 1000000)::bigint" if kind == "time" else text

    def text(self, json: str) -> str:
        return f"{json}::text"

    def json_row(self, values: list[str]) -> str:
        return f"json_build_array({', '.join(values)})"

    def json_rows(self, row: str) -> str:
        return f"json_agg({row})"

    def boxes(self, id_: str, seen: str) -> str:
        return (
            "select ST_XMin(e.b) as min_x, ST_YMin(e.b) as min_y, ST_XMax(e.b) as max_x, ST_YMax(e.b) as max_y"
            " from (select ST_Extent(f.geometry) as b from feature_datastream fd"
            f" join feature f on f.id = fd.feature_id where fd.datastream_id = {id_} and {seen}) e"
        )

    def near(self, alias: str, table: str, geometry: str, bounds: tuple[str, str, str, str]) -> str | None:
        return None  # ST_Within and its like use the GiST index by themselves

    def box_geometry(self, alias: str) -> str:
        corners = f"{alias}.min_x, {alias}.min_y, {alias}.max_x, {alias}.max_y, 4326"
        return f"(case when {alias}.min_x is not null then ST_Envelope(ST_MakeEnvelope({corners})) end)"

    def truth(self, value: bool) -> str:
        return "true" if value else "false"

    def bucket(self, instant: str, width: str) -> str:
        return f"date_bin({width} * {_MICRO}, {instant}, timestamptz '1970-01-01T00:00:00Z')"

    def sets(self, column: str, parameter: str) -> str:
        return f"{column} = any({parameter}::bigint[])"

    def encode_set(self, values: list[int]) -> Any:
        return values


def _literal(name: str) -> str:
    """A member name as an SQL literal, for a driver that reads percent signs."""
    return "'" + name.replace("'", "''").replace("%", "%%") + "'"
