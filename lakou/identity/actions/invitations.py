"""Writes on invitations: links that work once, within seven days, to join with a role or to set a new password.

A link that is wrong, used, withdrawn or too old is refused with the same words: a guess learns nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django.db import transaction

from lakou.identity import acts, handed_over
from lakou.identity.actions import people
from lakou.identity.models import Invitation, Organisation, Person
from lakou.kernel.errors import Conflict, NotFound

VALID_FOR = timedelta(days=7)


class NewInvitation(NamedTuple):
    """An invitation and its secret. The secret exists only here: it is handed over once and never stored."""

    invitation: Invitation
    secret: str


@transaction.atomic
def invite(
    *,
    email: str,
    organisation: Organisation,
    role: str,
    territory: str = "",
    by: Person | None = None,
    now: datetime | None = None,
) -> NewInvitation:
    """Invite somebody into an organisation with a role. An older open invitation to the same is withdrawn.

    Raises BadRequest for a bad address or role.
    """
    address = people.checked_email(email)
    people.checked_role(role)
    at = now or datetime.now(UTC)
    Invitation.objects.filter(
        email=address, organisation=organisation, role=role, territory=territory, used__isnull=True
    ).update(withdrawn=at)
    secret = handed_over.make_invitation()
    made = Invitation.objects.create(
        email=address,
        organisation=organisation,
        territory=territory,
        role=role,
        sha256=handed_over.digest(secret),
        invited_by=by,
        created=at,
        expires=at + VALID_FOR,
    )
    acts.note(
        "person.invited",
        actor=acts.actor_of(by),
        subject=f"organisation:{organisation.pk}",
        organisation=organisation.pk,
        detail={"role": role, "invitation": made.pk},
        now=now,
    )
    return NewInvitation(made, secret)


@transaction.atomic
def make_password_link(*, person: Person, by: Person | None = None, now: datetime | None = None) -> NewInvitation:
    """A link by which a person sets a new password, once. Older ones are withdrawn; the second factor stays."""
    at = now or datetime.now(UTC)
    Invitation.objects.filter(person=person, used__isnull=True).update(withdrawn=at)
    secret = handed_over.make_invitation()
    made = Invitation.objects.create(
        email=person.email,
        person=person,
        sha256=handed_over.digest(secret),
        invited_by=by,
        created=at,
        expires=at + VALID_FOR,
    )
    acts.note(
        "password.link_made",
        actor=acts.actor_of(by),
        subject=acts.person(person.pk),
        now=now,
    )
    return NewInvitation(made, secret)


def find(secret: str, *, now: datetime | None = None) -> Invitation:
    """The invitation that this secret opens. Raises NotFound when it opens none any more."""
    return _valid(secret, now or datetime.now(UTC), lock=False)


@transaction.atomic
def accept(*, secret: str, name: str, password: str, now: datetime | None = None) -> Person:
    """Join by an invitation as somebody new, with a name and a password; or set the new password it is for.

    Raises NotFound for a link that does not work (any more), BadRequest for a weak password, and Conflict when the
    address already is somebody's: they log in first and use `accept_as`.
    """
    at = now or datetime.now(UTC)
    invitation = _valid(secret, at, lock=True)
    if invitation.person is not None:
        _use(invitation, invitation.person, at)
        people.set_password(person=invitation.person, password=password, by=invitation.person, now=now)
        return invitation.person
    if Person.objects.filter(email=invitation.email).exists():
        raise Conflict("This address already has an account", place="email", hint="log in, then open the link again")
    person = people.create_person(
        email=invitation.email, name=name, password=password, by=invitation.invited_by, now=now
    )
    _join(invitation, person, at)
    return person


@transaction.atomic
def accept_as(*, secret: str, person: Person, now: datetime | None = None) -> Person:
    """Join by an invitation as somebody who has an account and is logged in. Raises NotFound, or for another's link."""
    at = now or datetime.now(UTC)
    invitation = _valid(secret, at, lock=True)
    if invitation.organisation is None or invitation.email != person.email:
        raise _no_such_link()
    _join(invitation, person, at)
    return person


@transaction.atomic
def withdraw(*, invitation: Invitation, by: Person | None = None, now: datetime | None = None) -> None:
    """Make an invitation that nobody has used yet useless."""
    at = now or datetime.now(UTC)
    done = Invitation.objects.filter(pk=invitation.pk, used__isnull=True, withdrawn__isnull=True).update(withdrawn=at)
    if done:
        acts.note(
            "person.invitation_withdrawn",
            actor=acts.actor_of(by),
            subject=f"organisation:{invitation.organisation_id}",
            organisation=invitation.organisation_id,
            detail={"invitation": invitation.pk},
            now=now,
        )


def _valid(secret: str, at: datetime, *, lock: bool) -> Invitation:
    rows = Invitation.objects.select_for_update(of=("self",)) if lock else Invitation.objects.all()
    found = (
        rows.select_related("person", "organisation", "invited_by")
        .filter(sha256=handed_over.digest(secret), used__isnull=True, withdrawn__isnull=True, expires__gt=at)
        .first()
    )
    if found is None or (found.person is not None and not found.person.is_active):
        raise _no_such_link()
    return found


def _join(invitation: Invitation, person: Person, at: datetime) -> None:
    assert invitation.organisation is not None  # noqa: S101
    _use(invitation, person, at)
    people.grant_role(
        person=person,
        organisation=invitation.organisation,
        role=invitation.role,
        territory=invitation.territory,
        by=invitation.invited_by,
        now=at,
    )


def _use(invitation: Invitation, person: Person, at: datetime) -> None:
    invitation.used = at
    invitation.save(update_fields=["used"])
    acts.note(
        "invitation.used",
        actor=acts.person(person.pk),
        subject=acts.person(person.pk),
        detail={"invitation": invitation.pk},
        now=at,
    )


def _no_such_link() -> NotFound:
    return NotFound(
        "This link does not work, or not any more", place="invitation", hint="ask the administrator for a new one"
    )
