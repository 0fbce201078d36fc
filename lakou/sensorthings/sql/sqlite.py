"""The SQLite dialect. The `lakou_*` and `st_*` functions are registered by `store.sqlite_functions`."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from lakou.sensorthings.plan.values import Type
from lakou.sensorthings.sql.dialect import Dialect

_SECOND = 1_000_000
_DAY = 86_400_000_000


def _date_part(code: str) -> str:
    return f"cast(strftime('{code}', lakou_floor({{0}}, {_SECOND}), 'unixepoch') as integer)"


def _geometry(name: str) -> str:
    return f"{name}({{0}}, {{1}})"


class SQLite(Dialect):
    """Times as integers, JSON by json_extract, geometry as WKB through shapely."""

    name = "sqlite"
    functions: ClassVar[dict[str, str]] = {
        "substringof": "(instr({1}, {0}) > 0)",
        "contains": "(instr({0}, {1}) > 0)",
        "startswith": "(substr({0}, 1, length({1})) = {1})",
        "endswith": "(length({1}) = 0 or (length({0}) >= length({1}) and substr({0}, -length({1})) = {1}))",
        "length": "length({0})",
        "indexof": "(instr({0}, {1}) - 1)",
        "substring": "substr({0}, max(cast({1} as integer), 0) + 1)",
        "substring/3": "substr({0}, max(cast({1} as integer), 0) + 1, max(cast({2} as integer), 0))",
        "tolower": "lakou_lower({0})",
        "toupper": "lakou_upper({0})",
        "trim": "trim({0})",
        "concat": "({0} || {1})",
        "year": _date_part("%Y"),
        "month": _date_part("%m"),
        "day": _date_part("%d"),
        "hour": _date_part("%H"),
        "minute": _date_part("%M"),
        "second": _date_part("%S"),
        "fractionalseconds": f"(lakou_rest({{0}}, {_SECOND}) / {_SECOND}.0)",
        "date": f"lakou_floor({{0}}, {_DAY})",
        "time": f"lakou_rest({{0}}, {_DAY})",
        "totaloffsetminutes": "({0} * 0)",
        "round": "round({0})",
        "floor": "floor({0})",
        "ceiling": "ceil({0})",
        "negate": "(-{0})",
        "negate_duration": "(-{0})",
        "add": "({0} + {1})",
        "sub": "({0} - {1})",
        "mul": "({0} * {1})",
        "div": "(cast({0} as real) / {1})",
        "mod": "mod({0}, {1})",
        "start": "{0}",
        "instant_add": "({0} + {1})",
        "instant_sub": "({0} - {1})",
        "add_instant": "({0} + {1})",
        "instant_diff": "({0} - {1})",
        "duration_add": "({0} + {1})",
        "duration_sub": "({0} - {1})",
        "duration_mul": "lakou_micros({0} * {1})",
        "mul_duration": "lakou_micros({0} * {1})",
        "duration_div": "lakou_micros(cast({0} as real) / {1})",
        "geo.distance": _geometry("st_distance"),
        "geo.length": "st_length({0})",
        "geo.intersects": _geometry("st_intersects"),
        "st_equals": _geometry("st_equals"),
        "st_disjoint": _geometry("st_disjoint"),
        "st_touches": _geometry("st_touches"),
        "st_within": _geometry("st_within"),
        "st_overlaps": _geometry("st_overlaps"),
        "st_crosses": _geometry("st_crosses"),
        "st_intersects": _geometry("st_intersects"),
        "st_contains": _geometry("st_contains"),
        "st_relate": "st_relate({0}, {1}, {2})",
    }

    def placeholder(self, name: str) -> str:
        return f":{name}"

    def parameter(self, name: str, kind: Type, value: Any) -> str:
        return f":{name}"

    def encode(self, kind: Type, value: Any) -> Any:
        return value

    def json_value(self, column: str, path: tuple[str | int, ...]) -> str:
        return f"json_extract({column}, {_path(path)})"

    def json_arm(self, column: str, path: tuple[str | int, ...], kind: Type) -> str:
        where = _path(path)
        tag = f"json_type({column}, {where})"
        found = f"json_extract({column}, {where})"
        match kind:
            case Type.NUMBER:
                return f"(case {tag} when 'integer' then {found} when 'real' then {found} end)"
            case Type.BOOLEAN:
                return f"(case {tag} when 'true' then 1 when 'false' then 0 end)"
        return f"(case {tag} when 'text' then {found} end)"

    def json_is_null(self, column: str, path: tuple[str | int, ...]) -> str:
        return f"(coalesce(json_type({column}, {_path(path)}), 'null') = 'null')"

    def json_text(self, column: str, path: tuple[str | int, ...]) -> str:
        return f"({column} -> {_path(path)})"

    def to_instant(self, text: str) -> str:
        return f"lakou_instant({text})"

    def nested(self, text: str, kind: str) -> str:
        return f"json({text})" if kind == "json" else text

    def text(self, json: str) -> str:
        return json

    def json_row(self, values: list[str]) -> str:
        return f"json_array({', '.join(values)})"

    def json_rows(self, row: str) -> str:
        return f"json_group_array({row})"

    def boxes(self, id_: str, seen: str) -> str:
        return (
            "select min(f.min_x) as min_x, min(f.min_y) as min_y, max(f.max_x) as max_x, max(f.max_y) as max_y"
            " from feature_datastream fd join feature f on f.id = fd.feature_id"
            f" where fd.datastream_id = {id_} and {seen}"
        )

    def near(self, alias: str, table: str, geometry: str, bounds: tuple[str, str, str, str]) -> str | None:
        min_x, min_y, max_x, max_y = bounds
        return (
            f"{alias}.id in (select id from {table}_box where max_x >= {min_x} and min_x <= {max_x}"
            f" and max_y >= {min_y} and min_y <= {max_y})"
        )

    def box_geometry(self, alias: str) -> str:
        return f"lakou_box({alias}.min_x, {alias}.min_y, {alias}.max_x, {alias}.max_y)"

    def truth(self, value: bool) -> str:
        return "1" if value else "0"

    def bucket(self, instant: str, width: str) -> str:
        return f"({instant} - (({instant} % {width}) + {width}) % {width})"

    def sets(self, column: str, parameter: str) -> str:
        return f"{column} in (select value from json_each({parameter}))"

    def encode_set(self, values: list[int]) -> Any:
        return msgspec.json.encode(values).decode()


def _path(path: tuple[str | int, ...]) -> str:
    """A JSON path as an SQL literal; quotes in names are doubled for SQL and escaped for JSON."""
    parts = [f"[{p}]" if isinstance(p, int) else "." + msgspec.json.encode(p).decode() for p in path]
    return "'$" + "".join(parts).replace("'", "''") + "'"
