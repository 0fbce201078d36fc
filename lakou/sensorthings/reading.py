"""GET: path and options → plan → statement → rows → the asked form. Composes the stages, decides nothing else.

`Server-Timing` shows what each stage took. Plans are kept by URL, for most clients ask the same again.
"""

from __future__ import annotations

import asyncio
import random
from collections import OrderedDict
from time import perf_counter
from typing import Any

import msgspec

from lakou.kernel import jsontext
from lakou.kernel import time as clock
from lakou.kernel.errors import BadRequest, NotFound, Unavailable
from lakou.sensorthings import applying, version
from lakou.sensorthings.access import Principal
from lakou.sensorthings.grammar import tree
from lakou.sensorthings.grammar.lexer import GrammarLimits
from lakou.sensorthings.grammar.options import parse_query_string
from lakou.sensorthings.limits import Limits
from lakou.sensorthings.model import OBSERVATION, Kind
from lakou.sensorthings.plan.read import Asker, plan_read
from lakou.sensorthings.plan.target import Target, target_of
from lakou.sensorthings.plan.values import ReadPlan
from lakou.sensorthings.render import columns, entities, flat, sets
from lakou.sensorthings.render.entities import Style
from lakou.sensorthings.request import Answer, Header, Request, empty, json_answer, timing
from lakou.sensorthings.sql import read as sql
from lakou.sensorthings.sql import rolled
from lakou.sensorthings.sql.dialect import Statement
from lakou.sensorthings.store.database import Row
from lakou.sensorthings.store.readers import Readers

SAMPLE = 2_000
KEPT_PLANS = 512
LARGE = 100
"""Rows above which a page is read and rendered off the loop."""
# Rows and their rendering need the interpreter's lock: more pages at once would be no faster, and the loop and the
# writer would wait behind all of them (measured: 264 pages of 10,000 rows held up a POST for 15 s).
LARGE_AT_ONCE = 1
# Who comes later is refused at once: the last of these waits some ten seconds, at 250 ms for a page of 10,000 rows.
LARGE_WAITING = 40

_METADATA = {None: "full", "full": "full", "minimal": "minimal", "off": "off", "none": "off"}
_ENTITY_OPTIONS = ("$select", "$expand", "$resultMetadata", "$resultFormat")


class Prepared(msgspec.Struct, frozen=True):
    """A planned GET: what to fetch and how to show it."""

    target: Target
    options: tree.Options
    plan: ReadPlan
    statement: Statement
    style: Style
    format: str


