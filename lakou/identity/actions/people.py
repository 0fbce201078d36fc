"""Writes on people: making one, granting and ending roles, taking away a second factor, ending sessions.

`by` is the person who acts, None for the command line. Who may do it is decided before (`policy/`); here stands
what must hold whoever asks.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from lakou.identity import acts, queries
from lakou.identity.models import Invitation, Organisation, Person, PersonRole, RoleGrant
from lakou.kernel.errors import BadRequest, Conflict, NotFound


@transaction.atomic
def create_person(
    *,
    email: str,
    name: str = "",
    password: str | None = None,
    by: Person | None = None,
    now: datetime | None = None,
) -> Person:
    """Make a person whose address counts as verified: an administrator knows them. Without password, no log-in by one.

    Raises BadRequest for a bad address or password, Conflict when the address is taken.
    """
    address = checked_email(email)
    if Person.objects.filter(email=address).exists():
        raise _taken()
    person = Person(email=address, name=" ".join(name.split())[:120], joined=now or datetime.now(UTC))
    put_password(person, password)
    try:
        with transaction.atomic():
            person.save()
    except IntegrityError:
        raise _taken() from None
    EmailAddress.objects.create(user=person, email=address, verified=True, primary=True)
    acts.note("person.created", actor=acts.actor_of(by), subject=acts.person(person.pk), now=now)
    return person


@transaction.atomic
def change_name(*, person: Person, name: str, by: Person | None = None, now: datetime | None = None) -> None:
    """Give a person another name; an empty one is allowed."""
    given = " ".join(name.split())[:120]
    if given == person.name:
        return
    person.name = given
    person.save(update_fields=["name"])
    _note_change(person, "name", by, now)


@transaction.atomic
def ask_for_address(*, person: Person, email: str) -> EmailAddress:
    """Note the address that a person wants, unconfirmed, in place of one asked for before. Nothing changes yet.

    Whether it is somebody else's is not told here: only who reads its mail learns that, at the confirmation.
    Raises BadRequest for what is no address, Conflict for the one they have.
    """
    address = checked_email(email)
    if address == person.email:
        raise Conflict("This is the address of the account already", place="address")
    drop_asked_address(person=person)
    return EmailAddress.objects.create(user=person, email=address)


def drop_asked_address(*, person: Person) -> None:
    """Forget the address that was asked for; its link works no more."""
    queries.asked_addresses(person).delete()


@transaction.atomic
def change_address(*, person: Person, email: str, by: Person | None = None, now: datetime | None = None) -> None:
    """Make this the address of a person: they have confirmed it, or an administrator knows it to be theirs.

    Links for a new password that are on their way to the old one stop. Raises BadRequest for what is no address,
    Conflict when somebody else has it.
    """
    address = checked_email(email)
    must_be_free(person=person, email=address)
    if address == person.email:
        return
    EmailAddress.objects.filter(user=person).delete()
    person.email = address
    try:
        with transaction.atomic():
            person.save(update_fields=["email"])
            EmailAddress.objects.create(user=person, email=address, verified=True, primary=True)
    except IntegrityError:  # somebody else took it at the same time
        raise _taken() from None
    Invitation.objects.filter(person=person, used__isnull=True, withdrawn__isnull=True).update(
        withdrawn=now or datetime.now(UTC)
    )
    _note_change(person, "email", by, now)


@transaction.atomic
def set_password(*, person: Person, password: str, by: Person | None = None, now: datetime | None = None) -> None:
    """Give a person a password; every open session of theirs ends. Raises BadRequest for a weak one."""
    put_password(person, password)
    person.save(update_fields=["password"])
    acts.note("password.changed", actor=acts.actor_of(by), subject=acts.person(person.pk), now=now)


@transaction.atomic
def grant_role(
    *,
    person: Person,
    organisation: Organisation,
    role: str,
    territory: str = "",
    by: Person | None = None,
    now: datetime | None = None,
) -> RoleGrant:
    """Give a person a role in an organisation, on a territory or on all of it. What is held already stays as it is.

    Raises BadRequest for a role that does not exist.
    """
    checked_role(role)
    held = RoleGrant.objects.filter(
        person=person, organisation=organisation, territory=territory, role=role, ended_at__isnull=True
    ).first()
    if held is not None:
        return held
    at = now or datetime.now(UTC)
    made = RoleGrant(
        person=person, organisation=organisation, territory=territory, role=role, granted_by=by, granted_at=at
    )
    try:
        with transaction.atomic():
            made.save()
    except IntegrityError:  # somebody else granted it at the same time
        return RoleGrant.objects.get(
            person=person, organisation=organisation, territory=territory, role=role, ended_at__isnull=True
        )
    _note_role("role.granted", made, by, now)
    return made


@transaction.atomic
def end_role(*, grant: RoleGrant, by: Person | None = None, now: datetime | None = None) -> RoleGrant:
    """End a role; ending twice keeps the first time.

    Raises Conflict for the last administrator of the host: nobody could look after the site any more.
    """
    must_leave_an_administrator([grant])
    held = RoleGrant.objects.select_for_update(of=("self",)).select_related("organisation").get(pk=grant.pk)
    if held.ended_at is not None:
        return held
    held.ended_at = now or datetime.now(UTC)
    held.ended_by = by
    held.save(update_fields=["ended_at", "ended_by"])
    _note_role("role.ended", held, by, now)
    return held


@transaction.atomic
def close_account(*, person: Person, by: Person | None = None, now: datetime | None = None) -> None:
    """Close the account of who has left: no log-in, no role holds, sessions and printed codes end. Rows stay.

    Raises Conflict for the last administrator of the host.
    """
    must_leave_an_administrator(queries.active_grants(person, now))
    person.is_active = False
    person.save(update_fields=["is_active"])
    queries.codes_left(person).update(withdrawn=now or datetime.now(UTC))
    end_sessions(person=person, sessions=UserSession.objects.filter(user=person), by=by, now=now)
    acts.note("person.closed", actor=acts.actor_of(by), subject=acts.person(person.pk), now=now)


@transaction.atomic
def reopen_account(*, person: Person, by: Person | None = None, now: datetime | None = None) -> None:
    """Open a closed account again: the roles that were not ended hold again, printed codes do not."""
    person.is_active = True
    person.save(update_fields=["is_active"])
    acts.note("person.reopened", actor=acts.actor_of(by), subject=acts.person(person.pk), now=now)


@transaction.atomic
def reset_second_factor(*, person: Person, by: Person | None = None, now: datetime | None = None) -> int:
    """Take every second factor away from a person who has lost theirs, and end their sessions; how many factors."""
    factors = Authenticator.objects.filter(user=person)
    kinds = sorted(factors.values_list("type", flat=True))
    factors.delete()
    end_sessions(person=person, sessions=UserSession.objects.filter(user=person), by=by, now=now)
    acts.note(
        "second_factor.reset",
        actor=acts.actor_of(by),
        subject=acts.person(person.pk),
        detail={"removed": ", ".join(kinds)},
        now=now,
    )
    return len(kinds)


@transaction.atomic
def end_sessions(
    *, person: Person, sessions: Iterable[UserSession], by: Person | None = None, now: datetime | None = None
) -> int:
    """End these sessions of a person: the next request of each is that of somebody who is not logged in."""
    ended = 0
    for session in sessions:
        session.end()
        ended += 1
    if ended:
        acts.note(
            "session.ended",
            actor=acts.actor_of(by),
            subject=acts.person(person.pk),
            detail={"sessions": ended},
            now=now,
        )
    return ended


def must_be_free(*, person: Person, email: str) -> None:
    """Raises Conflict for an address that somebody other than this person has."""
    others = EmailAddress.objects.exclude(user=person).filter(email=email, verified=True)
    if others.exists() or Person.objects.exclude(pk=person.pk).filter(email=email).exists():
        raise _taken()


def _taken() -> Conflict:
    return Conflict("There is a person with this address already", place="email", hint="see: lakou user list")


def checked_email(email: str) -> str:
    """The address in lower case. Raises BadRequest when it is none."""
    address = email.strip().lower()
    try:
        validate_email(address)
    except ValidationError:
        raise BadRequest("This is no e-mail address", place="email", hint="name@example.org") from None
    if len(address) > 254:
        raise BadRequest("This e-mail address is too long", place="email", hint="at most 254 characters")
    return address


def checked_role(role: str) -> None:
    """Raises BadRequest for a role that does not exist."""
    if role not in PersonRole.values:
        raise BadRequest(f"There is no role {role!r}", place="role", hint="one of: " + ", ".join(PersonRole.values))


def put_password(person: Person, password: str | None) -> None:
    """Check a password by the site's rules and put its hash on the person, unsaved. Raises BadRequest."""
    if password is None:
        person.set_unusable_password()
        return
    try:
        validate_password(password, person)
    except ValidationError as error:
        raise BadRequest(" ".join(error.messages), place="password", hint="choose a longer, less usual one") from None
    person.set_password(password)


