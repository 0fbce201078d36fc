"""Holidays of France and of a territory; Easter as the calendar has it."""

from __future__ import annotations

from datetime import date

import pytest

from lakou.territory.holidays import Holiday, easter, of_year
from lakou.territory.profile import load_profile


@pytest.mark.parametrize(
    ("year", "day"),
    [(2024, date(2024, 3, 31)), (2025, date(2025, 4, 20)), (2026, date(2026, 4, 5)), (2038, date(2038, 4, 25))],
)
def test_easter_is_where_the_calendar_has_it(year: int, day: date) -> None:
    assert easter(year) == day


def test_france_has_eleven_days_and_martinique_the_22nd_of_may() -> None:
    assert len(of_year(2026)) == 11
    days = load_profile("martinique").holidays_of(2026)
    assert "esclavage" in days["2026-05-22"]
    assert days["2026-05-14"] == "Ascension"


def test_two_names_on_one_day_stand_together() -> None:
    assert of_year(2008)["2008-05-01"] == "Fête du Travail, Ascension"


@pytest.mark.parametrize("day", ["22-05", "5-22", "easter+x", "", "02-30", "easterly"])
def test_a_text_that_is_no_day_is_told(day: str) -> None:
    assert Holiday(day, "x").problem()
    assert not Holiday("02-29", "x").problem()
