"""Rows of Observations, wherever they lie: the table of PostgreSQL, or the three arms of the tiers of SQLite.

SQLite does not push a correlated condition into the arms of a view (measured: 7.8 s instead of 0.6 ms), and does not
know which arm an order comes from: so conditions, order and limit are written into each arm, and the arms are merged.
`Access` says how the sealed arm is entered, for it is clustered by Datastream and time and by nothing else.
"""

from __future__ import annotations

from enum import Enum

import msgspec

from lakou.sensorthings.model import OBSERVATION, EntityType, JsonReference, Link
from lakou.sensorthings.plan.values import And, Compare, Const, Expression, Field, Hop, ReadPlan, Type
from lakou.sensorthings.sql import slot
from lakou.sensorthings.sql.rollups import HOUR, Width
from lakou.sensorthings.sql.writer import Writer, conjunction

COLUMNS = (
    "datastream_id", "time_start", "id", "time_end", "result_time", "valid_start", "valid_end", "result_type",
    "result_number", "result_boolean", "result_text", "result_json", "result_quality", "parameters", "feature_id",
)  # fmt: skip
_HOT = ("a", "b")
_ID_OPERATORS = {"eq": "=", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}


class Way(Enum):
    """How the sealed rows are entered: by Datastream (or all), by id, by hour, or Datastream by Datastream."""

    STREAM = "stream"
    KEY = "key"
    HOURS = "hours"
    STREAMS = "streams"


class Access(msgspec.Struct, frozen=True):
    """The way in, with what narrows it: SQL conditions on `{key}`, the id, or on `{hour}`, the start of an hour."""

    way: Way = Way.STREAM
    narrowed: tuple[str, ...] = ()
    descending: bool = False


def is_tiered(writer: Writer, type_: EntityType) -> bool:
    """Whether rows of this type lie in tiers."""
    return type_ is OBSERVATION and writer.dialect.name == "sqlite"


def rows(
    writer: Writer, alias: str, where: list[str], order: str = "", most: int | None = None, access: Access | None = None
) -> str:
    """A FROM item: the rows that meet `where`, under the name `alias`; the first `most` of each arm in `order`.

    `order` begins with " order by "; the query around has to order and cut again. Conditions name columns by `alias`.
    """
    columns = ", ".join(f"{alias}.{c}" for c in COLUMNS)
    limit = "" if most is None else f" limit {most}"
    found = [_sealed(alias, where, order, access or Access(), columns)]
    for name in _HOT:
        conditions = conjunction([unsealed(alias, name), *where])
        found.append(f"select {columns} from hot_{name} {alias} where {conditions}{order if limit else ''}")
    if limit:
        found = [f"select * from ({arm}{limit})" for arm in found]
    return f"({' union all '.join(found)}) {alias}"


def exists(writer: Writer, alias: str, where: list[str], access: Access | None = None) -> str:
    """True when any row meets `where`."""
    arms = [(_entered(alias, access or Access()), where)]
    arms += [(f"hot_{name} {alias}", [unsealed(alias, name), *where]) for name in _HOT]
    return "(" + " or ".join(f"exists (select 1 from {text} where {conjunction(parts)})" for text, parts in arms) + ")"


def linked(writer: Writer, link: Link, near: str, far: str, where: list[str]) -> str:
    """The rows that a link leads to; `where` joins them to the row `near`."""
    return rows(writer, far, where, access=_by_link(writer, link, near))


def linked_exists(writer: Writer, link: Link, near: str, far: str, where: list[str]) -> str:
    """True when a link leads to a row that meets `where`, which joins it to the row `near`."""
    return exists(writer, far, where, _by_link(writer, link, near))


def _by_link(writer: Writer, link: Link, near: str) -> Access | None:
    if not isinstance(link.by, JsonReference):
        return None
    number = writer.dialect.json_arm(f"{near}.{link.by.column}", link.by.path, Type.NUMBER)
    # Braces of a member's name would be read as a place to fill in.
    return by_id("= " + number.replace("{", "{{").replace("}", "}}"))


def unsealed(alias: str, name: str) -> str:
    """The rows of a hot table that are not in `sealed` as well."""
    upto = f"select datastream_id, time_start, id from tier where name = '{name}'"
    return f"(+{alias}.datastream_id, {alias}.time_start, {alias}.id) > ({upto})"


def _sealed(alias: str, where: list[str], order: str, access: Access, columns: str) -> str:
    if access.way is Way.HOURS and order:
        order = f" order by {alias}.hour{' desc' if access.descending else ''}, {order.removeprefix(' order by ')}"
    return f"select {columns} from {_entered(alias, access)} where {conjunction(where)}{order}"


