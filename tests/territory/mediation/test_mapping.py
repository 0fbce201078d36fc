"""Mappings are data: read whole or refused with the place; they carry over, and invent nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakou.kernel.errors import BadRequest, NotFound
from lakou.territory.mediation.mapping import apply, built_in, mapping_for, read_mapping
from lakou.territory.mediation.standard import NAMES

BASE = 'key = "k"\ntitle = "t"\nrecognise = ["Lieu"]\n'


def applied(toml: str, **cells: str) -> dict[str, str]:
    return apply(read_mapping((BASE + toml).encode()), 2, cells)[0]


@pytest.mark.parametrize("name", sorted(built_in()))
def test_each_built_in_mapping_reads_under_its_own_name(name: str) -> None:
    found = built_in()[name]
    assert found.key == name
    assert found.recognise
    assert mapping_for(found.recognise) is found


@pytest.mark.parametrize(
    ("toml", "place"),
    [
        ('[columns]\nnon = "x"', "columns"),
        ('accept_missing = ["siret"]', "accept_missing"),
        ('must_map = ["x"]', "must_map"),
        ('[hours]\nLu = "x"', "hours"),
        ('[[term]]\ntarget = "services"\ncolumns = ["a"]\nvalue = "Jeux"', "term"),
        ('[[extract]]\ntarget = "code_postal"\ncolumn = "a"\npattern = "("', "extract"),
        ('[[extract]]\ntarget = "code_postal"\ncolumn = "a"\npattern = "x"', "extract"),
        ("unknown = 1", None),
        ("key = ", None),
    ],
)
def test_a_mistake_in_a_mapping_is_named(toml: str, place: str | None) -> None:
    with pytest.raises(BadRequest) as caught:
        read_mapping((BASE + toml).encode())
    assert (caught.value.error_code, caught.value.place) == ("mapping_invalid", place)


def test_the_standard_needs_no_mapping_and_unknown_columns_are_refused_with_a_way_on(tmp_path: Path) -> None:
    assert mapping_for(NAMES) is None
    assert mapping_for(("id", "nom", "commune", "adresse", "pivot")) is None
    with pytest.raises(BadRequest) as caught:
        mapping_for(("a", "b"))
    assert "lakou place suggest" in (caught.value.hint or "")
    own = tmp_path / "own.toml"
    own.write_text(BASE)
    found = mapping_for(("a",), str(own))
    assert found
    assert found.key == "k"
    with pytest.raises(NotFound, match="no mapping"):
        mapping_for(("a",), "nowhere")


def test_identity_is_stable_over_case_accents_and_punctuation() -> None:
    toml = 'identity = ["Lieu", "Ville"]'
    assert applied(toml, Lieu="L’Étape (n° 2)", Ville="Le Robert") == {"id": "l-etape-n-2-le-robert"}
    assert applied(toml, Lieu="l'etape n° 2", Ville="LE ROBERT") == {"id": "l-etape-n-2-le-robert"}


@pytest.mark.parametrize(
    ("given", "iso"), [("31/01/2026", "2026-01-31"), ("2026-01-31", "2026-01-31"), ("hier", "hier")]
)
def test_a_date_that_does_not_fit_the_form_stays_for_the_check_to_tell(given: str, iso: str) -> None:
    toml = 'date_format = "%d/%m/%Y"\n[columns]\ndate_maj = "MAJ"'
    assert applied(toml, MAJ=given)["date_maj"] == iso


def test_terms_are_found_without_case_and_accents_unless_excluded() -> None:
    toml = (
        '[[term]]\ntarget = "frais_a_charge"\ncolumns = ["a", "b"]\nterms = ["gratuit"]\nexcluding = ["condition"]\n'
        'value = "Gratuit"\n[[term]]\ntarget = "frais_a_charge"\ncolumns = ["c"]\nvalue = "Payant"\n'
    )
    assert applied(toml, a="GRATUIT")["frais_a_charge"] == "Gratuit"
    assert applied(toml, a="gratuit sous condition")["frais_a_charge"] == ""
    assert applied(toml, b="gratuit", c="5 €")["frais_a_charge"] == "Gratuit|Payant"


def test_a_value_without_a_term_is_told_where_the_mapping_wants_that() -> None:
    toml = (
        'must_map = ["typologie"]\n[[term]]\ntarget = "typologie"\ncolumns = ["T"]\nterms = ["asso"]\nvalue = "ASSO"\n'
    )
    _, found = apply(read_mapping((BASE + toml).encode()), 7, {"T": "Château"})
    assert [(one.row, one.column, one.code, one.value) for one in found] == [(7, "typologie", "unmapped", "Château")]
    assert apply(read_mapping((BASE + toml).encode()), 7, {"T": "Association"})[1] == []


@pytest.mark.parametrize(
    ("days", "text"),
    [
        ({"L": "9h-12h", "M": "9h-12h", "J": "14 h 30 à 17 h"}, "Mo-Tu 09:00-12:00; Th 14:30-17:00"),
        ({"L": "09:00 - 11:00, 15:30 - 17:30"}, "Mo 09:00-11:00,15:30-17:30"),
        ({"L": "fermé", "M": "8h-12h"}, "Mo off; Tu 08:00-12:00"),
        ({"L": "le matin"}, "Mo le matin"),
        ({"L": "9h-25h"}, "Mo 9h-25h"),
        ({}, ""),
    ],
)
def test_hours_by_day_become_one_text_and_what_is_not_understood_stays(days: dict[str, str], text: str) -> None:
    toml = '[hours]\nMo = "L"\nTu = "M"\nTh = "J"'
    assert applied(toml, **days)["horaires"] == text
