"""Many Observations in one request: CreateObservations (18-088 §12.2) and NDJSON streams.

Each Observation stands or falls alone; what fails is said in its place. Large requests are cut into commits
of at most `commit_rows`, so that single Observations are not queued behind them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

from lakou.kernel import jsontext
from lakou.kernel.errors import BadRequest, LakouError, TooLarge
from lakou.sensorthings import payload
from lakou.sensorthings.access import Principal
from lakou.sensorthings.limits import Limits
from lakou.sensorthings.request import Answer, Request, json_answer
from lakou.sensorthings.series import Series, series
from lakou.sensorthings.store.observing import Observation, place, place_series, writable_stream
from lakou.sensorthings.store.registry import Stream
from lakou.sensorthings.store.session import Session

Submit = Callable[..., "asyncio.Future[Any]"]
Outcome = int | LakouError
Result = TypeVar("Result")
MAX_LINE = 1024 * 1024
MAX_ERRORS = 100
LARGE_BODY = 128 * 1024
"""Bodies above this are read off the loop, so that single Observations do not wait for them."""


async def create_observations(request: Request, submit: Submit, limits: Limits) -> Answer:
    """The data array form: 201 and, in order, the self link of each Observation or "error"."""
    is_large = len(request.body) > LARGE_BODY
    groups = await _read(is_large, _groups, request.body)
    futures: list[asyncio.Future[list[Outcome]]] = []
    for parts in _commits(groups, limits.commit_rows):
        # The writer commits these while the next ones are read.
        items = await _read(is_large, _items, parts)
        rows = sum(end - start for _, start, end in parts)
        futures.append(submit(slice_of(items, request.principal), rows=rows, entities=False, whole=False))
    outcomes = [outcome for slice_ in await asyncio.gather(*futures) for outcome in slice_]
    if "resultMetadata=" in request.query and "resultMetadata=full" not in request.query:
        return json_answer(201, [o if isinstance(o, int) else _said(o) for o in outcomes])
    base = f"{request.base}/Observations("
    return json_answer(201, [f"{base}{o})" if isinstance(o, int) else _said(o) for o in outcomes])


async def _read(is_large: bool, work: Callable[[Any], Result], given: Any) -> Result:
    return await asyncio.get_running_loop().run_in_executor(None, work, given) if is_large else work(given)


class Group(NamedTuple):
    """One data array: its Datastream, its components and its rows, which are not looked at yet."""

    stream_id: int
    multi: bool
    components: list[str]
    rows: list[Any]
    place: str


Item = Observation | Series | LakouError
"""What one commit is made of: an Observation, many at once, or why there is none."""
Part = tuple[Group, int, int]
"""Rows of a data array: the first, and the one after the last."""


def _groups(body: bytes) -> list[Group]:
    """The data arrays of a body; raises BadRequest when one of them is none."""
    groups = jsontext.decode(body)
    if not isinstance(groups, list):
        raise BadRequest("CreateObservations takes an array of data arrays", place="/", code="type_mismatch")
    return [_group(group, f"/{n}") for n, group in enumerate(groups)]


def _commits(groups: list[Group], size: int) -> Iterator[list[Part]]:
    """The rows of all data arrays in order, as many together as a commit takes."""
    parts: list[Part] = []
    room = size
    for group in groups:
        start = 0
        while start < len(group.rows):
            end = min(len(group.rows), start + room)
            parts.append((group, start, end))
            room -= end - start
            start = end
            if not room:
                yield parts
                parts, room = [], size
    if parts:
        yield parts


def _items(parts: list[Part]) -> list[Item]:
    """The Observations of these rows, in order; what one of them has wrong stands in its place."""
    items: list[Item] = []
    for group, start, end in parts:
        rows, place = group.rows[start:end], f"{group.place}/dataArray"
        usual = _usual(group.components)
        found = None
        if usual is not None and usual[2] is None and not group.multi:
            found = series(group.stream_id, rows, len(group.components), usual[0], usual[1])
        if found is not None:
            items.append(found)
        elif usual is None:
            items += [
                _item(group.components, row, group.stream_id, group.multi, f"{place}/{n}")
                for n, row in enumerate(rows, start)
            ]
        else:
            items += _usual_items(usual, len(group.components), rows, group.stream_id, group.multi, place, start)
    return items


def _said(error: LakouError) -> str:
    """The standard's "error" with the reason behind it."""
    where = f" at {error.place}" if error.place else ""
    return f"error: {error.message}{where}"