def _entered(alias: str, access: Access) -> str:
    """The FROM part of the sealed arm. A cross join keeps the order of its tables."""
    match access.way:
        case Way.KEY:
            narrowed = [text.format(key="k.id") for text in access.narrowed]
            joined = f"s.datastream_id = k.datastream_id and {slot.holds('k.slot', 's.time_start')} and s.id = k.id"
            source = f"sealed_key k cross join sealed s on {joined} where {conjunction(narrowed)}"
            return f"({_hidden('k.id')} from {source}) {alias}"
        case Way.HOURS:
            narrowed = [text.format(hour="r.start") for text in access.narrowed]
            first = (
                f"not exists (select 1 from {HOUR.table} q where q.start = r.start"
                " and q.datastream_id = r.datastream_id and q.quality < r.quality)"
            )
            joined = _inside("s", "r", str(HOUR.micros))
            source = f"{HOUR.table} r cross join sealed s on {joined} where {conjunction([first, *narrowed])}"
            return f"({_hidden()}, r.start as hour from {source}) {alias}"
        case Way.STREAMS:
            stream = f"d_{alias}"
            return f"datastream {stream} cross join sealed {alias} on {alias}.datastream_id = {stream}.id"
    return f"sealed {alias}"


def _hidden(id_: str = "s.id") -> str:
    """The columns of `sealed s`, its time behind a sign: else a bound of the filter may be taken as the way into the
    clustered rows, in place of the narrow bounds of the join, and each entry reads its whole Datastream."""
    special = {"time_start": "+s.time_start as time_start", "id": f"{id_} as id"}
    return "select " + ", ".join(special.get(c, f"s.{c}") for c in COLUMNS)


# ── beside rollups ──

Source = tuple[str, list[str]]
"""A FROM part and conditions."""


def current(writer: Writer, width: Width, bucket: str) -> list[str]:
    """The conditions that a stored bucket tells the truth. On SQLite it always does.

    `not in`, for the few stale hours are then looked up in one table in memory, however many buckets are read.
    """
    if writer.dialect.name == "sqlite":
        return []
    return [_fresh(writer, width, f"{bucket}.datastream_id", f"{bucket}.start")]


def overlong(writer: Writer, width: Width, bucket: str, where: list[str], *, of_all: bool) -> Source:
    """The buckets of `width` that have a row which ends after them and meet `where`, by their index."""
    if writer.dialect.name == "postgres":
        # Written as in the index: a time plus an interval depends on the zone, of which an index may know nothing.
        return f"{width.table} {bucket}", [f"{bucket}.time_end - {bucket}.start > {_length(writer, width)}", *where]
    over = f"{bucket}.time_end > {bucket}.start + {_length(writer, width)}"
    source = f"{width.table} {bucket} indexed by {width.table}_overlong"
    if of_all:
        stream = writer.alias()
        source = f"datastream {stream} cross join {source} on {bucket}.datastream_id = {stream}.id"
    return source, [over, *where]


def unrolled(
    writer: Writer, width: Width, alias: str, bucket: str, where: list[str], cuts: list[Source]
) -> list[Source]:
    """The rows that meet `where` and rollups do not tell of, in parts that share none: those not rolled up yet, and
    those of `cuts`, buckets of `width` under the name `bucket`."""
    length = _length(writer, width)
    if writer.dialect.name == "sqlite":
        found = [(f"hot_{name} {alias}", [unsealed(alias, name), *where]) for name in _HOT]
        joined = f"{_inside('s', bucket, length)} and (s.result_quality is null) = ({bucket}.quality = 0)"
        for source, cut in cuts:
            rows = f"{source} cross join sealed s where {conjunction([joined, *cut])}"
            found.append((f"({_hidden()} from {rows}) {alias}", where))
        return found
    later = (
        "c.type = 'Observation' and c.verb = 'create' and (c.transaction, c.seq) >"
        " (select r.transaction, r.seq from change_reader r where r.name = 'rollups')"
    )
    start = _stale_start(writer, width)
    own = writer.dialect.bucket(f"{alias}.time_start", str(width.micros))
    fresh = _fresh(writer, width, f"{alias}.datastream_id", own)
    stale = f"(select distinct s.datastream_id, {start} as start from rollup_stale s) {bucket}"
    found = [
        (
            f"change c cross join {_each(alias, [f'{alias}.id between c.first_id and c.last_id', fresh, *where])}",
            [later],
        ),
        (f"{stale} cross join {_each(alias, [_inside(alias, bucket, length), *where])}", []),
    ]
    if cuts:
        rolled_up = f"not exists (select 1 from change c where {later} and {alias}.id between c.first_id and c.last_id)"
        quality = f"({alias}.result_quality is null) = ({bucket}.quality = 0)"
        inner = _each(alias, [_inside(alias, bucket, length), quality, rolled_up, *where])
        found += [(f"{source} cross join {inner}", [*cut, *current(writer, width, bucket)]) for source, cut in cuts]
    return found


def _length(writer: Writer, width: Width) -> str:
    return str(width.micros) if writer.dialect.name == "sqlite" else f"interval '{width.micros} microseconds'"


def _each(alias: str, where: list[str]) -> str:
    """The rows that meet conditions on what stands before in a FROM item, looked for anew for each row of it.

    Else PostgreSQL, which takes the change log for large, reads all Observations first to join them with nothing.
    """
    return f"lateral (select {alias}.* from observation {alias} where {conjunction(where)} offset 0) {alias}"


