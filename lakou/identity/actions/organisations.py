"""Writes on organisations. Each has a scope of its own: the circle of what is restricted to it (DESIGN §4 rule 9)."""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import transaction

from lakou.identity import acts, siret
from lakou.identity.models import Organisation, OrganisationKind, Person, Scope
from lakou.kernel.errors import BadRequest, Conflict


@transaction.atomic
def create_organisation(
    *,
    name: str,
    kind: str,
    siret_text: str = "",
    territory: str = "",
    by: Person | None = None,
    now: datetime | None = None,
) -> Organisation:
    """Make an organisation; the first one of a site is its host.

    Raises BadRequest for a bad name, kind or SIRET, Conflict when name or SIRET is taken.
    """
    organisation = Organisation(created=now or datetime.now(UTC))
    _fill(organisation, name, kind, siret_text, territory)
    organisation.scope = Scope.objects.create(title=organisation.name)
    organisation.is_host = not Organisation.objects.filter(is_host=True).exists()
    organisation.save()
    _note("organisation.created", organisation, by, now)
    return organisation


@transaction.atomic
def change_organisation(
    *,
    organisation: Organisation,
    name: str,
    kind: str,
    siret_text: str = "",
    territory: str = "",
    by: Person | None = None,
    now: datetime | None = None,
) -> Organisation:
    """Correct what is said of an organisation. Raises as `create_organisation`."""
    _fill(organisation, name, kind, siret_text, territory)
    organisation.save()
    _note("organisation.changed", organisation, by, now)
    return organisation


def _fill(organisation: Organisation, name: str, kind: str, siret_text: str, territory: str) -> None:
    organisation.name = " ".join(name.split())
    organisation.siret = siret.compact(siret_text)
    organisation.kind, organisation.territory = kind, territory.strip()
    if not 0 < len(organisation.name) <= 120:
        raise BadRequest("An organisation's name has 1 to 120 characters", place="name")
    if kind not in OrganisationKind.values:
        raise BadRequest(f"There is no kind {kind!r}", place="kind", hint="one of: " + ", ".join(OrganisationKind))
    if organisation.siret and not siret.is_valid(organisation.siret):
        raise BadRequest("This is no SIRET: 14 digits, the last of which is a check digit", place="siret")
    if len(organisation.territory) > 60:
        raise BadRequest("The key of a territory has at most 60 characters", place="territory")
    others = Organisation.objects.exclude(pk=organisation.pk)
    if others.filter(name=organisation.name).exists():
        raise Conflict("There is an organisation with this name already", place="name")
    if organisation.siret and others.filter(siret=organisation.siret).exists():
        raise Conflict("There is an organisation with this SIRET already", place="siret")


def _note(act: str, organisation: Organisation, by: Person | None, now: datetime | None) -> None:
    acts.note(
        act,
        actor=acts.actor_of(by),
        subject=f"organisation:{organisation.pk}",
        organisation=organisation.pk,
        detail={"kind": organisation.kind},
        now=now,
    )