class Reading:
    """Answers GET requests from the readers."""

    def __init__(self, readers: Readers, limits: Limits) -> None:
        self._readers = readers
        self._limits = limits
        self._grammar = GrammarLimits(bytes=limits.url_bytes, tokens=limits.tokens, depth=limits.depth)
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)
        self._waiting = 0
        self._kept: OrderedDict[tuple[Any, ...], Prepared] = OrderedDict()

    async def answer(self, request: Request) -> Answer:
        """The answer to a GET on anything below the service root; raises LakouError."""
        started = perf_counter()
        options = parse_query_string(request.query, self._grammar) if "apply" in request.query else None
        if options is not None and options.apply is not None:
            target = target_of(request.path, self._grammar)
            return await applying.answer(request, target, options, self._readers, self._limits)
        prepared = self._prepare(request)
        if not _is_large(prepared.plan):
            return await self._found(prepared, request, started)
        if self._waiting >= LARGE_WAITING:
            raise Unavailable("Too many large pages are asked for", hint="Ask again shortly, or lower $top.")
        self._waiting += 1
        try:
            async with self._large:
                return await self._found(prepared, request, started)
        finally:
            self._waiting -= 1

    async def _found(self, prepared: Prepared, request: Request, started: float) -> Answer:
        plan, statement = prepared.plan, prepared.statement
        timeout_s = self._timeout(request.principal)
        planned = perf_counter()
        count = await self._count(prepared, request.principal) if plan.count is not None else None
        counted = perf_counter()

        def show(rows: list[Row]) -> Answer:
            read = perf_counter()
            answer = self._show(prepared, request, rows, count)
            shown = perf_counter()
            stages = {"plan": planned - started, "count": counted - planned, "read": read - counted}
            answer.headers.append(timing(stages | {"render": shown - read}))
            return answer

        def show_any(rows: list[Row]) -> Answer | None:
            return show(rows) if rows else None

        if _is_large(plan):
            answer = await self._readers.made(statement, timeout_s, show_any)
        else:
            answer = show_any(await self._readers.rows(statement, timeout_s, short=plan.single or _is_indexed(plan)))
        if answer is None:
            await self._check_parent(prepared, request.principal)
            answer = show([])
        return answer

    def _timeout(self, principal: Principal) -> float:
        limits = self._limits
        return limits.timeout_anonymous_s if principal.role == "anonymous" else limits.timeout_signed_s

    # ── planning ──

    def _prepare(self, request: Request) -> Prepared:
        key = (request.path, request.query, request.principal.reads, request.base)
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
            return found
        prepared = self._plan(request)
        if "now" not in request.query and "principal" not in request.query:
            self._kept[key] = prepared
            if len(self._kept) > KEPT_PLANS:
                self._kept.popitem(last=False)
        return prepared

    def _plan(self, request: Request) -> Prepared:
        options = parse_query_string(request.query, self._grammar)
        target = target_of(request.path, self._grammar)
        _check_options(target, options)
        asker = Asker(self._limits, clock.now(), request.principal.name)
        plan = plan_read(target, options, asker)
        form = result_format(options)
        if form == "dataarray":
            _check_data_array(target, options)
            plan = msgspec.structs.replace(plan, extras=("multi", "datastream_id"), links=())
        if form == "csv":
            flat.check_csv(plan)
        metadata = _METADATA.get((options.result_metadata or "full").lower())
        if metadata is None:
            raise BadRequest("$resultMetadata is full, minimal or off", place="$resultMetadata", code="option_value")
        statement = sql.page(self._readers.dialect, plan, request.principal)
        return Prepared(target, options, plan, statement, Style(request.base, metadata), form)

    # ── checks and counts ──

    async def _check_parent(self, prepared: Prepared, principal: Principal) -> None:
        """Nothing found: a set may be empty, but its parent must be there, and so must a single entity."""
        if prepared.plan.single:
            raise NotFound(f"There is no such {prepared.target.type.name}")
        hops = prepared.target.hops
        if len(hops) > 1:
            statement = sql.exists(self._readers.dialect, hops[:-1], principal)
            if not await self._readers.rows(statement, self._timeout(principal)):
                raise NotFound(f"There is no such {hops[-2].type.name}")

    async def _count(self, prepared: Prepared, principal: Principal) -> dict[str, Any]:
        plan, dialect = prepared.plan, self._readers.dialect
        if plan.count == "estimate":
            return await self._estimate(plan, principal)
        statement = rolled.count(dialect, plan, principal) or sql.count(dialect, plan, principal)
        try:
            rows = await self._readers.rows(statement, self._limits.count_timeout_s)
        except BadRequest as error:
            if error.error_code != "query_timeout":
                raise
            hint = "Ask for an estimate with $countMode=estimate, or leave out $count."
            raise BadRequest("The exact count takes too long", code="count_timeout", hint=hint) from None
        return {"@iot.count": rows[0][0]}

    async def _estimate(self, plan: ReadPlan, principal: Principal) -> dict[str, Any]:
        """From a sample of ids, seen through the same rights and filter as the set itself; said to be one."""
        dialect, timeout = self._readers.dialect, self._limits.count_timeout_s
        ((low, high),) = await self._readers.rows(sql.highest_id(dialect, plan.type), timeout)
        if low is None or high - low < SAMPLE:
            rows = await self._readers.rows(sql.count(dialect, plan, principal), timeout)
            return {"@iot.count": rows[0][0], "@lakou.countMode": "exact"}
        sample = [random.randint(low, high) for _ in range(SAMPLE)]  # noqa: S311  statistics, not secrets
        rows = await self._readers.rows(sql.count(dialect, plan, principal, sorted(set(sample))), timeout)
        estimate = round(rows[0][0] / len(set(sample)) * (high - low + 1))
        return {"@iot.count": estimate, "@lakou.countMode": "estimate"}

    # ── showing ──

    def _show(self, prepared: Prepared, request: Request, rows: list[Row], count: dict[str, Any] | None) -> Answer:
        plan, target, style = prepared.plan, prepared.target, prepared.style
        url = f"{style.base}/{request.path.strip('/')}"
        if target.member is not None:
            return _show_member(prepared, rows[0])
        if target.count:
            assert count is not None  # noqa: S101  planned for $count
            return Answer(200, [(b"content-type", b"text/plain;charset=UTF-8")], str(count["@iot.count"]).encode())
        match prepared.format:
            case "csv":
                shown, _ = (rows, False) if plan.single else sets.cut(plan, rows)
                return Answer(200, [(b"content-type", b"text/csv;charset=UTF-8")], flat.to_csv(plan, shown, style))
            case "geojson":
                shown, more = (rows, False) if plan.single else sets.cut(plan, rows)
                body = flat.to_geojson(plan, shown, style)
                body |= {} if plan.single else sets.head(plan, shown, style, url=url, count=count, more=more)
                return Answer(200, [(b"content-type", b"application/geo+json")], jsontext.encode(body))
            case "dataarray":
                return json_answer(200, sets.data_array(plan, rows, style, prepared.options, url=url, count=count))
        if target.ref:
            if plan.single:
                return json_answer(200, {"@iot.selfLink": f"{style.base}/{plan.type.plural}({rows[0][0]})"})
            return json_answer(200, sets.references(plan, rows, style, url=url, count=count))
        if not plan.single:
            return json_answer(200, sets.page(plan, rows, style, url=url, count=count))
        return _show_one(prepared, request, rows[0])


