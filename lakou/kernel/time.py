"""Instants, intervals and durations: text in ISO 8601 on the wire, integer microseconds inside.

Everything is an int: microseconds since 1970-01-01T00:00:00Z, or a length in microseconds. First and last stage
of every time value; used by payloads, filters, rendering and rules alike. Reading is generous (offset with or
without colon, comma fraction, lower-case t and z), writing has one form. Source: ISO 8601-1, RFC 3339 §5.6.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from lakou.kernel.errors import BadRequest

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_PLAIN = EPOCH.replace(tzinfo=None)
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()

MIN_INSTANT = (date.min.toordinal() - _EPOCH_ORDINAL) * DAY
MAX_INSTANT = (date.max.toordinal() + 1 - _EPOCH_ORDINAL) * DAY - 1
# A duration must fit beside any instant in 64 bits: 20,000 years either way is beyond every use.
MAX_DURATION = 7_305_000 * DAY

_INSTANT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?:([Zz])|([+-])(\d\d)(?::?(\d\d))?)?",
    re.ASCII,
)
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)", re.ASCII)
_TIME_OF_DAY = re.compile(r"(\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?", re.ASCII)
_DURATION = re.compile(
    r"([+-])?P(?:(\d{1,9})Y)?(?:(\d{1,9})M)?(?:(\d{1,9})W)?(?:(\d{1,9})D)?"
    r"(T(?:(\d{1,12})H)?(?:(\d{1,12})M)?(?:(\d{1,15})(?:[.,](\d{1,9}))?S)?)?",
    re.ASCII | re.IGNORECASE,
)
_HINT = "write a date-time as 2026-11-22T08:30:00Z or 2026-11-22T04:30:00-04:00"


def now() -> int:
    """The current instant in microseconds."""
    return time.time_ns() // 1000


def parse_instant(text: str) -> int:
    """An ISO 8601 date-time to microseconds; digits below a microsecond are cut.

    Without an offset the text is taken as UTC. Raises BadRequest `time_syntax`.
    """
    # The common form `…T…Z` goes to the standard library's C parser; these places rule out the other ISO forms
    # that it would accept (basic, week dates, odd separators, an empty fraction).
    if (
        20 <= len(text) <= 27
        and text[-1] == "Z"
        and text[10] == "T"
        and text[7] == "-"
        and text[16] == ":"
        and text[-2] not in ".,"
    ):
        try:
            gap = datetime.fromisoformat(text) - EPOCH
        except ValueError:
            pass
        else:
            return (gap.days * 86_400 + gap.seconds) * 1_000_000 + gap.microseconds
    return parse_instant_offset(text)[0]


def parse_instant_offset(text: str) -> tuple[int, int]:
    """As `parse_instant`, with the written offset in minutes east of UTC (0 when absent)."""
    found = _INSTANT.fullmatch(text)
    if found is None:
        raise _refuse(text, "is not a date-time")
    year, month, day, hour, minute, second, fraction, _, sign, offset_h, offset_m = found.groups()
    days = _days(text, year, month, day)
    within = _micros_of_day(text, hour, minute, second, fraction)
    offset = 0
    if sign:
        hours, minutes = int(offset_h), int(offset_m or 0)
        if hours > 18 or minutes > 59:
            raise _refuse(text, "has an offset out of range (at most 18 hours)")
        offset = (hours * 60 + minutes) * (-1 if sign == "-" else 1)
    micros = days * DAY + within - offset * MINUTE
    if not MIN_INSTANT <= micros <= MAX_INSTANT:
        raise _refuse(text, "is outside the years 0001 to 9999 in UTC")
    return micros, offset


def parse_date(text: str) -> int:
    """`2026-11-22` to days since 1970-01-01. Raises BadRequest `time_syntax`."""
    found = _DATE.fullmatch(text)
    if found is None:
        raise _refuse(text, "is not a date", hint="write a date as 2026-11-22")
    return _days(text, *found.groups())


def parse_time_of_day(text: str) -> int:
    """`13:20:05.5` or `13:20` to microseconds since midnight. Raises BadRequest `time_syntax`."""
    found = _TIME_OF_DAY.fullmatch(text)
    if found is None:
        raise _refuse(text, "is not a time of day", hint="write a time of day as 13:20:05")
    return _micros_of_day(text, *found.groups())


def parse_duration(text: str) -> int:
    """`P1DT2H3M4.5S`, `-PT30M` or `P2W` to microseconds, negative with a leading minus.

    Years and months are refused: their length depends on the date. Raises BadRequest `duration_syntax`.
    """
    found = _DURATION.fullmatch(text)
    hint = "write a duration as P1DT2H30M or PT0.5S"
    if found is None:
        raise BadRequest(f"'{shorten(text)}' is not a duration", code="duration_syntax", hint=hint)
    sign, years, months, weeks, days, clock, hours, minutes, seconds, fraction = found.groups()
    if years or months:
        raise BadRequest(
            f"'{shorten(text)}' counts years or months, whose length varies",
            code="duration_syntax",
            hint="use days (P30D, P365D), hours, minutes or seconds",
        )
    parts = (weeks, days, hours, minutes, seconds)
    if all(part is None for part in parts) or clock in ("T", "t"):
        raise BadRequest(f"'{shorten(text)}' is a duration without a number", code="duration_syntax", hint=hint)
    units = (WEEK, DAY, HOUR, MINUTE, SECOND)
    micros = sum(int(part or 0) * unit for part, unit in zip(parts, units, strict=True)) + _fraction(fraction)
    if micros > MAX_DURATION:
        raise BadRequest(f"'{shorten(text)}' is longer than 20,000 years", code="duration_syntax", hint=hint)
    return -micros if sign == "-" else micros


def parse_interval(text: str) -> tuple[int, int]:
    """`start/end`, `start/PT1H` or `PT1H/end` to (start, end) in microseconds, start ≤ end.

    Raises BadRequest `time_syntax`.
    """
    first, slash, second = text.partition("/")
    if not slash or "/" in second:
        raise _refuse(text, "is not an interval", hint="write an interval as start/end, each a date-time")
    first_lasts, second_lasts = _looks_like_duration(first), _looks_like_duration(second)
    if first_lasts and second_lasts:
        raise _refuse(text, "has no start or end", hint="one side of an interval must be a date-time")
    if first_lasts:
        end = parse_instant(second)
        start = end - parse_duration(first)
    else:
        start = parse_instant(first)
        end = start + parse_duration(second) if second_lasts else parse_instant(second)
    if start > end:
        raise _refuse(text, "ends before it starts", hint="write the earlier date-time first")
    if start < MIN_INSTANT or end > MAX_INSTANT:
        raise _refuse(text, "is outside the years 0001 to 9999 in UTC")
    return start, end


def parse_time_value(text: str) -> tuple[int, int | None]:
    """An instant gives (micros, None), an interval gives (start, end). Raises BadRequest `time_syntax`."""
    if "/" in text:
        return parse_interval(text)
    return parse_instant(text), None


def format_instant(micros: int) -> str:
    """`2026-11-22T08:30:00Z`, with `.fff` for whole milliseconds or `.ffffff` else; years 0001 to 9999 only."""
    days, rest = divmod(micros, DAY)
    seconds, fraction = divmod(rest, SECOND)
    whole = _date(days) + _MINUTES[seconds // 60] + _SECONDS[seconds % 60]
    if not fraction:
        return whole + "Z"
    return f"{whole}.{fraction // 1000:03}Z" if fraction % 1000 == 0 else f"{whole}.{fraction:06}Z"


# A page of Observations writes thousands of instants of the same few days: tables are three times as fast.
_MINUTES = tuple(f"T{minute // 60:02}:{minute % 60:02}:" for minute in range(1440))
_SECONDS = tuple(f"{second:02}" for second in range(60))


@lru_cache(maxsize=4096)
def _date(days: int) -> str:
    return (_EPOCH_PLAIN + timedelta(days)).date().isoformat()


def format_interval(start: int, end: int) -> str:
    """`start/end`, each as `format_instant` writes it."""
    return f"{format_instant(start)}/{format_instant(end)}"


def shorten(text: str, limit: int = 60) -> str:
    """Offending input cut to `limit` characters, without control characters, for an error message."""
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    return "".join(char if char.isprintable() else "�" for char in cut)


def _looks_like_duration(text: str) -> bool:
    return text[:1] in ("P", "p") or text[1:2] in ("P", "p")


def _days(text: str, year: str, month: str, day: str) -> int:
    try:
        return date(int(year), int(month), int(day)).toordinal() - _EPOCH_ORDINAL
    except ValueError:
        raise _refuse(text, "names a day that does not exist") from None


def _micros_of_day(text: str, hour: str, minute: str, second: str | None, fraction: str | None) -> int:
    hours, minutes, seconds = int(hour), int(minute), int(second or 0)
    if hours > 23 or minutes > 59:
        raise _refuse(text, "has an hour above 23 or a minute above 59", hint="midnight is 00:00:00 of the next day")
    if seconds > 59:
        raise _refuse(text, "has a second above 59", hint="leap seconds are not kept: write second 59")
    return hours * HOUR + minutes * MINUTE + seconds * SECOND + _fraction(fraction)


def _fraction(digits: str | None) -> int:
    return int(digits[:6].ljust(6, "0")) if digits else 0


def _refuse(text: str, why: str, hint: str = _HINT) -> BadRequest:
    return BadRequest(f"'{shorten(text)}' {why}", code="time_syntax", hint=hint)
