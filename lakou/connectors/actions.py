"""Every write of connectors: run one on a person's word, take the lease of a run, record how it went."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models import Q

from lakou.connectors import queries
from lakou.connectors.civic import off_the_loop
from lakou.connectors.configuration import settings
from lakou.connectors.connector import connector
from lakou.connectors.entities import Entities, SensorThings
from lakou.connectors.models import ConnectorRun, ConnectorState
from lakou.connectors.running import RunResult, run
from lakou.connectors.scheduler import RUN_TIMEOUT_S
from lakou.kernel.errors import Conflict
from lakou.sensorthings.access import ADMIN, Principal

KEPT_RUNS = 200


async def run_connector(
    name: str,
    file: Path | None = None,
    *,
    service: SensorThings,
    tables: Mapping[str, Any] | None = None,
    principal: Principal = ADMIN,
) -> RunResult:
    """Run a connector once, whether or not it is enabled or due: from its source, or from a recorded `file`.

    `tables` is the part `connectors` of the configuration. A run from the source is recorded and needs Django
    loaded and migrated. How it went is in the result; raises only for a wrong call: NotFound (no such connector
    or file), BadRequest (a pushing source without a file, a wrong setting), Conflict (another process runs it).
    """
    found, set_up = connector(name), settings(tables or {})
    once = partial(
        run,
        name,
        entities=Entities(service, set_up.max_unclaimed),
        principal=principal,
        options=set_up.options[name],
        policy=set_up.policy,
    )
    if file is not None or found.fetch is None:
        # A recorded document says nothing of how the source is doing.
        return await once(file=file)
    started, own = datetime.now(UTC), holder()
    lasts = timedelta(seconds=RUN_TIMEOUT_S)
    if not await off_the_loop(lambda: take_lease(name=name, holder=own, now=started, lasts=lasts, scheduled=False)):
        raise Conflict("Another process is running this connector.", place=name, hint="Try again in two minutes.")
    result = await once()
    failures = await off_the_loop(lambda: queries.failures_of(name)) + 1 if result.outcome == "failed" else 0
    await off_the_loop(lambda: record_run(result=result, started=started, due=None, failures=failures, holder=own))
    return result


def holder() -> str:
    """How this process signs a lease."""
    return f"{socket.gethostname()[:28]}:{os.getpid()}"


def take_lease(*, name: str, holder: str, now: datetime, lasts: timedelta, scheduled: bool = True) -> bool:
    """True when `holder` may run the connector now: no other process does, and (if scheduled) it is due.

    One UPDATE decides, so two processes cannot both be told yes. A lease left by a dead process ends by itself.
    """
    ConnectorState.objects.get_or_create(name=name)
    free = Q(leased_until=None) | Q(leased_until__lte=now)
    due = Q(due=None) | Q(due__lte=now) if scheduled else Q()
    taken = ConnectorState.objects.filter(free, due, name=name).update(holder=holder, leased_until=now + lasts)
    return taken == 1


@transaction.atomic
def record_run(*, result: RunResult, started: datetime, due: datetime | None, failures: int, holder: str) -> None:
    """Write down a run, set when the next one is due, give the lease back and drop the oldest runs."""
    state, _ = ConnectorState.objects.select_for_update().get_or_create(name=result.name)
    state.last_run = started
    state.last_count = result.count
    state.last_error = result.error
    state.failures = failures
    state.due = due
    if result.outcome == "ok":
        state.last_success = started
    if state.holder == holder:
        state.holder, state.leased_until = "", None
    state.save()
    ConnectorRun.objects.create(
        connector=state,
        started=started,
        duration_ms=round(result.duration_s * 1000),
        outcome=result.outcome,
        count=result.count,
        refused=result.refused,
        error=result.error,
    )
    oldest_kept = state.runs.order_by("-id").values_list("id", flat=True)[KEPT_RUNS - 1 : KEPT_RUNS].first()
    if oldest_kept is not None:
        state.runs.filter(id__lt=oldest_kept).delete()