def result_format(options: tree.Options) -> str:
    """The asked form: json, dataarray, csv or geojson."""
    form = (options.result_format or "json").lower()
    if form not in ("json", "dataarray", "csv", "geojson", "application/json"):
        raise BadRequest(
            "$resultFormat is not known", place="$resultFormat", code="option_value", hint="dataArray, CSV or GeoJSON"
        )
    return "json" if form == "application/json" else form


def _is_large(plan: ReadPlan) -> bool:
    return not plan.single and plan.limit > LARGE


def _is_indexed(plan: ReadPlan) -> bool:
    """A page that an index gives without looking at much else: no filter, no far order, no expand of sets."""
    few = sum(plan_rows(e.plan) for e in plan.expands if e.link.many) <= LARGE
    if plan.type is OBSERVATION and len(plan.source) == 1:
        return False  # over all Datastreams: every hot row is looked at (docs/decisions/0003)
    return plan.where is None and not plan.distinct and plan.skip == 0 and len(plan.source) <= 2 and few


def plan_rows(plan: ReadPlan) -> int:
    """The most rows that a nested plan may give for one parent."""
    return plan.limit * max([1, *(plan_rows(e.plan) for e in plan.expands if e.link.many)])


def _check_options(target: Target, options: tree.Options) -> None:
    """Options of sets mean nothing on one entity; none but $count-like ones mean anything on a property."""
    if not target.single:
        if target.count or target.ref:
            return
        return
    allowed = _ENTITY_OPTIONS if target.member is None and not target.ref else ("$resultMetadata",)
    for name, _ in options.pairs:
        if name.startswith("$") and name not in allowed:
            raise BadRequest(
                f"{name} has no meaning on {'one entity' if target.member is None else 'a property'}",
                place=name,
                code="option_not_allowed",
            )


def _check_data_array(target: Target, options: tree.Options) -> None:
    if target.type is not OBSERVATION or target.single:
        raise BadRequest("Data arrays hold Observations", place="$resultFormat", code="result_format")
    if options.expand:
        raise BadRequest("A data array cannot hold $expand", place="$expand", code="result_format")
    if options.distinct:
        raise BadRequest("A data array cannot hold distinct values", place="$select", code="result_format")


def _show_one(prepared: Prepared, request: Request, row: Row) -> Answer:
    headers: list[Header] = []
    if not prepared.options.select and not prepared.options.expand:
        tag = version.etag(prepared.plan, row)
        headers.append((b"etag", tag.encode()))
        sent = request.header(b"if-none-match")
        if sent is not None and version.matches(sent, tag):
            return empty(304, headers)
    return json_answer(200, entities.renderer(prepared.plan, prepared.style)([row])[0], headers)


def _show_member(prepared: Prepared, row: Row) -> Answer:
    """A property, a member of it, or its bare value; 204 when it is null (18-088 §9.2.4)."""
    target = prepared.target
    assert target.member is not None  # noqa: S101  the caller checked
    if target.member.kind is Kind.ID:
        value: Any = row[0]
    else:
        value = columns.reader(target.member, 1)([row])[0]
    name = "@iot.id" if target.member.kind is Kind.ID else target.member.name
    if target.sub:
        value = _member_or_404(columns.plain(value), target)
        name = target.label
    if value is None:
        return empty(204)
    if not target.raw:
        return json_answer(200, {name: value})
    if isinstance(value, str):
        return Answer(200, [(b"content-type", b"text/plain;charset=UTF-8")], value.encode())
    structured = isinstance(columns.plain(value), dict | list)
    kind = b"application/json" if structured else b"text/plain;charset=UTF-8"
    return Answer(200, [(b"content-type", kind)], jsontext.encode(value))


def _member_or_404(value: Any, target: Target) -> Any:
    """A member of a JSON property; raises NotFound where the path ends nowhere."""
    parent = entities.member(value, target.sub[:-1])
    last = target.sub[-1]
    if isinstance(parent, dict) and str(last) in parent:
        return parent[str(last)]
    if isinstance(parent, list) and str(last).isdecimal() and int(last) < len(parent):
        return parent[int(last)]
    raise NotFound(f"'{'/'.join(str(s) for s in target.sub)}' is not there", place="path")
