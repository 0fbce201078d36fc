"""A draft of a mapping recognises what it can, is a mapping that reads, and imports the file it was made of."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakou.territory.mediation.mapping import apply, read_mapping
from lakou.territory.mediation.suggest import suggest
from lakou.territory.tables import Row, Table, read_table

FILE = """Nom du lieu;Ville;CP;Adresse postale;Coord. X;Coord. Y;Dernière MAJ;Tarif;Remarque
Espace;Ducos;97224;bourg;14.57;-60.97;31/01/2026;gratuit;aucune
Atelier;Le Robert;97231;rue droite;14.67;-60.94;01/02/2026;Payant;aucune
"""


def test_the_draft_finds_columns_dates_swapped_coordinates_and_values() -> None:
    mapping = read_mapping(suggest(read_table(FILE.replace("Nom du lieu", "Lieu").encode())).encode())
    assert mapping.columns["nom"] == "Lieu"
    assert (mapping.columns["latitude"], mapping.columns["longitude"]) == ("Coord. X", "Coord. Y")
    assert (mapping.date_format, mapping.identity) == ("%d/%m/%Y", ("Lieu", "Ville"))
    assert mapping.accept_missing == ("pivot",)
    row, _ = apply(mapping, 2, read_table(FILE.replace("Nom du lieu", "Lieu").encode()).rows[0].cells)
    assert (row["id"], row["date_maj"], row["frais_a_charge"]) == ("espace-ducos", "2026-01-31", "Gratuit")


def test_a_column_without_any_value_is_taken_for_absent() -> None:
    mapping = read_mapping(suggest(read_table(b"id;pivot;nom;commune\n;;Espace;Ducos\n")).encode())
    assert (set(mapping.columns), mapping.identity) == ({"nom", "commune"}, ("nom", "commune"))


def test_a_value_inside_a_longer_one_is_told_apart() -> None:
    table = read_table(b"Tarif\nGratuit\nGratuit sous condition\n")
    mapping = read_mapping(suggest(table).encode())
    rows = [apply(mapping, row.number, row.cells)[0]["frais_a_charge"] for row in table.rows]
    assert rows == ["Gratuit", "Gratuit sous condition"]


def test_what_is_not_recognised_is_named() -> None:
    assert "Non reconnues" in suggest(read_table(FILE.encode()))
    assert "Remarque" in suggest(read_table(FILE.encode()))


@pytest.mark.parametrize(
    ("name", "latitude", "needed"),
    [
        ("gironde.sans-contacts.csv", "Coord. X", {"nom", "commune", "adresse", "site_web", "date_maj"}),
        (
            "etapes-numerique.json",
            "latitude",
            {"id", "pivot", "nom", "commune", "code_postal", "code_insee", "adresse"},
        ),
        ("nouvelle-caledonie.sans-contacts.json", "geolocalisation.lat", {"nom", "commune", "code_postal", "date_maj"}),
    ],
)
def test_the_real_samples_get_a_draft_that_reads(
    sample: Callable[[str], bytes], name: str, latitude: str, needed: set[str]
) -> None:
    mapping = read_mapping(suggest(read_table(sample(f"mediation/{name}"))).encode())
    assert mapping.columns["latitude"] == latitude
    assert needed <= set(mapping.columns)


TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)


@settings(max_examples=50)
@given(st.lists(TEXT, min_size=1, max_size=5, unique=True), st.lists(TEXT, min_size=5, max_size=5))
def test_any_table_gives_a_draft_that_reads(columns: list[str], cells: list[str]) -> None:
    rows = [Row(2, "", dict(zip(columns, cells, strict=False)))]
    read_mapping(suggest(Table("csv", tuple(columns), rows)).encode())
