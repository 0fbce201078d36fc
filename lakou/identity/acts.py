"""The one place through which every act worth a trace goes: log-ins, roles, invitations, second factors, passwords.

Nothing that names a person stands in an act but `person:<number>`; no address, no secret, no text of a form.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal

import structlog

Outcome = Literal["success", "failure"]

COMMAND_LINE = "command-line"
ANONYMOUS = "anonymous"
# What somebody should look at soon, whoever did it.
LOUD = frozenset({"break_glass.used", "break_glass.refused"})

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


def person(number: int | None) -> str:
    """How a trace names a person; without a number, somebody who is not logged in."""
    return ANONYMOUS if number is None else f"person:{number}"
