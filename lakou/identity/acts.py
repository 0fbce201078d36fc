"""The one place through which every act worth a trace goes: log-ins, roles, invitations, second factors, passwords.

Nothing that names a person stands in an act but `person:<number>`; no address, no secret, no text of a form.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal

import structlog

Outcome = Literal["success", "failure"]

COMMAND_LINE = "command-line"
ANONYMOUS = "anonymous"
# What somebody should look at soon, whoever did it.
LOUD = frozenset({"break_glass.used", "break_glass.refused"})

GATHER_S = 10.0
MOST_GATHERED = 1_000
# (act, subject) → when it was last told (monotonic), and how many there were since.
_gathered: dict[tuple[str, str], tuple[float, int]] = {}
_lock = threading.Lock()

log = structlog.get_logger(__name__)


def note(
    act: str,
    *,
    actor: str,
    subject: str = "",
    outcome: Outcome = "success",
    detail: Mapping[str, str | int] = {},
    now: datetime | None = None,
) -> None:
    """Leave a trace. `actor` and `subject` are `person:<number>`, `organisation:<number>` or a word from above."""
    tell = log.warning if act in LOUD else log.info
    tell(
        act,
        actor=actor,
        subject=subject,
        outcome=outcome,
        detail=dict(detail),
        at=(now or datetime.now(UTC)).isoformat(),
    )


def note_gathered(act: str, *, subject: str = "", detail: Mapping[str, str | int] = {}) -> None:
    """A refusal that anybody can cause without end: told at once, then every `GATHER_S` with how many there were.

    Else a stranger could fill the disk with traces. Each process counts for itself.
    """
    key = (act, subject)
    with _lock:
        told_at, waiting = _gathered.get(key, (-GATHER_S, 0))
        is_due = time.monotonic() - told_at >= GATHER_S
        if len(_gathered) >= MOST_GATHERED:
            _gathered.clear()
        _gathered[key] = (time.monotonic(), 0) if is_due else (told_at, waiting + 1)
    if is_due:
        note(act, actor=ANONYMOUS, subject=subject, outcome="failure", detail={**detail, "attempts": waiting + 1})


def person(number: int | None) -> str:
    """How a trace names a person; without a number, somebody who is not logged in."""
    return ANONYMOUS if number is None else f"person:{number}"
