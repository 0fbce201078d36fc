"""Writes of layers: a file of zones becomes a layer, or the new state of one; a layer is removed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from lakou.identity.journal import actions as journal
from lakou.identity.policy import Actor
from lakou.kernel.errors import BadRequest, Conflict, NotFound
from lakou.territory.findings import Report
from lakou.territory.kinds import HAZARDS_BY_KEY, LAYERS_BY_KEY, check_key
from lakou.territory.layers.features import Checked, Feature
from lakou.territory.models import Layer, Zone

BATCH = 100  # geometries can be large
LAYER_KEY = re.compile(r"[a-z0-9][a-z0-9-]{0,79}")
_ZONE_FIELDS = (
    "name", "kind", "hazard", "level", "population", "geometry", "west", "south", "east", "north", "properties",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerSource:
    """What is said about a file of zones. `sha256` is of its bytes, `retrieved` when it was fetched."""

    key: str
    title: str
    kind: str
    source: str
    licence: str
    retrieved: datetime
    sha256: str
    hazard: str = ""
    options: dict[str, str]


def import_layer(*, layer: LayerSource, checked: Checked, actor: Actor, dry_run: bool = False) -> Report:
    """Make or replace a layer: its zones become those of the file, in one transaction. The same file changes nothing.

    Zones keep their key and their row where the file still has them. Raises BadRequest for a wrong word or when no
    feature can be a zone: a layer is never emptied by mistake.
    """
    _check_layer(layer)
    if not checked.features:
        raise BadRequest("No feature of this file can be a zone", code="no_feature", hint="see the report; --dry-run")
    try:
        with transaction.atomic():
            difference = _difference(layer, checked)
            if not dry_run:
                is_new = _keep_layer(layer, len(checked.features))
                _write_zones(difference)
                if is_new or difference.amount:
                    journal.record(act="layer.imported", actor=actor, subject=layer.key, detail=difference.counts())
    except IntegrityError:
        raise Conflict("Another import of this layer runs", place="key", hint="wait for its end, then again") from None
    return _report(checked, difference, dry_run=dry_run)


@transaction.atomic
def remove_layer(*, key: str, actor: Actor) -> int:
    """Remove a layer and its zones; how many zones there were. Raises NotFound."""
    layer = Layer.objects.filter(pk=key).first()
    if layer is None:
        raise NotFound(f"There is no layer {key[:80]}", hint="lakou layer list")
    amount = layer.zones.count()
    layer.delete()
    journal.record(act="layer.removed", actor=actor, subject=key, detail={"removed": amount})
    return amount


def _check_layer(layer: LayerSource) -> None:
    if not LAYER_KEY.fullmatch(layer.key):
        raise BadRequest("A layer's key has small letters, digits and hyphens", place="key", hint="--key pprn-lamentin")
    check_key(LAYERS_BY_KEY, layer.kind, "kind")
    if layer.hazard:
        check_key(HAZARDS_BY_KEY, layer.hazard, "hazard")
    elif layer.kind == "hazard":
        raise BadRequest(
            "A layer of a hazard says which one", place="hazard", hint="one of: " + ", ".join(HAZARDS_BY_KEY)
        )
    for place, text, longest in (
        ("title", layer.title, 200),
        ("source", layer.source, 300),
        ("licence", layer.licence, 200),
    ):
        if not text.strip() or len(text) > longest:
            raise BadRequest(f"The {place} has 1 to {longest} characters", place=place, hint=f"--{place}")


@dataclass(slots=True)
class _Difference:
    """What has to be written for the layer to be that of the file; `gone` are keys of rows."""

    new: list[Zone]
    changed: list[Zone]
    gone: list[int]

    @property
    def amount(self) -> int:
        return len(self.new) + len(self.changed) + len(self.gone)

    def counts(self) -> dict[str, int]:
        return {"created": len(self.new), "changed": len(self.changed), "removed": len(self.gone)}


def _difference(layer: LayerSource, checked: Checked) -> _Difference:
    stored = {zone.key: zone for zone in Zone.objects.filter(layer_id=layer.key)}
    new, changed = [], []
    for feature in checked.features:
        values = _zone_values(layer, feature)
        zone = stored.pop(feature.key, None)
        if zone is None:
            new.append(Zone(layer_id=layer.key, key=feature.key, **values))
        elif not all(_is_same(getattr(zone, name), value) for name, value in values.items()):
            for name, value in values.items():
                setattr(zone, name, value)
            changed.append(zone)
    return _Difference(new, changed, [zone.pk for zone in stored.values()])


def _report(checked: Checked, difference: _Difference, *, dry_run: bool) -> Report:
    refused = {finding.row for finding in checked.findings if finding.severity == "error"}
    warned = {finding.row for finding in checked.findings if finding.severity == "warning" and finding.row}
    return Report(
        rows=checked.total,
        created=len(difference.new),
        changed=len(difference.changed),
        unchanged=len(checked.features) - len(difference.new) - len(difference.changed),
        refused=len(refused),
        warned=len(warned - refused),
        removed=len(difference.gone),
        is_dry=dry_run,
        findings=checked.findings,
    )


def _keep_layer(layer: LayerSource, amount: int) -> bool:
    """Whether what is said of the layer is new."""
    values: dict[str, Any] = {
        "title": layer.title, "kind": layer.kind, "hazard": layer.hazard, "source": layer.source,
        "licence": layer.licence, "sha256": layer.sha256, "options": layer.options, "feature_count": amount,
    }  # fmt: skip
    stored = Layer.objects.select_for_update().filter(pk=layer.key).first()
    if stored is not None and all(getattr(stored, name) == value for name, value in values.items()):
        return False  # the same file again: the day on which it was first retrieved stays
    Layer.objects.update_or_create(key=layer.key, defaults=values | {"retrieved": layer.retrieved})
    return True


def _write_zones(difference: _Difference) -> None:
    for start in range(0, len(difference.gone), BATCH):
        Zone.objects.filter(pk__in=difference.gone[start : start + BATCH]).delete()
    Zone.objects.bulk_update(difference.changed, _ZONE_FIELDS, batch_size=BATCH)
    Zone.objects.bulk_create(difference.new, batch_size=BATCH)


def _zone_values(layer: LayerSource, feature: Feature) -> dict[str, Any]:
    west, south, east, north = feature.bounds
    return {
        "name": feature.name, "kind": layer.kind, "hazard": layer.hazard, "level": feature.level,
        "population": feature.population, "geometry": feature.geometry, "west": west, "south": south, "east": east,
        "north": north, "properties": feature.properties,
    }  # fmt: skip


def _is_same(stored: Any, given: Any) -> bool:
    """Whether two JSON values say the same. PostgreSQL gives 1e23 back as a whole number that is not quite equal."""
    if stored == given:
        return True
    match stored, given:
        case dict(), dict():
            return stored.keys() == given.keys() and all(_is_same(stored[key], given[key]) for key in given)
        case list(), list():
            return len(stored) == len(given) and all(map(_is_same, stored, given))
        case int() | float(), float():
            return float(stored) == given
    return False
