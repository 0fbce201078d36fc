"""Every write of connectors: take the lease of a run, record how it went."""

from __future__ import annotations

import os
import socket
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from lakou.connectors.connector import connector
from lakou.connectors.models import ConnectorRun, ConnectorState
from lakou.connectors.running import RunResult

KEPT_RUNS = 200


def holder() -> str:
    """How this process signs a lease."""
    return f"{socket.gethostname()[:28]}:{os.getpid()}"


def take_lease(*, name: str, holder: str, now: datetime, lasts: timedelta, scheduled: bool = True) -> bool:
    """True when `holder` may run the connector now: no other process does, and (if scheduled) it is due.

    One UPDATE decides, so two processes cannot both be told yes. A lease left by a dead process of this machine does
    not count; one of another machine ends by itself.
    Raises NotFound for an unknown connector.
    """
    state, _ = ConnectorState.objects.get_or_create(name=connector(name).meta.name)
    free = Q(leased_until=None) | Q(leased_until__lte=now)
    if _is_gone(state.holder):
        free |= Q(holder=state.holder)
    due = Q(due=None) | Q(due__lte=now) if scheduled else Q()
    taken = ConnectorState.objects.filter(free, due, name=name).update(holder=holder, leased_until=now + lasts)
    return taken == 1


def _is_gone(signed: str) -> bool:
    """Whether a lease was signed by a process of this machine that is no longer there."""
    host, _, number = signed.rpartition(":")
    if host != socket.gethostname()[:28] or not number.isdecimal():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except OSError:  # it is there and belongs to somebody else
        return False
    return False


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
