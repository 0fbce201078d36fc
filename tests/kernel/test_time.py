"""Instants, intervals and durations: what is read, what is refused, and the one written form."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakou.kernel import time
from lakou.kernel.errors import BadRequest

NEW_YEAR_2020 = 1_577_836_800_000_000


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2020-01-01T00:00:00Z", NEW_YEAR_2020),
        ("2020-01-01T00:00:00.5Z", NEW_YEAR_2020 + 500_000),
        ("2020-01-01T00:00:00.123Z", NEW_YEAR_2020 + 123_000),
        ("2020-01-01T00:00:00.123456Z", NEW_YEAR_2020 + 123_456),
        ("2020-01-01T00:00:00.123456789Z", NEW_YEAR_2020 + 123_456),
        ("2020-01-01T00:00:00,25Z", NEW_YEAR_2020 + 250_000),
        ("2020-01-01t00:00:00z", NEW_YEAR_2020),
        ("2020-01-01T00:00:00", NEW_YEAR_2020),
        ("2020-01-01T00:00Z", NEW_YEAR_2020),
        ("2020-01-01T02:00:00+02:00", NEW_YEAR_2020),
        ("2020-01-01T02:00:00+0200", NEW_YEAR_2020),
        ("2020-01-01T02:00:00+02", NEW_YEAR_2020),
        ("2019-12-31T20:00:00-04:00", NEW_YEAR_2020),
        ("0001-01-01T00:00:00Z", time.MIN_INSTANT),
        ("9999-12-31T23:59:59.999999Z", time.MAX_INSTANT),
    ],
)
def test_instant_is_read(text: str, micros: int) -> None:
    assert time.parse_instant(text) == micros


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2020-01-01",
        "2020-01-01 00:00:00Z",
        "20200101T000000Z",
        "2020-W01-1T00:00:00Z",
        "2020-001T00:00:00Z",
        "2020-13-01T00:00:00Z",
        "2020-02-30T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "12020-01-01T00:00:00Z",
        "2020-01-01T24:00:00Z",
        "2020-01-01T00:60:00Z",
        "2016-12-31T23:59:60Z",
        "2020-01-01T00:00:00+25:00",
        "2020-01-01T00:00:00+02:60",
        "2020-01-01T00:00:00.Z",
        "2020-01-01T00:00:00.1234567890Z",
        "0001-01-01T00:00:00+02:00",
        "9999-12-31T23:59:59-02:00",
        "٢٠٢٠-01-01T00:00:00Z",
        "2020-01-01T00:00:00Z\n",
        "\0" * 20,
    ],
)
def test_instant_is_refused_with_a_hint(text: str) -> None:
    with pytest.raises(BadRequest) as caught:
        time.parse_instant(text)
    assert caught.value.error_code == "time_syntax"
    assert caught.value.hint


def test_second_60_says_that_leap_seconds_are_not_kept() -> None:
    with pytest.raises(BadRequest) as caught:
        time.parse_instant("2016-12-31T23:59:60Z")
    assert "leap" in (caught.value.hint or "")


def test_long_offending_text_is_shortened() -> None:
    with pytest.raises(BadRequest) as caught:
        time.parse_instant("x" * 10_000)
    assert len(caught.value.message) < 100


def test_offset_is_kept_as_written() -> None:
    assert time.parse_instant_offset("2019-12-31T20:00:00-04:30") == (NEW_YEAR_2020 + 30 * time.MINUTE, -270)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("2020-01-01T00:00:00Z/2020-01-01T01:00:00Z", time.HOUR),
        ("2020-01-01T00:00:00Z/PT1H", time.HOUR),
        ("2020-01-01T00:00:00Z/2020-01-01T00:00:00Z", 0),
    ],
)
def test_interval_is_read(text: str, length: int) -> None:
    assert time.parse_interval(text) == (NEW_YEAR_2020, NEW_YEAR_2020 + length)
    assert time.parse_time_value(text) == (NEW_YEAR_2020, NEW_YEAR_2020 + length)


def test_interval_may_begin_with_a_duration() -> None:
    assert time.parse_interval("PT1H/2020-01-01T00:00:00Z") == (NEW_YEAR_2020 - time.HOUR, NEW_YEAR_2020)


@pytest.mark.parametrize(
    "text",
    [
        "2020-01-02T00:00:00Z/2020-01-01T00:00:00Z",
        "2020-01-02T00:00:00Z/-PT1H",
        "2020-01-02T00:00:00Z",
        "2020-01-02T00:00:00Z/",
        "/2020-01-02T00:00:00Z",
        "P1D/P1D",
        "a/b/c",
        "9999-12-31T00:00:00Z/P20D",
        "P20D/0001-01-02T00:00:00Z",
    ],
)
def test_interval_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        time.parse_interval(text)


def test_time_value_of_an_instant_has_no_end() -> None:
    assert time.parse_time_value("2020-01-01T00:00:00Z") == (NEW_YEAR_2020, None)


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("P1D", time.DAY),
        ("PT1H", time.HOUR),
        ("P1DT2H3M4.5S", time.DAY + 2 * time.HOUR + 3 * time.MINUTE + 4_500_000),
        ("-PT0.000001S", -1),
        ("+P2W", 2 * time.WEEK),
        ("PT0S", 0),
        ("pt15m", 15 * time.MINUTE),
    ],
)
def test_duration_is_read(text: str, micros: int) -> None:
    assert time.parse_duration(text) == micros


@pytest.mark.parametrize("text", ["", "P", "PT", "P1DT", "1D", "P1Y", "P1M", "P1.5D", "P1H", "P999999999D", "PT1S "])
def test_duration_is_refused(text: str) -> None:
    with pytest.raises(BadRequest) as caught:
        time.parse_duration(text)
    assert caught.value.error_code == "duration_syntax"
    assert caught.value.hint


def test_date_and_time_of_day() -> None:
    assert time.parse_date("1970-01-02") == 1
    assert time.parse_time_of_day("13:20:05.5") == 13 * time.HOUR + 20 * time.MINUTE + 5_500_000
    for text in ("2020-02-30", "2020-1-1", "x"):
        with pytest.raises(BadRequest):
            time.parse_date(text)
    for text in ("24:00", "1:00", "12:00:60", "x"):
        with pytest.raises(BadRequest):
            time.parse_time_of_day(text)


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (NEW_YEAR_2020 + 500_000, "2020-01-01T00:00:00.500Z"),
        (NEW_YEAR_2020 + 1, "2020-01-01T00:00:00.000001Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (time.MIN_INSTANT, "0001-01-01T00:00:00Z"),
        (time.MAX_INSTANT, "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_instant_is_written_in_one_form(micros: int, text: str) -> None:
    assert time.format_instant(micros) == text


def test_interval_is_written_with_a_slash() -> None:
    assert time.format_interval(0, time.DAY) == "1970-01-01T00:00:00Z/1970-01-02T00:00:00Z"


@settings(deadline=None)
@given(st.integers(time.MIN_INSTANT, time.MAX_INSTANT))
def test_written_instants_read_back(micros: int) -> None:
    assert time.parse_instant(time.format_instant(micros)) == micros


@settings(deadline=None)
@given(st.datetimes(timezones=st.timezones()))
def test_reading_agrees_with_the_standard_library(moment: datetime) -> None:
    try:
        expected = moment.astimezone(UTC)
    except OverflowError:
        return
    gap = moment.utcoffset()
    # Offsets with seconds existed before the twentieth century; ISO 8601 has no form for them.
    if gap is not None and gap.seconds % 60 == 0:
        micros = (expected - time.EPOCH).days * time.DAY + (expected - time.EPOCH).seconds * time.SECOND
        assert time.parse_instant(moment.isoformat()) == micros + expected.microsecond


@settings(deadline=None)
@given(st.text(alphabet="0123456789TZtz:-+./,P DHMSWY²٣", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    for parse in (time.parse_time_value, time.parse_duration, time.parse_date, time.parse_time_of_day):
        try:
            parse(text)
        except BadRequest:
            continue


@settings(deadline=None)
@given(st.from_regex(r"[0-9W-]{10}T[0-9:.,+]{8,15}Z", fullmatch=True) | st.sampled_from(["2020-01-01T00:00:00.Z"]))
def test_the_fast_way_accepts_no_more_than_the_exact_one(text: str) -> None:
    try:
        expected = time.parse_instant_offset(text)[0]
    except BadRequest:
        with pytest.raises(BadRequest):
            time.parse_instant(text)
    else:
        assert time.parse_instant(text) == expected


def test_now_is_in_microseconds() -> None:
    assert abs(time.now() - datetime.now(UTC).timestamp() * 1e6) < 10 * time.SECOND
