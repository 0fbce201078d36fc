"""The one place through which acts of people go into the journal: log-ins, roles, invitations, factors, passwords.

Nothing that names a person stands in an act but `person:<number>`; no address of mail, no secret, no text of a form.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog
from allauth.core import context as allauth_context
from django.db import transaction

from lakou.identity import mail, policy, queries
from lakou.identity.journal import actions as journal
from lakou.identity.journal.actions import Detail, Outcome
from lakou.identity.journal.acts import ACTS
from lakou.identity.policy import Actor, ActorKind

if TYPE_CHECKING:
    from lakou.identity.models import Person

COMMAND_LINE = "command-line"
ANONYMOUS = "anonymous"
# What somebody should look at soon, whoever did it: told in the log too.
LOUD = frozenset({"break_glass.used", "break_glass.refused"})
# What a stranger would do first who has got into an account: its person is told by mail.
TOLD = frozenset(
    {
        "password.changed",
        "second_factor.added",
        "second_factor.removed",
        "second_factor.reset",
        "second_factor.renewed",
        "break_glass.used",
    }
)

GATHER_S = 10.0
MOST_GATHERED = 1_000
# (act, subject) → when it was last told (monotonic), and how many there were since.
_gathered: dict[tuple[str, str], tuple[float, int]] = {}
_lock = threading.Lock()
_operator = policy.system()
_NOTHING: Detail = {}

log = structlog.get_logger(__name__)


def work_as(operator: Actor) -> None:
    """Who stands behind `COMMAND_LINE` in this process: whoever has called the command."""
    global _operator
    _operator = operator


def note(
    act: str,
    *,
    actor: str,
    subject: str = "",
    organisation: int | None = None,
    outcome: Outcome = "success",
    detail: Detail = _NOTHING,
    now: datetime | None = None,
) -> None:
    """Leave a row, in the transaction that is open. Call it last there: who writes next waits for its end.

    `actor` and `subject` are `person:<number>`, `organisation:<number>` or a word from above.
    """
    journal.record(
        act=act,
        actor=_actor(actor),
        subject=subject,
        organisation=organisation,
        outcome=outcome,
        detail=detail,
        address=_address(),
        now=now,
    )
    if act in LOUD:
        log.warning(act, actor=actor, subject=subject, outcome=outcome, detail=dict(detail))
    if act in TOLD and outcome == "success":
        at, address = now or datetime.now(UTC), _address()
        # The act is done: who did it must not see an error because nobody could be told.
        transaction.on_commit(lambda: _tell(act, subject, at, address), robust=True)


def note_gathered(act: str, *, subject: str = "", detail: Detail = _NOTHING) -> None:
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


def actor_of(by: Person | None) -> str:
    """How a trace names who acts; without anybody, the command line."""
    return COMMAND_LINE if by is None else person(by.pk)


def _actor(word: str) -> Actor:
    """The actor that a word of a trace stands for."""
    if word == COMMAND_LINE:
        return _operator
    kind, _, number = word.partition(":")
    return Actor(ActorKind.PERSON, int(number), word) if kind == "person" else policy.ANONYMOUS


def _tell(act: str, subject: str, at: datetime, address: str | None) -> None:
    found = queries.people().filter(pk=int(subject.removeprefix("person:"))).first()
    if found is not None and found.email:
        mail.tell_of_act(email=found.email, words=ACTS[act].words, at=at, address=address)


def _address() -> str | None:
    """From where the request comes during which this happens; None at the command line."""
    request = allauth_context.request
    return None if request is None else request.META.get("REMOTE_ADDR")
