"""Opening hours: the form is checked, plain hours are read, and nobody is told open or closed when it is not sure."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakou.territory.opening_hours import in_french, is_well_formed, read_week, status_at

TEXT = "Mo-Fr 09:00-12:00,14:00-18:30; Sa 08:30-12:00"


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        "24/7",
        "Mo-Su 08:00-20:00; PH off",
        "Mo,We,Fr 08:00-12:00",
        "08:00-18:00",
        "Mo-Fr 08:00-12:00, Sa 09:00-11:00",
        "Jul-Aug Mo-Fr 08:00-14:00; Sep-Jun Mo-Fr 08:00-17:00",
        "week 1-53/2 Tu 09:00-12:00",
        "Mo-Fr sunrise-sunset",
        'Mo-Fr 09:00-12:00 "sur rendez-vous"',
        "Fr 20:00-02:00",
        "Th[1] 14:00-17:00",
        "Mo-Th 09:00+",
        "Dec 25 off",
    ],
)
def test_forms_of_the_specification_are_accepted(text: str) -> None:
    assert is_well_formed(text)


@pytest.mark.parametrize(
    "text", ["", ";", "tous les jours", "Lu-Ve 9h-12h", "Mo-Fr 9h-12h", "Mo 08:00", "Mo 08:00-99:00", "x" * 3000]
)
def test_other_texts_are_not(text: str) -> None:
    assert not is_well_formed(text)


@pytest.mark.parametrize(
    ("local", "status"),
    [
        (datetime(2026, 11, 26, 10, tzinfo=UTC), "open"),
        (datetime(2026, 11, 26, 12, tzinfo=UTC), "closed"),
        (datetime(2026, 11, 28, 8, 30, tzinfo=UTC), "open"),
        (datetime(2026, 11, 29, 10, tzinfo=UTC), "closed"),
        (datetime(2026, 5, 22, 10, tzinfo=UTC), None),
    ],
)
def test_open_or_closed_and_on_a_holiday_neither(local: datetime, status: str | None) -> None:
    assert status_at(TEXT, local, {date(2026, 5, 22)}) == status


def test_what_is_said_of_holidays_settles_them() -> None:
    local = datetime(2026, 5, 22, 10, tzinfo=UTC)
    assert status_at(TEXT + "; PH off", local, {local.date()}) == "closed"
    assert status_at(TEXT + "; PH 09:00-11:00", local, {local.date()}) == "open"


def test_the_day_after_a_holiday_is_a_day_like_others() -> None:
    local = datetime(2026, 2, 19, 10, tzinfo=UTC)
    yesterday = {date(2026, 2, 18)}
    assert status_at(TEXT, local, (), yesterday) == "open"
    assert status_at(TEXT, local, yesterday) == "open"
    assert status_at(TEXT, local, (), {local.date()}) is None


def test_hours_past_midnight_belong_to_the_evening_before() -> None:
    assert status_at("Fr 20:00-02:00", datetime(2026, 11, 28, 1, tzinfo=UTC), ()) == "open"
    assert status_at("Fr 20:00-02:00", datetime(2026, 11, 28, 3, tzinfo=UTC), ()) == "closed"


@pytest.mark.parametrize(
    "text",
    [
        "Jul-Aug Mo-Fr 08:00-14:00",
        "SH off",
        "Mo-Fr sunrise-sunset",
        'Mo 09:00-12:00 "rdv"',
        "Th[1] 14:00-17:00",
        "n'importe",
    ],
)
def test_what_depends_on_more_than_the_week_is_neither_open_nor_closed(text: str) -> None:
    assert read_week(text) is None
    assert status_at(text, datetime(2026, 11, 26, 10, tzinfo=UTC), ()) is None
    assert in_french(text) == []


def test_hours_are_said_as_french_readers_write_them() -> None:
    assert in_french(TEXT) == [
        ("lundi au vendredi", "9\u202fh – 12\u202fh, 14\u202fh – 18\u202fh\u202f30"),
        ("samedi", "8\u202fh\u202f30 – 12\u202fh"),
        ("dimanche", "fermé"),
    ]
    assert in_french("24/7; PH off") == []
    assert in_french("Fr 20:00-02:00")[1] == ("vendredi", "20\u202fh – 2\u202fh")


@given(st.text(alphabet='MoTuWeThFrSaSuPHo 0123456789:-,;+"[]', max_size=40), st.datetimes())
def test_any_text_gets_an_answer(text: str, local: datetime) -> None:
    assert status_at(text, local, ()) in ("open", "closed", None)
    assert all(len(line) == 2 for line in in_french(text))
