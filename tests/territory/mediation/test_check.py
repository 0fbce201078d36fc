"""A row is checked whole against the standard; what is repaired is told, what is wrong keeps the row out."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakou.territory.bounds import Surroundings
from lakou.territory.findings import CAUSES
from lakou.territory.mediation.check import check_row
from lakou.territory.mediation.standard import NAMES

TODAY = date(2026, 11, 26)
MARTINIQUE = Surroundings("Martinique", (-61.3, 14.35, -60.75, 14.95), {"97213": "Le Lamentin"})
GOOD = {
    "id": "espace-1",
    "pivot": "21972132000014",
    "nom": "Espace numérique",
    "commune": "Le Lamentin",
    "code_postal": "97232",
    "code_insee": "97213",
    "adresse": "1 place de la mairie",
    "latitude": "14.613",
    "longitude": "-60.998",
    "date_maj": "2026-01-31",
}


def codes(cells: dict[str, str], **more: object) -> dict[str, str]:
    """Column to code of what is found in GOOD with these cells."""
    _, found = check_row(2, GOOD | cells, today=TODAY, around=MARTINIQUE, **more)  # type: ignore[arg-type]
    return {finding.column: finding.code for finding in found if finding.code != "siret"}


def value(column: str, text: str) -> str:
    return check_row(2, GOOD | {column: text}, today=TODAY)[0][column]


def test_a_good_row_has_no_finding() -> None:
    assert codes({}) == {}


@pytest.mark.parametrize("column", ["id", "pivot", "nom", "commune", "code_postal", "adresse", "date_maj"])
def test_a_required_value_that_is_missing_keeps_the_row_out(column: str) -> None:
    assert codes({column: "  "})[column] in ("missing", "spaces")
    assert codes({column: ""}) == {column: "missing"}


def test_a_mapping_may_accept_that_a_required_value_is_missing() -> None:
    assert codes({"pivot": ""}, accepted=("pivot",)) == {"pivot": "missing_accepted"}


@pytest.mark.parametrize(
    ("column", "text", "code"),
    [
        ("pivot", "12345678", "pattern"),
        ("pivot", "123456789012345", "pattern"),
        ("code_postal", "972", "pattern"),
        ("code_postal", "٩٧٢٣٢", "pattern"),
        ("code_insee", "45999X", "pattern"),
        ("code_insee", "20004", "pattern"),
        ("telephone", "0596 50 00 00", "pattern"),
        ("telephone", "+59650", "pattern"),
        ("presentation_resume", "x" * 281, "too_long"),
        ("nom", "x" * 301, "too_long"),
        ("date_maj", "31/01/2026", "date"),
        ("date_maj", "2026-02-30", "date"),
        ("date_maj", "2026-01-31T00:00:00", "date"),
        ("date_maj", "2027-01-01", "future"),
        ("latitude", "14,613", "number"),
        ("latitude", "nan", "number"),
        ("latitude", "1_4", "number"),
        ("latitude", "91", "range"),
        ("longitude", "-1e400", "number"),
        ("services", "xx|Compréhension du monde numérique", "enumeration"),
        ("services", "Compréhension du monde numérique|xx", "enumeration"),
        ("services", "comprehension du monde numerique", "enumeration"),
        ("frais_a_charge", "Gratuit|", "enumeration"),
        ("frais_a_charge", "Gratuit|Gratuit", "repeated"),
        ("services", "Utilisation sécurisée du numérique;Compréhension du monde numérique", "separator"),
        ("formations_labels", "Étapes numériques (La Poste)", "spelling"),
        ("typologie", "CHATEAU", "typology"),
        ("courriels", "contact chez lakou", "email"),
        ("site_web", "javascript:alert(1)", "url"),
        ("prise_rdv", "exemple.fr", "url"),
        ("horaires", "tous les jours", "hours"),
        ("adresse", " rue droite ", "spaces"),
        ("adresse", "rue\0droite", "nul"),
        ("code_postal", "75001", "postal_code"),
        ("commune", "Fort-de-France", "commune"),
        ("longitude", "", "half_position"),
    ],
)
def test_each_kind_of_mistake_is_named_with_its_column(column: str, text: str, code: str) -> None:
    assert codes({column: text})[column] == code


@pytest.mark.parametrize(
    ("latitude", "longitude", "code"),
    [
        ("-60.998", "14.613", "swapped"),
        ("48.85", "2.35", "outside"),
        ("0", "0", "null_island"),
        ("", "", "no_position"),
    ],
)
def test_a_doubtful_position_is_a_warning(latitude: str, longitude: str, code: str) -> None:
    assert codes({"latitude": latitude, "longitude": longitude}) == {"latitude": code}
    assert CAUSES[code].severity == "warning"


@pytest.mark.parametrize("commune", ["Le Lamentin", "LAMENTIN", "lamentin", "Le  Lamentin"])
def test_communes_are_compared_without_article_case_and_accents(commune: str) -> None:
    assert "commune" not in codes({"commune": commune})


def test_lists_are_written_with_the_bar_whatever_they_came_with() -> None:
    assert value("frais_a_charge", "Gratuit;Payant") == "Gratuit|Payant"
    assert value("courriels", "a@b.fr; c@d.fr") == "a@b.fr|c@d.fr"
    assert value("site_web", "https://a.fr/x;y=1") == "https://a.fr/x;y=1"


def test_a_code_that_lost_its_zeros_gets_them_back() -> None:
    row, found = check_row(2, GOOD | {"code_postal": "1000", "code_insee": "1053"}, today=TODAY)
    assert (row["code_postal"], row["code_insee"]) == ("01000", "01053")
    assert [finding.code for finding in found if finding.code == "zeros"] == ["zeros", "zeros"]


def test_a_pivot_gets_its_zeros_back_only_from_a_number() -> None:
    short = {"pivot": "1234567890123"}
    assert check_row(2, GOOD | short, today=TODAY)[0]["pivot"] == "1234567890123"
    assert check_row(2, GOOD | short, numbers={"pivot"}, today=TODAY)[0]["pivot"] == "01234567890123"


def test_the_advice_for_a_local_phone_number_is_its_international_form() -> None:
    _, found = check_row(2, GOOD | {"telephone": "0596 50 00 00"}, today=TODAY)
    assert "+596596500000 ?" in [finding.hint for finding in found]


@pytest.mark.parametrize(("pivot", "is_wrong"), [("43493312300029", False), ("43493312300028", True)])
def test_a_wrong_check_digit_of_a_siret_is_told(pivot: str, is_wrong: bool) -> None:
    _, found = check_row(2, GOOD | {"pivot": pivot}, today=TODAY)
    assert ("siret" in {finding.code for finding in found}) == is_wrong


@given(st.dictionaries(st.sampled_from(NAMES), st.text(max_size=40), max_size=32))
def test_any_cells_give_a_whole_row_and_findings(cells: dict[str, str]) -> None:
    row, found = check_row(7, cells, today=TODAY, around=MARTINIQUE)
    assert tuple(row) == NAMES
    assert all(finding.code in CAUSES and finding.row == 7 for finding in found)
    again, _ = check_row(7, row, today=TODAY)
    assert again == row