def named_person(email: str) -> Person:
    """The person with this address. Raises NotFound."""
    person = queries.person_by_email(email)
    if person is None:
        raise NotFound("There is no person with this address", place="email", hint="see: lakou user list")
    return person


def must_leave_an_administrator(ending: Iterable[RoleGrant]) -> None:
    """Raises Conflict when these are all that administers the whole host: nobody could look after the site any more."""
    ending = [grant for grant in ending if grant.role == PersonRole.ADMINISTRATOR]
    # Locked, for the host may be handed on meanwhile; in one order, as in `organisations.hand_on_host`.
    where = {grant.organisation_id for grant in ending}
    locked = list(Organisation.objects.select_for_update(no_key=True).filter(pk__in=where).order_by("pk"))
    host = next((organisation for organisation in locked if organisation.is_host), None)
    if host is None:
        return
    # All rows in one order, so that two who end one another's role at once do not both succeed.
    holders = RoleGrant.objects.select_for_update(of=("self",)).filter(
        organisation=host, role=PersonRole.ADMINISTRATOR, ended_at__isnull=True, person__is_active=True
    )
    numbers = {grant.pk for grant in ending}
    held = list(holders.order_by("pk"))
    lost = [grant for grant in held if grant.pk in numbers]
    left = [grant for grant in held if grant.pk not in numbers]
    if _of_the_whole(left) or not lost or (left and not _of_the_whole(lost)):
        return
    raise Conflict(
        "This is the last administrator of the organisation that runs the site",
        place="role",
        hint="make another administrator first",
        code="last_administrator",
    )


def _of_the_whole(grants: Iterable[RoleGrant]) -> bool:
    """Whether one of these holds on all of the organisation's territory."""
    return any(not grant.territory for grant in grants)


def _note_change(person: Person, what: str, by: Person | None, now: datetime | None) -> None:
    acts.note(
        "person.changed",
        actor=acts.actor_of(by),
        subject=acts.person(person.pk),
        detail={"what": what},
        now=now,
    )


def _note_role(act: str, grant: RoleGrant, by: Person | None, now: datetime | None) -> None:
    acts.note(
        act,
        actor=acts.actor_of(by),
        subject=acts.person(grant.person_id),
        organisation=grant.organisation_id,
        detail={"role": grant.role, "territory": grant.territory},
        now=now,
    )
