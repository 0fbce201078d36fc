"""The report counts by cause and column, worst first, and its file is safe in a spreadsheet and loses nothing."""

from __future__ import annotations

import csv
import io

import pytest

from lakou.territory.findings import CAUSES, Finding, Report, guarded, report_csv
from lakou.territory.tables import Row

FOUND = [
    Finding(2, "site_web", "url", "exemple.fr"),
    Finding(3, "site_web", "url", "autre.fr"),
    Finding(3, "telephone", "pattern", "=1+1", "+596596123456"),
    Finding(0, "Autre", "unknown_column"),
]


def test_causes_come_errors_first_and_then_by_number() -> None:
    found = [(cause.code, column, amount) for cause, column, amount in Report(findings=FOUND).causes()]
    assert found == [("pattern", "telephone", 1), ("url", "site_web", 2)]
    assert Report(findings=FOUND).columns() == [("telephone", 1, 0), ("site_web", 0, 2)]


def test_the_file_has_refused_rows_whole_and_no_formula() -> None:
    rows = {number: Row(number, f'"{number}","x"', {}) for number in (2, 3)}
    read = list(csv.DictReader(io.StringIO(report_csv(Report(findings=FOUND), rows))))
    assert [(one["ligne"], one["gravite"]) for one in read] == [
        ("2", "avertissement"),
        ("3", "avertissement"),
        ("3", "erreur"),
        ("0", "avertissement"),
    ]
    assert read[2]["valeur"] == "'=1+1"
    assert [one["ligne_entiere"] for one in read] == ["", "", '"3","x"', ""]


@pytest.mark.parametrize("cell", ["=1+1", "+596 x", "-rue", "@x", "\tx", "\rx", "+596596123456x"])
def test_what_a_spreadsheet_would_run_gets_an_apostrophe(cell: str) -> None:
    assert guarded(cell) == "'" + cell


@pytest.mark.parametrize("cell", ["", "-60.998", "+596596123456", "rue", "1=1", "-1e5"])
def test_numbers_and_words_stay_as_they_are(cell: str) -> None:
    assert guarded(cell) == cell


def test_every_cause_has_a_text_and_a_severity() -> None:
    assert all(cause.text and cause.severity in ("error", "warning") for cause in CAUSES.values())
