"""Writes on organisations. Each has a scope of its own: the circle of what is restricted to it (DESIGN §4 rule 9)."""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import transaction

from lakou.identity import acts, queries, second_factor, siret
from lakou.identity.actions.tokens import settle_devices
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


@transaction.atomic
def hand_on_host(*, organisation: Organisation, by: Person | None = None, now: datetime | None = None) -> Organisation:
    """Make this organisation the host in place of the one that is; doing so again changes nothing.

    At every instant one organisation is the host and has an administrator who can act: this one needs one of the whole
    with a second factor. Devices whose token names no organisation stay with the one that they served; programs go with
    the site. Raises Conflict.
    """
    # Locked before anything is looked at: an administrator's role is ended under the same lock (`people.end_role`).
    # All of them, for which one is the host is known only then.
    found = {one.pk: one for one in Organisation.objects.select_for_update(no_key=True).order_by("pk")}
    after = found[organisation.pk]
    if after.is_host:
        return after
    if not any(second_factor.has_one(person) for person in queries.administrators_of_whole(after)):
        raise Conflict(
            "Nobody with a second factor administers the whole of this organisation",
            place="host",
            hint="make an administrator of it, who logs in and sets up a second factor",
        )
    before = next((one for one in found.values() if one.is_host), None)
    devices = 0
    if before is not None:
        before.is_host = False
        before.save(update_fields=["is_host"])
        devices = settle_devices(organisation=before)
    after.is_host = True
    after.save(update_fields=["is_host"])
    acts.note(
        "organisation.made_host",
        actor=acts.actor_of(by),
        subject=f"organisation:{after.pk}",
        organisation=after.pk,
        detail={"before": before.pk if before else None, "devices": devices},
        now=now,
    )
    return after


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
