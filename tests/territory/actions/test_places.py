"""Imports of places: whole or not at all, idempotent, with the report that a steward needs; on each database."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from lakou.kernel.errors import BadRequest, Conflict, NotFound
from lakou.territory.importing import Prepared, prepare
from lakou.territory.mediation.standard import NAMES
from lakou.territory.mediation.write import write_csv, write_json
from lakou.territory.tables import read_table
from tests.territory.conftest import NOW, TODAY, WHO, acts

if TYPE_CHECKING:
    from lakou.territory.findings import Report

pytestmark = pytest.mark.usefixtures("civic_rows")

HEADER = ",".join(NAMES)
ROW = (
    'a-1,21972132000014,"Espace ""Ti Lakou""",Le Lamentin,97232,97213,1 place de la mairie,,14.6130,-60.998,'
    "TIERS_LIEUX,"
    "+596596500000,contact@exemple.mq,https://exemple.mq/,Mo-Fr 08:00-12:00,,,Ville,Fixe,,2026-01-31,"
    "Aide aux démarches administratives|Utilisation sécurisée du numérique,,,Gratuit,,,,Se présenter,À distance,,"
)
OTHER = ROW.replace("a-1", "a-2").replace("14.6130", "14.62")
BAD = ROW.replace("a-1", "a-3").replace("Gratuit", "Offert")


def csv_of(*rows: str) -> bytes:
    return ("\r\n".join([HEADER, *rows]) + "\r\n").encode()


def prepared(data: bytes, **more: object) -> Prepared:
    return prepare(data, form="mediation", today=TODAY, **more)  # type: ignore[arg-type]


def bring(data: bytes, **more: object) -> Report:
    from lakou.territory import actions

    return actions.import_places(prepared=prepared(data), actor=WHO, now=NOW, **more)  # type: ignore[arg-type]


def counts(report: Report) -> tuple[int, int, int, int]:
    return report.created, report.changed, report.unchanged, report.refused


def test_a_first_import_creates_and_a_second_changes_nothing() -> None:
    from lakou.territory.models import Place

    assert counts(bring(csv_of(ROW, OTHER))) == (2, 0, 0, 0)
    before = list(Place.objects.values())
    assert counts(bring(csv_of(ROW, OTHER))) == (0, 0, 2, 0)
    assert list(Place.objects.values()) == before


def test_a_row_with_an_error_is_kept_out_and_the_others_come_in() -> None:
    report = bring(csv_of(ROW, BAD, OTHER))
    assert counts(report) == (2, 0, 0, 1)
    assert [(one.row, one.column, one.code, one.value) for one in report.findings if one.severity == "error"] == [
        (3, "frais_a_charge", "enumeration", "Offert")
    ]


def test_a_dry_run_tells_the_same_and_writes_nothing() -> None:
    from lakou.territory.models import Place

    assert counts(bring(csv_of(ROW, BAD), dry_run=True)) == (1, 0, 0, 1)
    assert not Place.objects.exists()
    bring(csv_of(ROW))
    changed = csv_of(ROW.replace("Ti Lakou", "Gran Lakou"))
    assert counts(bring(changed, dry_run=True)) == (0, 1, 0, 0)
    assert Place.objects.get().name == 'Espace "Ti Lakou"'


def test_a_changed_row_says_what_changes() -> None:
    bring(csv_of(ROW, OTHER))
    report = bring(csv_of(ROW, OTHER.replace("08:00-12:00", "09:00-12:00")))
    assert counts(report) == (0, 1, 1, 0)
    assert report.changes == [(3, "opening_hours", "Mo-Fr 08:00-12:00", "Mo-Fr 09:00-12:00")]


def test_only_changed_places_get_a_new_date() -> None:
    from lakou.territory import actions
    from lakou.territory.models import Place

    bring(csv_of(ROW, OTHER))
    later = NOW + timedelta(days=1)
    actions.import_places(prepared=prepared(csv_of(ROW, OTHER.replace("Ti Lakou", "x"))), actor=WHO, now=later)
    assert set(Place.objects.values_list("source_id", "updated")) == {("a-1", NOW), ("a-2", later)}


def test_an_import_that_clashes_writes_nothing_at_all() -> None:
    from lakou.territory import actions
    from lakou.territory.models import Place

    ready = prepared(csv_of(ROW, OTHER))
    ready.drafts.append(ready.drafts[0])  # as if another import had made it meanwhile
    with pytest.raises(Conflict):
        actions.import_places(prepared=ready, actor=WHO, now=NOW)
    assert not Place.objects.exists()


def test_places_that_left_the_file_stay_and_are_counted() -> None:
    from lakou.territory.models import Place

    bring(csv_of(ROW, OTHER))
    assert bring(csv_of(ROW)).absent == 1
    assert Place.objects.count() == 2
    assert bring(csv_of(ROW, OTHER.replace("Gratuit", "Offert"))).absent == 0


def test_two_sources_may_use_the_same_ids() -> None:
    from lakou.territory import actions
    from lakou.territory.models import Place

    bring(csv_of(ROW))
    actions.import_places(prepared=prepared(csv_of(ROW), source="autre"), actor=WHO, now=NOW)
    assert Place.objects.count() == 2


def test_a_place_without_position_is_kept_as_unknown_never_at_zero() -> None:
    from lakou.territory.models import Place

    bring(csv_of(ROW.replace("14.6130,-60.998", ","), OTHER.replace("14.62,-60.998", "0,0")))
    assert list(Place.objects.values_list("longitude", "latitude")) == [(None, None), (None, None)]


