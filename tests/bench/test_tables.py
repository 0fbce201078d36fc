"""The report says what was promised, met, and under which circumstances."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import tables
from bench.promises import BY_KEY, POSTGRES, SQLITE, Measured, Promise
from bench.report import Machine
from bench.session import Settings


def test_a_promise_says_whether_it_is_met() -> None:
    assert Promise("a", "a", "", "≥", 0.6).is_met(0.6) is True
    assert Promise("a", "a", "ms", "≤", 20).is_met(20.1) is False
    assert Promise("a", "a", "ms").is_met(20.1) is None


@pytest.mark.parametrize(
    ("measured", "verdict"),
    [
        (Measured("year_p50", SQLITE, 9.0), tables.MET),
        (Measured("year_p50", SQLITE, 11.0), tables.NOT_MET),
        (Measured("year_p50", SQLITE, 9.0, short=True), tables.TOLD),
        (Measured("year_p50", SQLITE, None), tables.TOLD),
        (Measured("stored", POSTGRES, 9.0), tables.TOLD),
        (Measured("null_rate", SQLITE, 9.0), tables.TOLD),
    ],
)
def test_a_verdict_is_given_only_under_the_circumstances_of_the_promise(measured: Measured, verdict: str) -> None:
    assert tables.verdict(BY_KEY[measured.key], measured) == verdict


def test_the_tables_tell_promise_value_verdict_notes_and_growth() -> None:
    measured = [
        Measured("year_p50", SQLITE, 9.04, "525,600 rows"),
        Measured("mqtt_rate", SQLITE, None, "nothing listens"),
        Measured("grown_single", SQLITE, 8_000, rows=0),
        Measured("grown_single", SQLITE, 7_900, rows=1_000_000),
    ]
    peers = [Measured("single_rate", "Lakou", 8_000), Measured("single_rate", "other", 900)]
    text = tables.markdown(Machine().report(Settings(), measured, peers, ["the rest"], failed=True))

    assert "| one year by hour of one Datastream, p50 | ≤ 10 ms | 9.0 ms | met |" in text
    assert "| MQTT QoS 1, acknowledged after commit | ≥ 12,000 /s | not measured |  |" in text
    assert "| into a store of (SQLite) | empty | 1,000,000 |" in text
    assert "| single POST | 8,000 /s | 7,900 /s |" in text
    assert "| single POST, 64 connections | 8,000 /s | 900 /s |" in text
    assert "- Not measured: the rest" in text


def test_the_tables_replace_what_is_between_the_marks_of_a_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{tables.BEGIN}\nold\n{tables.END}\nafter\n", encoding="utf-8")
    tables.into(page, "new")
    tables.into(page, "newer")

    assert page.read_text(encoding="utf-8") == f"before\n{tables.BEGIN}\nnewer\n{tables.END}\nafter\n"


def test_a_page_without_marks_is_left_as_it_is(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing here", encoding="utf-8")
    with pytest.raises(ValueError, match="expected"):
        tables.into(page, "new")

    assert page.read_text(encoding="utf-8") == "nothing here"
