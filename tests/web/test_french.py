"""Numbers, ages and clocks follow French typography."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakou.web import french

ZONE = ZoneInfo("America/Martinique")
NOON_S = datetime(2026, 11, 22, 18, 32, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.0, "0"),
        (-0.0, "0"),
        (0.447, "0,447"),
        (2.5, "2,5"),
        (-2.5, "−2,5"),
        (45, "45"),
        (1013.25, "1\u202f013"),
        (12345.6, "12\u202f346"),
        (1234567, "1\u202f234\u202f567"),
        (0.000613, "0,000613"),
        (1.2e-7, "1,2\u202f×\u202f10⁻⁷"),
        (-3e20, "−3\u202f×\u202f10²⁰"),
    ],
)
def test_numbers_use_a_comma_narrow_spaces_and_a_true_minus(value: float, text: str) -> None:
    assert french.number(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_finite_number_has_a_text_without_a_full_stop(value: float) -> None:
    text = french.number(value)
    assert text
    assert "." not in text
    assert " " not in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "—"),
        (True, "oui"),
        (False, "non"),
        (3.5, "3,5\u202fm"),
        ("fermé", "fermé"),
        ("x" * 200, "x" * 79 + "…"),
        ([1, 2, 3], "3\u00a0valeurs"),
        ({"a": 1}, "valeur composée"),
        ({"type": "Point", "coordinates": [-61.0, 14.613]}, "14,6130°\u202fN, 61,0000°\u202fO"),
        ({"type": "Point", "coordinates": ["x"]}, "valeur composée"),
    ],
)
def test_any_result_has_a_text(value: object, text: str) -> None:
    assert french.result(value, "m") == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "aucune mesure"),
        (0, "à l'instant"),
        (12, "il y a 12\u202fs"),
        (59.9, "il y a 59\u202fs"),
        (180, "il y a 3\u202fmin"),
        (7_300, "il y a 2\u202fh"),
        (47 * 3600, "il y a 47\u202fh"),
        (4 * 86_400, "il y a 4\u202fj"),
        (-600, "dans 10\u202fmin"),
    ],
)
def test_ages(seconds: float | None, text: str) -> None:
    assert french.age(seconds) == text


def test_clocks_are_the_territory_s() -> None:
    assert french.clock(NOON_S, ZONE) == "14\u202fh\u202f32"
    assert french.day_clock(NOON_S, ZONE) == "22\u202fnov. 2026, 14\u202fh\u202f32"


def test_counts_are_singular_below_two() -> None:
    assert french.count(0, "objet", "objets") == "0\u00a0objet"
    assert french.count(1, "objet", "objets") == "1\u00a0objet"
    assert french.count(2, "objet", "objets") == "2\u00a0objets"
