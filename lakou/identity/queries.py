"""Every read of identity worth a name."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import NamedTuple

from allauth.account.models import EmailAddress
from django.db.models import Q, QuerySet

from lakou.identity.models import BreakGlassCode, Epoch, Invitation, Organisation, Person, PersonRole, RoleGrant, Token


def current_epoch() -> int:
    """The number of the last change of any token; 0 when nothing was ever changed."""
    return Epoch.objects.values_list("value", flat=True).filter(pk=1).first() or 0


def tokens_changed_since(epoch: int) -> QuerySet[Token]:
    """Tokens changed after this epoch, with the scopes they read and what they were given."""
    return Token.objects.filter(epoch__gt=epoch).prefetch_related("reads", "grants")


def tokens() -> QuerySet[Token]:
    """All tokens by name, revoked ones too."""
    return Token.objects.select_related("home", "organisation").prefetch_related("reads", "grants")


def token(number: int) -> Token | None:
    """One token by its number, with what it reads and what it was given."""
    return tokens().filter(pk=number).first()


def tokens_of(organisations: Collection[Organisation]) -> QuerySet[Token]:
    """The tokens of these organisations; those that name none are the host's."""
    of_host = Q(organisation=None) if any(one.is_host for one in organisations) else Q()
    return Token.objects.filter(Q(organisation__in=organisations) | of_host)


def valid_tokens(now: datetime) -> QuerySet[Token]:
    """Tokens that are neither revoked nor over."""
    return Token.objects.filter(Q(expires=None) | Q(expires__gt=now), revoked=None)


class ActiveRole(NamedTuple):
    """A role that holds now: the number of the organisation, the territory ("" is all of it), the role."""

    organisation: int
    territory: str
    role: PersonRole


def active_grants(person: Person, now: datetime | None = None) -> QuerySet[RoleGrant]:
    """The grants of a person that hold at `now`, with their organisations; none for who is not active."""
    at = now or datetime.now(UTC)
    return RoleGrant.objects.filter(
        Q(ended_at__isnull=True) | Q(ended_at__gt=at), person=person, person__is_active=True, granted_at__lte=at
    ).select_related("organisation")


def active_roles(person: Person, now: datetime | None = None) -> frozenset[ActiveRole]:
    """What a person is at `now`, in which organisation and on which territory."""
    return frozenset(
        ActiveRole(grant.organisation_id, grant.territory, PersonRole(grant.role))
        for grant in active_grants(person, now)
    )


def person_by_email(email: str) -> Person | None:
    """The person with this address, whatever its case."""
    return Person.objects.filter(email=email.strip().lower()).first()


def names_of(numbers: Collection[int]) -> dict[int, str]:
    """The names that these people have today, by their numbers; never an address."""
    return dict(Person.objects.filter(pk__in=numbers).values_list("pk", "name"))


def people() -> QuerySet[Person]:
    """Everybody, by name."""
    return Person.objects.all()


def people_listed(administrator: Person, sought: str) -> QuerySet[Person]:
    """Whom this administrator sees: all at the host, else who holds or held a role in an organisation of theirs.

    `sought` is a part of a name or an address.
    """
    found = Person.objects.all()
    if not _administers_host(administrator):
        found = found.filter(grants__organisation__in=organisations_of_administrator(administrator)).distinct()
    if sought:
        found = found.filter(Q(name__icontains=sought) | Q(email__icontains=sought))
    return found


def roles_within(person: Person, organisations: QuerySet[Organisation]) -> list[RoleGrant]:
    """The roles that a person holds in these organisations."""
    return list(active_grants(person).filter(organisation__in=organisations))


def past_roles_within(person: Person, organisations: QuerySet[Organisation]) -> list[RoleGrant]:
    """The roles of a person in these organisations that have ended, the last one first."""
    ended = RoleGrant.objects.filter(person=person, organisation__in=organisations, ended_at__isnull=False)
    return list(ended.select_related("organisation", "ended_by").order_by("-ended_at"))


def organisations_of_administrator(person: Person) -> QuerySet[Organisation]:
    """The organisations that this person administers: all for an administrator of the host."""
    if _administers_host(person):
        return Organisation.objects.all()
    administered = active_grants(person).filter(role=PersonRole.ADMINISTRATOR)
    return Organisation.objects.filter(pk__in=administered.order_by().values("organisation"))


def organisations() -> QuerySet[Organisation]:
    """All organisations, the host first."""
    return Organisation.objects.order_by("-is_host", "name")


def host() -> Organisation | None:
    """The organisation that runs this site."""
    return Organisation.objects.filter(is_host=True).first()


def host_administrators() -> QuerySet[Person]:
    """Who administers the organisation that runs this site, now."""
    held = RoleGrant.objects.filter(
        organisation__is_host=True, role=PersonRole.ADMINISTRATOR, ended_at__isnull=True, person__is_active=True
    )
    return Person.objects.filter(pk__in=held.order_by().values("person"))


def administrators_of_whole(organisation: Organisation) -> QuerySet[Person]:
    """Who administers all of this organisation now, not a part of its territory only."""
    held = RoleGrant.objects.filter(
        organisation=organisation, role=PersonRole.ADMINISTRATOR, territory="", ended_at__isnull=True
    )
    return Person.objects.filter(pk__in=held.order_by().values("person"), is_active=True)


def organisation_named(name: str) -> Organisation | None:
    """The organisation of this name."""
    return Organisation.objects.filter(name=" ".join(name.split())).first()


def open_invitations(organisations: QuerySet[Organisation], now: datetime) -> QuerySet[Invitation]:
    """The invitations to these organisations that may still be used."""
    return Invitation.objects.filter(
        organisation__in=organisations, used__isnull=True, withdrawn__isnull=True, expires__gt=now
    ).select_related("organisation", "invited_by")


def asked_addresses(person: Person) -> QuerySet[EmailAddress]:
    """The address that a person wants and has not confirmed; at most one."""
    found: QuerySet[EmailAddress] = EmailAddress.objects.filter(user=person, verified=False).exclude(email=person.email)
    return found


def invitations_of(person: Person) -> QuerySet[Invitation]:
    """The invitations and password links that were made for this person, used or not."""
    return Invitation.objects.filter(Q(email=person.email) | Q(person=person)).select_related("organisation")


def codes_left(person: Person) -> QuerySet[BreakGlassCode]:
    """The break-glass codes of a person that still work."""
    return BreakGlassCode.objects.filter(person=person, used__isnull=True, withdrawn__isnull=True)


def _administers_host(person: Person) -> bool:
    return active_grants(person).filter(role=PersonRole.ADMINISTRATOR, organisation__is_host=True).exists()