def _fresh(writer: Writer, width: Width, stream: str, start: str) -> str:
    stale = f"select s.datastream_id, {_stale_start(writer, width)} from rollup_stale s"
    return f"({stream}, {start}) not in ({stale})"


def _inside(alias: str, bucket: str, length: str) -> str:
    """The rows of a bucket."""
    return (
        f"{alias}.datastream_id = {bucket}.datastream_id and {alias}.time_start >= {bucket}.start"
        f" and {alias}.time_start < {bucket}.start + {length}"
    )


def _stale_start(writer: Writer, width: Width) -> str:
    """The start of the bucket of this width that holds a stale hour."""
    return "s.start" if width is HOUR else writer.dialect.bucket("s.start", str(width.micros))


# ── the way in ──


def of_plan(writer: Writer, plan: ReadPlan, alias: str) -> tuple[Access, list[str]]:
    """(the way to the rows of a page of Observations, conditions that it adds)."""
    access, more = of_set(writer, plan.source, plan.where, alias)
    free = access.way is Way.STREAMS or (access == Access() and not more and plan.source[-1].link is None)
    first = plan.order[0] if plan.order else None
    if not free or first is None or not isinstance(first.value, Field) or first.value.links:
        return access, more
    column = first.value.property.columns[:1]
    if column == ("id",):
        return Access(Way.KEY), []
    if column == ("time_start",):
        narrowed = (*_hours(writer, _terms(plan.where)), *_hours_after(writer, plan))
        return Access(Way.HOURS, narrowed, descending=first.descending), []
    return access, more


def of_set(writer: Writer, source: tuple[Hop, ...], where: Expression | None, alias: str) -> tuple[Access, list[str]]:
    """(the way to the rows of a set of Observations in no order, conditions that it adds)."""
    hop = source[-1]
    if hop.key is not None:
        return by_id(f"= {writer.bind(Type.NUMBER, hop.key)}"), []
    if hop.link is not None:
        return Access(), []
    terms = _terms(where)
    found = of_terms(writer, terms, alias)
    if found is not None:
        return found
    return Access(Way.STREAMS if _times(terms) else Way.STREAM), []


def of_terms(writer: Writer, terms: list[Expression], alias: str) -> tuple[Access, list[str]] | None:
    """The way that a filter opens: one Datastream, or ids; None when it opens none."""
    for term in terms:
        if isinstance(term, Compare) and isinstance(term.left, Field) and isinstance(term.right, Const):
            column, links = term.left.property.columns[:1], term.left.links
            value = term.right.value
            if column != ("id",) or term.left.level or not isinstance(value, int) or term.op not in _ID_OPERATORS:
                continue
            if not links:
                return by_id(f"{_ID_OPERATORS[term.op]} {writer.bind(Type.NUMBER, value)}"), []
            if len(links) == 1 and links[0].name in ("Datastream", "MultiDatastream") and term.op == "eq":
                return Access(), [f"{alias}.datastream_id = {writer.bind(Type.NUMBER, value)}"]
    return None


def by_id(condition: str) -> Access:
    """Access to the ids that meet a condition such as "= :p1"."""
    return Access(Way.KEY, (f"{{key}} {condition}",))


def _terms(where: Expression | None) -> list[Expression]:
    if where is None:
        return []
    return list(where.terms) if isinstance(where, And) else [where]


def _times(terms: list[Expression]) -> list[tuple[str, int]]:
    """Bounds that time_start must keep for the terms to hold: (">=" or "<=", micros)."""
    found: list[tuple[str, int]] = []
    for term in terms:
        if not (isinstance(term, Compare) and isinstance(term.left, Field) and isinstance(term.right, Const)):
            continue
        field, value = term.left, term.right.value
        if field.links or field.level or field.property.columns[:1] != ("time_start",):
            continue
        start = value[0] if isinstance(value, tuple) else value
        if not isinstance(start, int):
            continue
        if term.op in ("gt", "ge", "after", "eq"):
            found.append((">=", start))
        if term.op in ("lt", "before") or (term.op in ("le", "eq") and not isinstance(value, tuple)):
            found.append(("<=", start))
    return found


def _hours(writer: Writer, terms: list[Expression]) -> list[str]:
    """Bounds of the hours in which the rows may lie. (A filter by the start also holds for what ends later.)"""
    found = []
    for sign, start in _times(terms):
        edge = start - start % HOUR.micros if sign == ">=" else start
        found.append(f"{{hour}} {sign} {writer.bind(Type.NUMBER, edge)}")
    return found


def _hours_after(writer: Writer, plan: ReadPlan) -> list[str]:
    """The hours of a next page."""
    value = None if plan.after is None else plan.after[0]
    if not isinstance(value, int):
        return []
    if plan.order[0].descending:
        return [f"{{hour}} <= {writer.bind(Type.NUMBER, value)}"]
    return [f"{{hour}} >= {writer.bind(Type.NUMBER, value - value % HOUR.micros)}"]
