"""A file of mediation places is read whole: the standard as it is, other columns through a mapping."""

from __future__ import annotations

from datetime import date

from lakou.territory.mediation.read import is_conformant, read_mediation
from lakou.territory.tables import read_table
from tests.territory.mediation.test_check import GOOD

TODAY = date(2026, 11, 26)


def csv_of(*rows: dict[str, str]) -> bytes:
    names = list(GOOD)
    return "\n".join([",".join(names), *(",".join(row[name] for name in names) for row in rows)]).encode()


def test_a_file_with_some_of_the_columns_is_read_as_the_standard() -> None:
    read = read_mediation(read_table(csv_of(GOOD)), today=TODAY)
    assert read.mapping is None
    assert not read.rows[0].is_refused
    assert read.rows[0].row["services"] == ""
    assert is_conformant(read.rows[0].row)


def test_the_second_row_of_an_id_is_refused_and_names_the_first() -> None:
    read = read_mediation(read_table(csv_of(GOOD, GOOD | {"nom": "Autre"})), today=TODAY)
    assert [row.is_refused for row in read.rows] == [False, True]
    (finding,) = [one for one in read.rows[1].findings if one.severity == "error"]
    assert (finding.code, finding.row, finding.hint) == ("duplicate", 3, "déjà à la ligne 2")


def test_columns_outside_the_standard_are_told_once_for_the_file() -> None:
    data = csv_of(GOOD).replace(b"id,", b"wifi,id,").replace(b"espace-1", b"oui,espace-1")
    read = read_mediation(read_table(data), today=TODAY)
    assert [(one.row, one.column, one.code) for one in read.findings] == [(0, "wifi", "unknown_column")]


def test_a_row_without_what_is_required_is_not_conformant() -> None:
    assert not is_conformant(GOOD | {"pivot": ""})
    assert not is_conformant({})
