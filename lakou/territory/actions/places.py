"""Writes of the register of places."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from lakou.identity.journal import actions as journal
from lakou.identity.policy import Actor
from lakou.kernel.errors import BadRequest, Conflict, NotFound
from lakou.territory.drafts import Draft
from lakou.territory.findings import Report
from lakou.territory.importing import Prepared
from lakou.territory.kinds import PLACES_BY_KEY, check_key
from lakou.territory.models import Place

BATCH = 500
_PLACE_FIELDS = tuple(Draft.__dataclass_fields__.keys() - {"source_id"})


def import_places(*, prepared: Prepared, actor: Actor, now: datetime, dry_run: bool = False) -> Report:
    """Bring the register to what a file says, and tell how it went; with `dry_run` only tell.

    Rows without error are written; a place whose values are the same is left untouched, so that importing again
    changes nothing. Places of this source that are not in the file stay, and are counted. Raises Conflict when another
    import of the same source runs.
    """
    if not prepared.source or len(prepared.source) > 80:
        raise BadRequest(
            "The source needs a name of 1 to 80 characters", place="source", hint="--source ville-du-lamentin"
        )
    for kind in {draft.kind for _, draft in prepared.drafts}:
        check_key(PLACES_BY_KEY, kind, "kind")
    try:
        with transaction.atomic():
            report = _import(prepared, now, dry_run)
            if not dry_run and (report.created or report.changed):
                detail = {"created": report.created, "changed": report.changed, "refused": report.refused}
                journal.record(act="places.imported", actor=actor, subject=prepared.source, detail=detail, now=now)
    except IntegrityError:
        raise Conflict(
            "Another import of this source runs", place="source", hint="wait for its end, then again"
        ) from None
    return report


def _import(prepared: Prepared, now: datetime, dry_run: bool) -> Report:
    report = Report(rows=len(prepared.rows), is_dry=dry_run, findings=prepared.findings)
    refused = {finding.row for finding in prepared.findings if finding.severity == "error"}
    warned = {finding.row for finding in prepared.findings if finding.severity == "warning" and finding.row}
    report.refused, report.warned = len(refused), len(warned - refused)
    stored = {place.source_id: place for place in Place.objects.filter(source=prepared.source)}
    new: list[Place] = []
    changed: list[Place] = []
    # A row that is refused now may have come in before: its place is not absent from the file.
    named = {prepared.ids.get(row, "") for row in refused}
    for number, draft in prepared.drafts:
        place = stored.pop(draft.source_id, None)
        if place is None:
            new.append(_new_place(prepared.source, draft, now))
        elif changes := _changes(place, draft):
            report.changes += [(number, *change) for change in changes]
            changed.append(_renewed(place, draft, now))
        else:
            report.unchanged += 1
    report.created, report.changed = len(new), len(changed)
    report.absent = sum(1 for source_id in stored if source_id not in named)
    if not dry_run:
        Place.objects.bulk_create(new, batch_size=BATCH)
        Place.objects.bulk_update(changed, (*_PLACE_FIELDS, "updated"), batch_size=BATCH)
    return report


def _new_place(source: str, draft: Draft, now: datetime) -> Place:
    return Place(source=source, source_id=draft.source_id, raw=draft.raw, updated=now, **draft.values())


def _renewed(place: Place, draft: Draft, now: datetime) -> Place:
    for name, value in (*draft.values().items(), ("raw", draft.raw)):
        setattr(place, name, value)
    place.updated = now
    return place


def _changes(place: Place, draft: Draft) -> Iterable[tuple[str, str, str]]:
    """Field, stored value and new value of all that differ. Another quoting of the same values is no change."""
    pairs = ((name, getattr(place, name), value) for name, value in draft.values().items())
    return [(name, _shown(old), _shown(new)) for name, old, new in pairs if old != new]


def _shown(value: Any) -> str:
    match value:
        case None:
            return ""
        case dict():
            return ", ".join(f"{key}={member}" for key, member in sorted(value.items()))
    return str(value)


@transaction.atomic
def remove_places(*, source: str, actor: Actor) -> int:
    """Remove every place of a source, as when a wrong file was imported; how many there were. Raises NotFound."""
    amount, _ = Place.objects.filter(source=source).delete()
    if not amount:
        raise NotFound(f"There is no place of the source {source[:80]}", hint="lakou place list")
    journal.record(act="places.removed", actor=actor, subject=source, detail={"removed": amount})
    return amount
