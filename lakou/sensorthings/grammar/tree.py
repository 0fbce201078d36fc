"""The syntax tree of a SensorThings URL: resource path, query options and filter expressions.

Plain frozen values, made by `path`, `options` and `expression`, read by `plan`. Names of entity types,
properties and functions are not checked here: that is `plan`'s work.
Source: OGC 18-088 §9.2 (paths), §9.3 (options), tables 22 and 23 (operators, functions).
"""

from __future__ import annotations

import msgspec


class Node(msgspec.Struct, frozen=True, kw_only=False, gc=False):
    """Base of all nodes. `at` is the position of the node's first character in its option or path.

    Trees hold no cycles, so the collector need not visit them.
    """


# ── literals ──


class Null(Node, frozen=True):
    at: int = 0


class Boolean(Node, frozen=True):
    value: bool
    at: int = 0


class Number(Node, frozen=True):
    """An int within 64 bits, or a finite float."""

    value: int | float
    at: int = 0


class Text(Node, frozen=True):
    """A string without its quotes, doubled quotes folded."""

    value: str
    at: int = 0


class Instant(Node, frozen=True):
    """A date-time with offset, in microseconds since 1970-01-01T00:00:00Z; `offset_min` as written."""

    micros: int
    offset_min: int = 0
    at: int = 0


class Interval(Node, frozen=True):
    """`start/end`, microseconds since 1970 UTC, start ≤ end."""

    start: int
    end: int
    at: int = 0


class Duration(Node, frozen=True):
    """`duration'P1DT2H'` (days to seconds; no years or months), in microseconds, may be negative."""

    micros: int
    at: int = 0


class Date(Node, frozen=True):
    """A calendar date, as written: `2026-11-22` or `date'2026-11-22'`; days since 1970-01-01."""

    days: int
    at: int = 0


class TimeOfDay(Node, frozen=True):
    """`13:20:05.5` or `time'13:20:05.5'`, microseconds since midnight."""

    micros: int
    at: int = 0


class Geometry(Node, frozen=True):
    """`geography'POINT (…)'` or `geometry'…'`: the WKT text; checked by the plan."""

    wkt: str
    at: int = 0


Literal = Null | Boolean | Number | Text | Instant | Interval | Duration | Date | TimeOfDay | Geometry


# ── expressions ──


class Path(Node, frozen=True):
    """`Datastream/Thing/properties/floors[0]`: names and array indexes in order. `@iot.id` is one name."""

    segments: tuple[str | int, ...]
    at: int = 0


class Call(Node, frozen=True):
    """A function by its lower-case name, e.g. `geo.distance`, `st_within`, `substringof`."""

    name: str
    arguments: tuple[Expression, ...]
    at: int = 0


class Not(Node, frozen=True):
    operand: Expression
    at: int = 0


class Negative(Node, frozen=True):
    operand: Expression
    at: int = 0


class Binary(Node, frozen=True):
    """`op` is one of: or and eq ne gt ge lt le add sub mul div mod."""

    op: str
    left: Expression
    right: Expression
    at: int = 0


class In(Node, frozen=True):
    """`item in (a, b, …)`."""

    item: Expression
    options: tuple[Expression, ...]
    at: int = 0


class Any(Node, frozen=True):
    """`Datastreams/any(d: d/name eq 'x')`; in `predicate` the variable is the first segment of a Path.

    `variable` and `predicate` are None for the bare `Datastreams/any()`.
    """

    path: Path
    variable: str | None
    predicate: Expression | None
    at: int = 0


Expression = Literal | Path | Call | Not | Negative | Binary | In | Any


# ── query options ──


class OrderBy(Node, frozen=True):
    expression: Expression
    descending: bool = False


class ExpandItem(Node, frozen=True):
    """One item of $expand: `Datastreams/Observations($top=1)` has path ("Datastreams", "Observations").

    The options belong to the last segment of the path.
    """

    path: tuple[str, ...]
    options: Options
    at: int = 0


class Aggregate(Node, frozen=True):
    """`result with mean as average`; `$count as n` has path None and method "count"."""

    path: Path | None
    method: str
    alias: str
    at: int = 0


class Bucket(Node, frozen=True):
    """`bucket(phenomenonTime,duration'PT1H') as hour`: fixed width in microseconds, from the Unix epoch."""

    path: Path
    width: int
    alias: str = "bucket"
    at: int = 0


class Apply(Node, frozen=True):
    """$apply: [filter(…)/] groupby((keys…),aggregate(…)) or aggregate(…) alone."""

    filter: Expression | None
    keys: tuple[Path | Bucket, ...]
    aggregates: tuple[Aggregate, ...]


class Options(Node, frozen=True, kw_only=True):
    """The query options of a request or of one $expand item; None where absent.

    `count_mode` is "exact" or "estimate" ($count=true&$countMode=estimate).
    `skip_token` is the opaque text of $skiptoken, made by this service only.
    `text` is the option string as received (decoded), kept for next links.
    """

    filter: Expression | None = None
    count: bool | None = None
    orderby: tuple[OrderBy, ...] = ()
    skip: int | None = None
    top: int | None = None
    expand: tuple[ExpandItem, ...] = ()
    select: tuple[Path, ...] | None = None
    distinct: bool = False
    result_format: str | None = None
    result_metadata: str | None = None
    apply: Apply | None = None
    count_mode: str | None = None
    skip_token: str | None = None
    id: str | None = None
    pairs: tuple[tuple[str, str], ...] = ()


# ── resource path ──


class Segment(Node, frozen=True):
    """`Things`, `Things(1)`, `Things('a')`, `name`, `properties`, `$ref`, `$value`, `$count`; key None when absent."""

    name: str
    key: int | str | None = None
    at: int = 0


class ResourcePath(Node, frozen=True):
    """The segments after the version, in order; empty for the service root."""

    segments: tuple[Segment, ...]
