"""One run of a connector: fetch or read a file, deliver, say how it went. No database of our own, no schedule."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import structlog

from lakou.connectors.connector import Connector, Fetched, connector
from lakou.connectors.deliver import Delivered, deliver
from lakou.connectors.entities import Entities
from lakou.connectors.guard import Policy, fetch
from lakou.connectors.reading import NO_OPTIONS, Options
from lakou.kernel.errors import BadRequest, LakouError, NotFound
from lakou.sensorthings.access import Principal

log = structlog.get_logger(__name__)

MAX_FILE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run went. `count` Observations are in the store, `error` is one short line, empty when all is well."""

    name: str
    outcome: Literal["ok", "partial", "failed"]
    count: int
    refused: int
    created: int
    duration_s: float
    error: str = ""
    notes: tuple[str, ...] = ()


async def run_connector(
    name: str,
    *,
    entities: Entities,
    principal: Principal,
    options: Options = NO_OPTIONS,
    file: Path | None = None,
    policy: Policy | None = None,
) -> RunResult:
    """Run a connector once: from its source, or from `file` (a recorded answer of it).

    A failure is in the result. Raises only for a wrong call: NotFound (no such connector or file), BadRequest
    (a connector that pushes, run without a file).
    """
    found = connector(name)
    documents: Fetched | None = None if file is None else ((file.name, _file_bytes(file)),)
    if documents is None and found.fetch is None:
        raise BadRequest(
            "This source pushes its data to us: there is nothing to fetch.",
            place=name,
            hint="Give a recorded message with --file, or see docs/how-to/connect-lorawan.md.",
        )
    started = time.monotonic()
    total, errors, read = Delivered(), [], 0
    try:
        if documents is None:
            documents = await _fetch(found, options, policy or Policy())
        for origin, body in documents:
            try:
                total += await _deliver_one(found, origin, body, options, entities, principal)
                read += 1
            except LakouError as error:
                errors.append(_short(error))
    except LakouError as error:
        errors.append(_short(error))
    except Exception as error:  # the edge of a run: a fault in a connector must not stop the others
        log.exception("connector failed", connector=name)
        errors.append(f"internal error ({type(error).__name__})")
    return _result(name, total, errors, read, time.monotonic() - started)


def _result(name: str, total: Delivered, errors: list[str], read: int, duration_s: float) -> RunResult:
    if total.refused:
        errors.append(f"{total.refused} observations refused")
    outcome: Literal["ok", "partial", "failed"] = "ok" if not errors else "partial" if read else "failed"
    return RunResult(
        name,
        outcome,
        total.observations,
        total.refused,
        total.created,
        duration_s,
        "; ".join(dict.fromkeys(errors))[:300],
        total.notes,
    )


async def _deliver_one(
    found: Connector,
    origin: str,
    body: bytes | LakouError,
    options: Options,
    entities: Entities,
    principal: Principal,
) -> Delivered:
    if isinstance(body, LakouError):
        raise body
    return await deliver(entities, principal, found.read(body, origin, options))


async def _fetch(found: Connector, options: Options, policy: Policy) -> Fetched:
    assert found.fetch is not None  # noqa: S101  run_connector has refused the others
    return await found.fetch(partial(fetch, policy=policy), options)


def _file_bytes(file: Path) -> bytes:
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            raise BadRequest(
                "The file is above 64 MiB.", place=file.name, hint="Give one recorded answer of the source."
            )
        return file.read_bytes()
    except OSError as error:
        raise NotFound(f"The file cannot be read: {error.strerror}.", place=file.name) from None


def _short(error: LakouError) -> str:
    return " ".join(part for part in (error.message, f"[{error.place}]" if error.place else "") if part)[:300]
