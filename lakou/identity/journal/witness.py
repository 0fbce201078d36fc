"""Bears witness to the acts of the data plane (implements `sensorthings.witness.Witness`), and to refusals everywhere.

`tell` writes what was committed into the journal, each act once: its key stands in the row, so that an act that is told
again after a crash is known. What anybody can cause without end is gathered (`gathering.py`) until `settle`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from django.db import connection, transaction

from lakou.identity import policy
from lakou.identity.journal import actions as journal
from lakou.identity.journal.gathering import Gathered, Gathering
from lakou.identity.journal.models import EPOCH, JournalHead, JournalRow
from lakou.identity.models import Token
from lakou.identity.policy import Actor, ActorKind
from lakou.identity.policy.deciding import PEOPLE_BELOW
from lakou.kernel import jsontext
from lakou.kernel.errors import Forbidden, LakouError, Unauthorized
from lakou.sensorthings.access import ADMIN, Principal
from lakou.sensorthings.witness import TAKEN, Act

REFUSED = "access.refused"
NAMED = 3
"""Subjects that stand in the row's own column; all of them are in its detail."""

_gathering = Gathering()


class JournalWitness:
    """The journal, as the data plane sees it."""

    def tell(self, acts: Sequence[Act]) -> None:
        """Append a row for each act that the journal does not have yet. Blocks on the database."""
        try:
            with transaction.atomic():
                JournalHead.objects.select_for_update().get(pk=1)  # others who tell the same wait here
                known = _known(acts)
                organisations = _organisations({act.actor for act in acts})
                for act in acts:
                    if act.key not in known:
                        _append(act, organisations.get(act.actor))
        finally:
            _let_go()

    def note_refusal(self, principal: Principal | None, error: LakouError, address: str | None, part: str) -> None:
        """Count a refusal; `principal` None for a token that is not valid."""
        note_refusal(None if principal is None else _actor(principal.id, principal.name), error, address, part)

    def note_taken(self, principal: Principal, form: str, size: int, address: str | None) -> None:
        """Count a file that was taken away."""
        actor = _actor(principal.id, principal.name)
        _gathering.gather(TAKEN, actor, why=form, part="sensorthings", address=address, size=size)

    def is_due(self) -> bool:
        """Whether something that was counted has to be written down now."""
        return _gathering.is_due()

    def settle(self, *, last: bool = False) -> None:
        """Write down what was counted. Blocks on the database; what could not be written counts again."""
        taken = _gathering.take(last=last)
        if not taken:
            return
        try:
            with transaction.atomic():
                for one in taken:
                    _append_gathered(one)
        except BaseException:
            _gathering.give_back(taken)
            raise
        finally:
            _let_go()


def note_refusal(actor: Actor | None, error: LakouError, address: str | None, part: str) -> None:
    """Count that somebody who showed who they are was refused; None: what they showed is no token, or none any more.

    Who shows nothing is asked to, which is no act, and neither is another error. Never blocks.
    """
    if isinstance(error, Unauthorized) and actor is None:
        _gathering.gather(
            REFUSED, policy.ANONYMOUS, why=error.error_code, part=part, address=address, token=error.token
        )
    elif isinstance(error, Forbidden) and actor is not None and actor.kind is not ActorKind.ANONYMOUS:
        _gathering.gather(REFUSED, actor, why=error.error_code, part=part, address=address)


def _append(act: Act, organisation: int | None) -> None:
    shown = list(act.subjects[:NAMED])
    subject = ", ".join(shown) + (f", … ({len(act.subjects)})" if len(act.subjects) > NAMED else "")
    detail: dict[str, str | int | list[int]] = {**act.detail, **act.counts, "key": act.key}
    if len(act.subjects) > 1:
        detail |= _by_type(act.subjects)
    journal.record(
        act=act.act,
        actor=_actor(act.actor, act.name),
        subject=subject,
        organisation=organisation,
        detail=detail,
        address=act.address or None,
        now=EPOCH + timedelta(microseconds=act.at),
    )


def _by_type(subjects: Sequence[str]) -> dict[str, list[int]]:
    """{"Things": [7, 8]} of "Things(7)" and "Things(8)"."""
    found: dict[str, list[int]] = {}
    for subject in subjects:
        name, _, id_ = subject.rstrip(")").partition("(")
        found.setdefault(name, []).append(int(id_))
    return found


def _append_gathered(one: Gathered) -> None:
    detail: dict[str, str | int | list[str] | list[int]] = {"attempts": one.attempts, "why": one.kind.why}
    if one.kind.act == TAKEN:
        detail = {"files": one.attempts, "form": one.kind.why, "bytes": one.size}
    if len(one.addresses) > 1:
        detail["addresses"] = sorted(one.addresses)
    if one.tokens:
        detail["tokens"] = sorted(one.tokens)
    journal.record(
        act=one.kind.act,
        actor=one.actor,
        subject=one.kind.part,
        organisation=_organisations([one.actor.id]).get(one.actor.id) if one.actor.kind is ActorKind.TOKEN else None,
        outcome="success" if one.kind.act == TAKEN else "failure",
        detail=detail,
        address=next(iter(one.addresses)) if len(one.addresses) == 1 else None,
    )


def _known(acts: Sequence[Act]) -> set[str]:
    """The keys among these that rows of the journal hold; a row stands at the instant of its act."""
    found: set[str] = set()
    for detail in JournalRow.objects.filter(at_us__in={act.at for act in acts}).values_list("detail", flat=True):
        held = jsontext.decode(detail)
        if isinstance(held, dict) and isinstance(key := held.get("key"), str):
            found.add(key)
    return found


def _organisations(numbers: Iterable[int]) -> dict[int, int]:
    """Whose these tokens are, by number."""
    wanted = {number for number in numbers if number > 0}
    if not wanted:
        return {}
    tokens = Token.objects.filter(pk__in=wanted, organisation__isnull=False)
    return dict(tokens.values_list("pk", "organisation"))


def _actor(number: int, name: str) -> Actor:
    """Who stands behind the number of a principal."""
    if number == ADMIN.id:
        return policy.system()
    if number <= PEOPLE_BELOW:
        person = PEOPLE_BELOW - number
        return Actor(ActorKind.PERSON, person, f"person:{person}")
    return Actor(ActorKind.TOKEN, number, name) if number > 0 else policy.ANONYMOUS


def _let_go() -> None:
    """This runs on any thread of a pool: none of them keeps a connection for it."""
    if not connection.in_atomic_block:
        connection.close()