def _group(group: Any, place: str) -> Group:
    if not isinstance(group, dict):
        raise BadRequest("A data array is an object", place=place, code="type_mismatch")
    named = [n for n in ("Datastream", "MultiDatastream") if n in group]
    ref = group[named[0]].get("@iot.id") if len(named) == 1 and isinstance(group[named[0]], dict) else None
    if isinstance(ref, bool) or not isinstance(ref, int):
        raise BadRequest(
            "A data array names its Datastream", place=f"{place}/Datastream", code="missing", hint='{"@iot.id": 1}'
        )
    components, rows = group.get("components"), group.get("dataArray")
    if not isinstance(components, list) or not all(isinstance(c, str) for c in components):
        raise BadRequest("components is an array of names", place=f"{place}/components", code="type_mismatch")
    if len(set(components)) < len(components):
        raise BadRequest("A component is named twice", place=f"{place}/components", code="data_array")
    if not isinstance(rows, list):
        raise BadRequest("dataArray is an array of arrays", place=f"{place}/dataArray", code="type_mismatch")
    if "result" not in components:
        raise BadRequest("components needs 'result'", place=f"{place}/components", code="missing")
    return Group(ref, named[0] == "MultiDatastream", components, rows, place)


def _usual(components: list[str]) -> tuple[int, int, int | None] | None:
    """Where phenomenonTime, result and resultTime stand, when there is nothing else."""
    if not {"phenomenonTime", "result"} <= set(components) <= {"phenomenonTime", "result", "resultTime"}:
        return None
    produced = components.index("resultTime") if "resultTime" in components else None
    return components.index("phenomenonTime"), components.index("result"), produced


def _usual_items(
    usual: tuple[int, int, int | None],
    size: int,
    rows: list[Any],
    stream_id: int,
    multi: bool,
    place: str,
    first: int,
) -> list[Observation | LakouError]:
    """The rows of a data array with only times and results: most of all Observations come this way."""
    at_time, at_result, at_produced = usual
    found: list[Observation | LakouError] = []
    for n, row in enumerate(rows, first):
        try:
            if type(row) is not list or len(row) != size:
                raise BadRequest("A row has one value for each component", code="data_array")
            sent = row[at_time]
            produced = None if at_produced is None else row[at_produced]
            if type(sent) is str and (produced is None or type(produced) is str):
                reading = payload.simple_reading(sent, row[at_result], produced)
            else:
                body = {"phenomenonTime": sent, "result": row[at_result], "resultTime": produced}
                reading = payload.reading(body, f"{place}/{n}")
            found.append(Observation(stream_id, multi, reading))
        except LakouError as error:
            error.place = error.place or f"{place}/{n}"
            found.append(error)
    return found


def _item(components: list[str], row: Any, stream_id: int, multi: bool, place: str) -> Observation | LakouError:
    if not isinstance(row, list) or len(row) != len(components):
        return BadRequest("A row has one value for each component", place=place, code="data_array")
    body = dict(zip(components, row, strict=True))
    feature = body.pop("FeatureOfInterest/id", None)
    body.pop("id", None)
    if feature is not None:
        body["FeatureOfInterest"] = {"@iot.id": feature}
    try:
        payload.check_observation(body, place)
        return Observation(stream_id, multi, payload.reading(body, place), place)
    except LakouError as error:
        return error


async def _store(
    items: list[Observation | LakouError], principal: Principal, submit: Submit, limits: Limits
) -> list[Outcome]:
    """Commit the Observations in slices, all queued at once; outcomes in order."""
    size = limits.commit_rows
    futures = [
        submit(slice_of(items[n : n + size], principal), rows=len(items[n : n + size]), entities=False, whole=False)
        for n in range(0, len(items), size)
    ]
    return [outcome for slice_ in await asyncio.gather(*futures) for outcome in slice_]


