"""GET with $apply: plan → statement → groups as JSON objects, a data array or CSV."""

from __future__ import annotations

from time import perf_counter
from typing import Any

from lakou.kernel import time as clock
from lakou.sensorthings.grammar.tree import Options
from lakou.sensorthings.limits import Limits
from lakou.sensorthings.plan.apply import plan_apply
from lakou.sensorthings.plan.read import Asker
from lakou.sensorthings.plan.rolled import plan_rolled
from lakou.sensorthings.plan.target import Target
from lakou.sensorthings.plan.values import ApplyPlan
from lakou.sensorthings.render import groups
from lakou.sensorthings.render.columns import column
from lakou.sensorthings.render.entities import query
from lakou.sensorthings.request import Answer, Request, json_answer, timing
from lakou.sensorthings.sql.apply import apply, is_time
from lakou.sensorthings.sql.rolled import apply as apply_rolled
from lakou.sensorthings.store.database import Row
from lakou.sensorthings.store.readers import Readers


async def answer(request: Request, target: Target, options: Options, readers: Readers, limits: Limits) -> Answer:
    """Groups in the order of their keys; a next link when there are more than the limit."""
    started = perf_counter()
    plan = plan_apply(target, options, Asker(limits, clock.now(), request.principal.name))
    rolled = plan_rolled(plan)
    if rolled is None:
        statement = apply(readers.dialect, plan, request.principal)
    else:
        statement = apply_rolled(readers.dialect, plan, rolled, request.principal)
    planned = perf_counter()
    signed = request.principal.role != "anonymous"
    timeout_s = limits.timeout_signed_s if signed else limits.timeout_anonymous_s
    source = "raw" if rolled is None else "rollups"

    def show(rows: list[Row]) -> Answer:
        read = perf_counter()
        shown = _show(request, options, plan, rows, source)
        stages = {"plan": planned - started, "read": read - planned, "render": perf_counter() - read}
        shown.headers.append(timing(stages))
        return shown

    return await readers.made(statement, timeout_s, show)


def _show(request: Request, options: Options, plan: ApplyPlan, rows: list[Row], source: str) -> Answer:
    page, more = rows[: plan.limit], len(rows) > plan.limit
    times = [n for n, key in enumerate(plan.keys) if is_time(key)]
    names = [key.alias for key in plan.keys] + [a.alias for a in plan.aggregates]
    columns = [column(page, n) for n in range(len(names))]
    form = (options.result_format or "").lower()
    if form == "csv":
        text = groups.table(names, columns, times)
        return Answer(200, [(b"content-type", b"text/csv;charset=UTF-8")], text.encode())
    head: dict[str, Any] = {"@lakou.source": source}
    if more:
        pairs = [p for p in options.pairs if p[0] != "$skip"] + [("$skip", str(plan.skip + plan.limit))]
        head["@iot.nextLink"] = f"{request.base}/{request.path.strip('/')}?{query(pairs)}"
    if form == "dataarray":
        head |= {"components": names, "dataArray@iot.count": len(page)}
        head["dataArray"] = groups.arrays(columns, times)
    else:
        head["value"] = groups.objects(names, columns, times)
    return json_answer(200, head)
