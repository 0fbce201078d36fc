"""A layer becomes what its file says, in one transaction; the same file changes nothing; on each database."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lakou.kernel.errors import BadRequest, NotFound
from lakou.territory.layers.features import FieldNames
from lakou.territory.layers.read import read_layer
from tests.territory.conftest import NOW, WHO, acts

if TYPE_CHECKING:
    from lakou.territory.findings import Report

pytestmark = pytest.mark.usefixtures("civic_rows")

NAMES = FieldNames(name="nom", population="pop", key="code")


def zone(code: str, west: float = -61.0, **fields: Any) -> dict[str, Any]:
    ring = [[west, 14.6], [west + 0.01, 14.6], [west + 0.01, 14.61], [west, 14.6]]
    geometry = {"type": "Polygon", "coordinates": [ring]}
    return {"type": "Feature", "properties": {"code": code, **fields}, "geometry": geometry}


def bring(path: Path, *features: dict[str, Any], **more: Any) -> Report:
    from lakou.territory import actions

    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    checked, digest = read_layer(path, NAMES)
    said = {"key": "pprn", "title": "PPRN", "kind": "hazard", "hazard": "flood", "source": "DEAL", "licence": "LO 2.0",
            "retrieved": NOW}  # fmt: skip
    dry_run = bool(more.pop("dry_run", False))
    layer = actions.LayerSource(**{**said, **more}, sha256=digest, options=NAMES.given())
    return actions.import_layer(layer=layer, checked=checked, actor=WHO, dry_run=dry_run)


def counts(report: Report) -> tuple[int, int, int, int, int]:
    return report.created, report.changed, report.unchanged, report.removed, report.refused


def stored() -> list[tuple[Any, ...]]:
    from lakou.territory.models import Zone

    return list(Zone.objects.order_by("key").values_list("id", "key", "name", "population"))


def test_a_layer_keeps_where_it_comes_from_and_its_zones(tmp_path: Path) -> None:
    from lakou.territory import queries

    report = bring(tmp_path / "a.geojson", zone("A", nom="Zone A", pop=12), zone("B", -60.9))
    assert counts(report) == (2, 0, 0, 0, 0)
    layer = queries.layer("pprn")
    assert layer
    assert (layer.source, layer.licence, layer.retrieved, layer.feature_count) == ("DEAL", "LO 2.0", NOW, 2)
    assert len(layer.sha256) == 64
    assert [row[1:] for row in stored()] == [("A", "Zone A", 12), ("B", "", None)]
    inside = queries.zones_of("pprn", (-61.0, 14.6, -60.995, 14.605))
    assert [one.key for one in inside] == ["A"]
    assert {one.hazard for one in queries.zones_of("pprn")} == {"flood"}


def test_the_same_file_again_changes_nothing_at_all(tmp_path: Path) -> None:
    from lakou.territory import queries

    features = (zone("A"), zone("B"))
    bring(tmp_path / "a.geojson", *features)
    before = stored()
    report = bring(tmp_path / "a.geojson", *features, retrieved=NOW + timedelta(days=30))
    assert counts(report) == (0, 0, 2, 0, 0)
    assert stored() == before
    layer = queries.layer("pprn")
    assert layer
    assert layer.retrieved == NOW


def test_numbers_of_any_size_in_the_fields_are_no_change_the_second_time(tmp_path: Path) -> None:
    odd = {"grand": 1e23, "enorme": 1e300, "petit": 1e-300, "zero": -0.0, "liste": [1e25, {"a": 1.5}], "entier": 2**62}
    assert counts(bring(tmp_path / "a.geojson", zone("A", **odd))) == (1, 0, 0, 0, 0)
    assert counts(bring(tmp_path / "a.geojson", zone("A", **odd))) == (0, 0, 1, 0, 0)
    changed = odd | {"liste": [1e25, {"a": 1.6}]}
    assert counts(bring(tmp_path / "a.geojson", zone("A", **changed))) == (0, 1, 0, 0, 0)


def test_a_new_state_replaces_zones_and_keeps_the_rows_that_stay(tmp_path: Path) -> None:
    bring(tmp_path / "a.geojson", zone("A"), zone("B"), zone("C"))
    before = {row[1]: row[0] for row in stored()}
    report = bring(tmp_path / "a.geojson", zone("A"), zone("B", nom="Nouveau nom"), zone("D"))
    assert counts(report) == (1, 1, 1, 1, 0)
    after = {row[1]: row[0] for row in stored()}
    assert (after["A"], after["B"]) == (before["A"], before["B"])
    assert sorted(after) == ["A", "B", "D"]


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    from lakou.territory.models import Layer

    assert counts(bring(tmp_path / "a.geojson", zone("A"), dry_run=True)) == (1, 0, 0, 0, 0)
    assert not Layer.objects.exists()


def test_a_file_without_any_zone_never_empties_a_layer(tmp_path: Path) -> None:
    bring(tmp_path / "a.geojson", zone("A"))
    broken = zone("A") | {"geometry": None}
    with pytest.raises(BadRequest, match="No feature"):
        bring(tmp_path / "a.geojson", broken)
    assert len(stored()) == 1


@pytest.mark.parametrize(
    "said",
    [{"key": "PPRN Lamentin"}, {"key": ""}, {"kind": "danger"}, {"hazard": ""}, {"hazard": "dragon"}, {"licence": " "},
     {"source": "x" * 301}, {"title": ""}],
)  # fmt: skip
def test_a_wrong_word_is_refused_with_its_place(tmp_path: Path, said: dict[str, str]) -> None:
    with pytest.raises(BadRequest) as caught:
        bring(tmp_path / "a.geojson", zone("A"), **said)
    assert caught.value.place in (*said, "hazard")


def test_a_removed_layer_takes_its_zones_with_it(tmp_path: Path) -> None:
    from lakou.territory import actions

    told = len(acts("layer.imported", "layer.removed"))
    for more in ({"dry_run": True}, {}, {}, {"title": "PPRN 2026"}):
        bring(tmp_path / "a.geojson", zone("A"), zone("B"), **more)
    assert actions.remove_layer(key="pprn", actor=WHO) == 2
    assert stored() == []
    with pytest.raises(NotFound):
        actions.remove_layer(key="pprn", actor=WHO)
    # The same file again changes nothing, and a dry run never does.
    assert acts("layer.imported", "layer.removed")[told:] == [
        ("layer.imported", "agent", "pprn", {"created": 2, "changed": 0, "removed": 0}),
        ("layer.imported", "agent", "pprn", {"created": 0, "changed": 0, "removed": 0}),
        ("layer.removed", "agent", "pprn", {"removed": 2}),
    ]


@pytest.mark.parametrize(("name", "zones"), [("communes", 34), ("epci", 3), ("territoire", 1), ("bathymetrie", 4)])
def test_the_real_geodata_of_martinique_import(
    sample: Callable[[str], bytes], tmp_path: Path, name: str, zones: int
) -> None:
    from lakou.territory import actions

    path = tmp_path / f"{name}.geojson"
    path.write_bytes(sample(f"geo/martinique/{name}.geojson"))
    checked, digest = read_layer(path, FieldNames(name="nom", population="population"))
    layer = actions.LayerSource(
        key=name,
        title=name,
        kind="administrative",
        source="IGN",
        licence="LO",
        retrieved=NOW,
        sha256=digest,
        options={},
    )
    assert counts(actions.import_layer(layer=layer, checked=checked, actor=WHO))[0] == zones
    assert counts(actions.import_layer(layer=layer, checked=checked, actor=WHO)) == (0, 0, zones, 0, 0)
