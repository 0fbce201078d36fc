"""Giving a person what is held about them, and erasing it (RGPD, articles 15, 17 and 20).

Erased is the account: name, addresses, password, factors, printed codes, sessions, roles and invitations. What stays
names nobody: the journal holds `person:<number>`, and a number is never given again. Tokens are an organisation's:
those that the person made keep working for it.
"""

from __future__ import annotations

from datetime import datetime

from allauth.account.internal.stagekit import LOGIN_SESSION_KEY
from allauth.account.models import EmailAddress
from allauth.account.utils import user_pk_to_url_str
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Q

from lakou.identity import acts, personal_data, queries
from lakou.identity.actions import people
from lakou.identity.models import Invitation, Person, RoleGrant


@transaction.atomic
def export_person(*, person: Person, by: Person | None = None, now: datetime | None = None) -> personal_data.Document:
    """All that is held about a person; the journal, not the document, tells of this act."""
    document = personal_data.held_about(person, now)
    acts.note("person.exported", actor=acts.actor_of(by), subject=acts.person(person.pk), now=now)
    return document


@transaction.atomic
def erase_person(*, person: Person, by: Person | None = None, now: datetime | None = None) -> bool:
    """Erase a person; whether there was anybody. Roles that hold are ended first: the journal says so.

    Raises Conflict for the last administrator of the host.
    """
    number = person.pk
    found = Person.objects.select_for_update().filter(pk=number).first()
    if found is None:
        return False
    held = RoleGrant.objects.filter(person=found, ended_at__isnull=True)
    people.must_leave_an_administrator(held)
    _end_log_ins(found)  # before the first row of the journal, for whose end others wait
    ended = [people.end_role(grant=grant, by=by, now=now) for grant in held]
    sessions = people.end_sessions(person=found, sessions=UserSession.objects.filter(user=found), by=by, now=now)
    # An address that nobody confirmed may be another's, and so may the invitations to it.
    addresses = list(EmailAddress.objects.filter(user=found, verified=True).values_list("email", flat=True))
    invitations = Invitation.objects.filter(Q(email__in=addresses) | Q(person=found))
    detail = {"roles": len(ended), "sessions": sessions, "invitations": invitations.count()}
    invitations.delete()
    # What they did to others stays done; the journal says by whom.
    Invitation.objects.filter(invited_by=found).update(invited_by=None)
    RoleGrant.objects.filter(granted_by=found).update(granted_by=None)
    RoleGrant.objects.filter(ended_by=found).update(ended_by=None)
    RoleGrant.objects.filter(person=found).delete()
    found.delete()  # and with it addresses, factors, codes and the list of sessions
    acts.note(
        "person.erased",
        actor=acts.actor_of(by),
        subject=acts.person(number),
        detail=detail,
        now=now,
    )
    return True


@transaction.atomic
def erase_address(*, email: str, by: Person | None = None, now: datetime | None = None) -> int:
    """Erase the invitations to an address that has no account; how many there were."""
    address = people.checked_email(email)
    if queries.person_by_email(address) is not None:
        return 0
    erased, _ = Invitation.objects.filter(email=address).delete()
    if erased:
        acts.note("person.erased", actor=acts.actor_of(by), detail={"invitations": erased}, now=now)
    return erased


def _end_log_ins(person: Person) -> None:
    """End log-ins of this person that wait for a second factor or a confirmed address: such a session names them."""
    number = user_pk_to_url_str(person)
    for session in Session.objects.iterator():
        if session.get_decoded().get(LOGIN_SESSION_KEY, {}).get("user_pk") == number:
            session.delete()
