"""Opening hours in OpenStreetMap's form: is the text well formed, what does it say in French, is it open now.

The form is checked whole (days, months, weeks, holidays, spans, comments). What is read into hours of a week is only
the plain part of it, days and spans; anything else is `None`, and then nobody is told "open" or "closed": unknown is
never shown as fine. Holidays are the territory's own (22 May in Martinique), which no library knows.
Source: OSM wiki, Key:opening_hours/specification.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
WORDS = ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche")
LONGEST = 2_000

_DAY = r"(?:Mo|Tu|We|Th|Fr|Sa|Su)"
_NTH = r"(?:\[-?[1-5](?:[-,]-?[1-5])*\])?"
_DAYS = rf"(?:{_DAY}{_NTH}(?:-{_DAY})?|PH|SH)(?:,\s?(?:{_DAY}{_NTH}(?:-{_DAY})?|PH|SH))*"
_CLOCK = r"(?:[0-3]?\d|4[0-8]):[0-5]\d"
_SUN = r"(?:sunrise|sunset|dawn|dusk)"
_TIME = rf"(?:{_CLOCK}|{_SUN}|\({_SUN}[+-]{_CLOCK}\))"
_SPANS = rf"{_TIME}(?:-{_TIME}\+?|\+)(?:,\s?{_TIME}(?:-{_TIME}\+?|\+))*"
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_DATE = rf"(?:20\d\d\s)?(?:{_MONTH}(?:\s[0-3]?\d)?|easter)"
_RANGE = rf"{_DATE}(?:-(?:{_DATE}|[0-3]?\d))?"
_DATES = rf"{_RANGE}(?:,\s?{_RANGE})*"
_WEEKS = r"week\s[0-5]?\d(?:-[0-5]?\d)?(?:/\d)?(?:,[0-5]?\d(?:-[0-5]?\d)?)*"
_STATE = r"(?:open|off|closed|unknown)"
_NOTE = r"\"[^\"]*\""
_RULE = re.compile(
    rf"(?:20\d\d(?:-20\d\d)?:?\s?)?(?:{_DATES}:?\s?)?(?:{_WEEKS}:?\s?)?"
    rf"(?:24/7|{_DAYS}:?(?:\s?{_SPANS})?|{_SPANS})?(?:\s?{_STATE})?(?:\s?{_NOTE})?",
    re.ASCII,
)
_PLAIN = re.compile(
    rf"(?P<days>{_DAYS})?\s?(?P<spans>{_CLOCK}-{_CLOCK}(?:,\s?{_CLOCK}-{_CLOCK})*|off|closed)", re.ASCII
)
_SEPARATOR = re.compile(r"\s*(?:;|\|\|)\s*|,\s+(?=(?:Mo|Tu|We|Th|Fr|Sa|Su|PH|SH)\b[^;]*?\d\d?:)")

Span = tuple[int, int]
Status = Literal["open", "closed"]


@dataclass(frozen=True, slots=True)
class Week:
    """Spans in minutes of the day for Monday to Sunday (above 1,440: past midnight), and for public holidays.

    `holidays` is None when the text says nothing about them.
    """

    days: tuple[tuple[Span, ...], ...]
    holidays: tuple[Span, ...] | None


def is_well_formed(text: str) -> bool:
    """Whether every rule of the text has the form of the specification."""
    rules = _rules(text)
    return len(text) <= LONGEST and bool(rules) and all(_RULE.fullmatch(rule) for rule in rules)


def read_week(text: str) -> Week | None:
    """The hours of any week, when the text holds nothing but days and spans; None otherwise."""
    if text.strip() == "24/7":
        return Week((((0, 1440),),) * 7, ((0, 1440),))
    days: dict[int, tuple[Span, ...]] = {}
    holidays: tuple[Span, ...] | None = None
    if not is_well_formed(text):
        return None
    for rule in _rules(text):
        found = _PLAIN.fullmatch(rule)
        if found is None or "[" in rule or "SH" in rule:
            return None
        spans = _spans(found["spans"])
        names = re.split(r",\s?", found["days"]) if found["days"] else ["Mo-Su"]
        for name in names:
            if name == "PH":
                holidays = spans
                continue
            for day in _days(name):
                days[day] = spans
    if not days:
        return None
    return Week(tuple(days.get(day, ()) for day in range(7)), holidays)


def status_at(text: str, local: datetime, holidays: Collection[date], unsure: Collection[date] = ()) -> Status | None:
    """Open or closed at a local time; None when the text does not settle it, on a public holiday above all.

    On `unsure` days much is closed by use and not by law: what is said of public holidays settles nothing then.
    """
    week = read_week(text)
    if week is None:
        return None
    minute = local.hour * 60 + local.minute
    for back in (0, 1):
        day = local.date() - timedelta(days=back)
        spans = week.days[day.weekday()]
        if back and all(end <= 1440 for _, end in (*spans, *(week.holidays or ()))):
            continue  # nothing of yesterday reaches into today
        if day in unsure:
            return None
        if day in holidays:
            if week.holidays is None:
                return None
            spans = week.holidays
        if any(start <= minute + back * 1440 < end for start, end in spans):
            return "open"
    return "closed"


def in_french(text: str) -> list[tuple[str, str]]:
    """Days and hours as French readers write them, days that are alike together; empty when not plain.

    `[("lundi au vendredi", "9 h – 12 h, 14 h – 17 h 30"), ("samedi et dimanche", "fermé")]`
    """
    week = read_week(text)
    if week is None:
        return []
    lines: list[tuple[str, str]] = []
    day = 0
    while day < 7:
        last = day
        while last < 6 and week.days[last + 1] == week.days[day]:
            last += 1
        joint = " et " if last == day + 1 else " au "
        name = WORDS[day] if last == day else f"{WORDS[day]}{joint}{WORDS[last]}"
        lines.append((name, _hours(week.days[day])))
        day = last + 1
    if week.holidays is not None:
        lines.append(("jours fériés", _hours(week.holidays)))
    return lines


def _rules(text: str) -> list[str]:
    return [rule for rule in _SEPARATOR.split(text.strip()) if rule]


def _spans(text: str) -> tuple[Span, ...]:
    if text in ("off", "closed"):
        return ()
    spans = []
    for span in re.split(r",\s?", text):
        start, end = (int(clock.split(":")[0]) * 60 + int(clock.split(":")[1]) for clock in span.split("-"))
        spans.append((start, end if end > start else end + 1440))
    return tuple(sorted(spans))


def _days(name: str) -> list[int]:
    first, _, last = name.partition("-")
    start = DAYS.index(first)
    length = (DAYS.index(last) - start) % 7 if last else 0
    return [(start + step) % 7 for step in range(length + 1)]


def _hours(spans: tuple[Span, ...]) -> str:
    if not spans:
        return "fermé"
    if spans == ((0, 1440),):
        return "jour et nuit"
    return ", ".join(f"{_clock(start)} – {_clock(end)}" for start, end in spans)


def _clock(minute: int) -> str:
    hour, rest = divmod(minute, 60)
    hour = hour if hour <= 24 else hour - 24
    return f"{hour}\u202fh" + (f"\u202f{rest:02d}" if rest else "")