def slice_of(items: Sequence[Item], principal: Principal) -> Callable[[Session], list[Outcome]]:
    """The work of many plain Observations in one commit: the id of each, or why it was refused."""

    def run(session: Session) -> list[Outcome]:
        outcomes: list[Outcome] = []
        checked: tuple[int, bool] | None = None
        stream: Stream | None = None
        for item in items:
            if isinstance(item, LakouError):
                outcomes.append(item)
                continue
            if isinstance(item, Series):
                stream = None
                outcomes += _placed(session, principal, item)
                continue
            try:
                if stream is None or checked != (item.stream_id, item.multi):
                    stream = writable_stream(session, principal, item.stream_id, multi=item.multi, place=item.place)
                    checked = (item.stream_id, item.multi)
                outcomes.append(place(session, principal, stream, item.reading, item.place))
            except LakouError as error:
                outcomes.append(error)
        return outcomes

    return run


def _placed(session: Session, principal: Principal, item: Series) -> list[Outcome]:
    try:
        stream = writable_stream(session, principal, item.stream_id, multi=False, place="")
        ids = place_series(session, principal, stream, item)
    except LakouError as error:
        return [error] * len(item)
    if ids is not None:
        return [*ids]
    outcomes: list[Outcome] = []
    for reading in item.readings():
        try:
            outcomes.append(place(session, principal, stream, reading))
        except LakouError as error:
            outcomes.append(error)
    return outcomes


async def ndjson(request: Request, stream_id: int | None, *, multi: bool, submit: Submit, limits: Limits) -> Answer:
    """One Observation a line, read and committed as it comes; answers with counts and the first errors.

    Lines name their Datastream unless the path does. Work already committed stays when a later line is bad:
    sending the whole again adds nothing twice where phenomenonTime is given.
    """
    created, failed = 0, 0
    errors: list[dict[str, object]] = []
    async for first, lines in _lines(request, limits.commit_rows):
        items = [_line(line, stream_id, multi, f"line {first + n}") for n, line in enumerate(lines)]
        for n, outcome in enumerate(await _store(items, request.principal, submit, limits)):
            if isinstance(outcome, int):
                created += 1
                continue
            failed += 1
            if len(errors) < MAX_ERRORS:
                errors.append({"line": first + n} | outcome.body())
    status = 201 if failed == 0 else 200 if created else 400
    return json_answer(status, {"stored": created, "refused": failed, "errors": errors})


def _line(line: bytes, stream_id: int | None, multi: bool, place: str) -> Observation | LakouError:
    try:
        body = jsontext.decode(line)
        if not isinstance(body, dict):
            raise BadRequest("A line is one JSON object", place=place, code="type_mismatch")
        target, kind = stream_id, multi
        if target is None:
            named = [n for n in ("Datastream", "MultiDatastream") if isinstance(body.get(n), dict)]
            ref = body[named[0]].get("@iot.id") if len(named) == 1 else None
            if isinstance(ref, bool) or not isinstance(ref, int):
                raise BadRequest("A line names its Datastream", place=place, code="missing")
            target, kind = ref, named[0] == "MultiDatastream"
        payload.check_observation(body, "")
        return Observation(target, kind, payload.reading(body))
    except LakouError as error:
        return error


async def _lines(request: Request, size: int) -> AsyncIterator[tuple[int, list[bytes]]]:
    """(number of the first line, lines) in groups; blank lines are left out but counted."""
    rest = b""
    number = 1
    group: list[bytes] = []
    first = 1
    async for piece in _pieces(request):
        rest += piece
        *whole, rest = rest.split(b"\n")
        if len(rest) > MAX_LINE:
            raise TooLarge(f"A line is longer than {MAX_LINE} bytes", place=f"line {number}")
        for line in whole:
            if line.strip():
                group.append(line)
            elif group:
                yield first, group
                first, group = number + 1, []
            else:
                first = number + 1
            number += 1
            if len(group) >= size:
                yield first, group
                first, group = number, []
    if rest.strip():
        group.append(rest)
    if group:
        yield first, group


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    if request.stream is None:
        yield request.body
        return
    async for piece in request.stream:
        yield piece
