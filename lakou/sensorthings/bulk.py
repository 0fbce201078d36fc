"""Many Observations in one request: CreateObservations (18-088 §12.2) and NDJSON streams.

Each Observation stands or falls alone; what fails is said in its place. Large requests are cut into commits
of at most `commit_rows`, so that single Observations are not queued behind them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from lakou.kernel import jsontext
from lakou.kernel.errors import BadRequest, Forbidden, LakouError, TooLarge
from lakou.sensorthings import data_array, payload
from lakou.sensorthings.access import Principal
from lakou.sensorthings.data_array import Item
from lakou.sensorthings.limits import Limits
from lakou.sensorthings.request import Answer, Request, json_answer
from lakou.sensorthings.series import Series
from lakou.sensorthings.store.observing import Observation, place, place_series, writable_stream
from lakou.sensorthings.store.registry import Stream
from lakou.sensorthings.store.session import Session

Submit = Callable[..., "asyncio.Future[Any]"]
Outcome = int | LakouError
Denied = Callable[[LakouError], None]
MAX_LINE = 1024 * 1024
MAX_ERRORS = 100
READ_ROWS = 1_000
"""Rows of a data array read in one go: single Observations wait some milliseconds for them at most."""


async def create_observations(request: Request, submit: Submit, limits: Limits, denied: Denied) -> Answer:
    """The data array form: 201 and, in order, the self link of each Observation or "error".

    `denied` hears of a request some of which its sender may not do, once.
    """
    futures: list[asyncio.Future[list[Outcome]]] = []
    for parts in data_array.commits(data_array.groups(request.body), min(READ_ROWS, limits.commit_rows)):
        if futures:
            # The writer commits what was read, and others have their turn.
            await asyncio.sleep(0)
        rows = sum(end - start for _, start, end in parts)
        work = slice_of(data_array.items(parts), request.principal)
        futures.append(submit(work, rows=rows, entities=False, whole=False))
    outcomes = [outcome for slice_ in await asyncio.gather(*futures) for outcome in slice_]
    refused: list[Forbidden] = []
    if "resultMetadata=" in request.query and "resultMetadata=full" not in request.query:
        answer = json_answer(201, [o if isinstance(o, int) else _said(o, refused) for o in outcomes])
    else:
        base = f"{request.base}/Observations("
        answer = json_answer(201, [f"{base}{o})" if isinstance(o, int) else _said(o, refused) for o in outcomes])
    if refused:
        denied(refused[0])
    return answer


def _said(error: LakouError, refused: list[Forbidden]) -> str:
    """The standard's "error" with the reason behind it; what may not be done is put to the refused."""
    if isinstance(error, Forbidden):
        refused.append(error)
    where = f" at {error.place}" if error.place else ""
    return f"error: {error.message}{where}"


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


async def ndjson(
    request: Request, stream_id: int | None, *, multi: bool, submit: Submit, limits: Limits, denied: Denied
) -> Answer:
    """One Observation a line, read and committed as it comes; answers with counts and the first errors.

    Lines name their Datastream unless the path does. Work already committed stays when a later line is bad:
    sending the whole again adds nothing twice where phenomenonTime is given. `denied` as above.
    """
    created, failed = 0, 0
    forbidden: Forbidden | None = None
    errors: list[dict[str, object]] = []
    async for first, lines in _lines(request, limits.commit_rows):
        items = [_line(line, stream_id, multi, f"line {first + n}") for n, line in enumerate(lines)]
        for n, outcome in enumerate(await _store(items, request.principal, submit, limits)):
            if isinstance(outcome, int):
                created += 1
                continue
            failed += 1
            if isinstance(outcome, Forbidden):
                forbidden = outcome
            if len(errors) < MAX_ERRORS:
                errors.append({"line": first + n} | outcome.body())
    if forbidden is not None:
        denied(forbidden)
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