def test_unchanged_rows_are_exported_with_their_own_bytes() -> None:
    from lakou.territory import queries

    quoted = ",".join(f'"{cell}"' for cell in OTHER.replace('"Espace ""Ti Lakou"""', "Espace").split(","))
    bring(csv_of(ROW, quoted))
    written = "".join(write_csv(queries.mediation_rows())).split("\n")
    assert written == [HEADER, ROW, quoted, ""]


def test_a_changed_place_is_exported_as_it_is_now() -> None:
    from lakou.territory import queries
    from lakou.territory.models import Place

    bring(csv_of(ROW))
    Place.objects.update(name="Autre nom")
    row = "".join(write_csv(queries.mediation_rows())).split("\n")[1]
    assert row == ROW.replace('"Espace ""Ti Lakou"""', "Autre nom").replace("14.6130", "14.613")


def test_json_comes_back_byte_for_byte_too() -> None:
    from lakou.territory import queries

    members = {"id": "j-1", "pivot": "21972132000014", "nom": "Lieu", "commune": "Ducos", "code_postal": "97224",
               "adresse": "bourg", "latitude": 14.57, "longitude": -60.97, "date_maj": "2026-01-01"}  # fmt: skip
    given = json.dumps(members, indent=3)
    assert counts(bring(f"[{given}]".encode())) == (1, 0, 0, 0)
    assert given in "".join(write_json(queries.mediation_rows()))
    assert json.loads("".join(write_json(queries.mediation_rows()))) == [members]


def test_what_came_with_semicolons_and_spaces_goes_out_in_the_standards_form() -> None:
    from lakou.territory import queries

    row = ROW.replace("administratives|Util", "administratives;Util").replace(",Fixe,", ", Fixe ,")
    report = bring(csv_of(row))
    assert {finding.code for finding in report.findings} == {"separator", "spaces"}
    assert "".join(write_csv(queries.mediation_rows())).split("\n")[1] == ROW.replace("14.6130", "14.613")


def test_a_source_needs_a_name() -> None:
    from lakou.territory import actions

    with pytest.raises(BadRequest, match="1 to 80"):
        actions.import_places(prepared=prepared(csv_of(ROW), source="x" * 81), actor=WHO, now=NOW)


@pytest.mark.parametrize(
    ("name", "rows", "created", "refused", "warned"),
    [
        ("gironde.sans-contacts.csv", 347, 321, 26, 321),
        ("nouvelle-caledonie.sans-contacts.json", 92, 92, 0, 92),
        ("etapes-numerique.json", 95, 95, 0, 95),
        ("exemple-valide.csv", 1, 1, 0, 0),
    ],
)
def test_the_real_samples_import_with_their_report_and_twice_changes_nothing(
    sample: Callable[[str], bytes], name: str, rows: int, created: int, refused: int, warned: int
) -> None:
    from lakou.territory import queries

    data = sample(f"mediation/{name}")
    report = bring(data)
    assert (report.rows, *counts(report), report.warned) == (rows, created, 0, 0, refused, warned)
    errors = {finding.code for finding in report.findings if finding.severity == "error"}
    assert errors == ({"missing"} if refused else set())
    again = bring(data)
    assert counts(again) == (0, 0, created, refused)
    out = "".join(write_csv(queries.mediation_rows()))
    assert len(read_table(out.encode()).rows) == created
    if name == "exemple-valide.csv":
        assert out.split("\n", 1)[1] == data.decode().split("\n", 1)[1]


@pytest.mark.parametrize(
    ("feed", "stops"), [("cairns_gtfs", 416), ("caltrain_20160406", 95), ("berlin_sample_gtfs_full", 10)]
)
def test_the_stops_of_a_real_feed_import_twice(sample: Callable[[str], bytes], feed: str, stops: int) -> None:
    from lakou.territory import actions

    data = sample(f"gtfs/{feed}.zip")
    for expected in ((stops, 0, 0, 0), (0, 0, stops, 0)):
        ready = prepare(data, form="gtfs", source=feed, today=TODAY)
        assert counts(actions.import_places(prepared=ready, actor=WHO, now=NOW)) == expected


def test_a_plain_table_brings_shelters_and_their_source_is_needed_and_can_be_removed() -> None:
    from lakou.territory import actions
    from lakou.territory.models import Place

    data = b"id,name,longitude,latitude,capacity\n1,Gymnase,-61,14.6,250\n2,Stade,,,\n"
    told = len(acts("places.imported", "places.removed"))
    with pytest.raises(BadRequest):
        actions.import_places(prepared=prepare(data, form="plain", kind="shelter", today=TODAY), actor=WHO, now=NOW)
    for expected in ((2, 0, 0, 0), (0, 0, 2, 0)):
        ready = prepare(data, form="plain", kind="shelter", source="ville", today=TODAY)
        assert counts(actions.import_places(prepared=ready, actor=WHO, now=NOW)) == expected
    assert list(Place.objects.values_list("kind", "capacity")) == [("shelter", 250), ("shelter", None)]
    assert actions.remove_places(source="ville", actor=WHO) == 2
    with pytest.raises(NotFound):
        actions.remove_places(source="ville", actor=WHO)
    # The second import changed nothing, and a dry run never does.
    assert acts("places.imported", "places.removed")[told:] == [
        ("places.imported", "agent", "ville", {"created": 2, "changed": 0, "refused": 0}),
        ("places.removed", "agent", "ville", {"removed": 2}),
    ]
