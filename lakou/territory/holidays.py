"""Public holidays: the eleven of the Code du travail (L3133-1), Easter's date, and those of a territory. Pure.

Overseas territories have a day of their own (abolition of slavery: 22 May in Martinique, L3422-2), which libraries that
know "FR" leave out. A *customary* day is one on which much is closed by use and not by law.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Literal

import msgspec


class Holiday(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A day of each year: `day` is month-day (`05-22`), or `easter-2`, `easter+39` in days from Easter Sunday."""

    day: str
    name: str
    kind: Literal["legal", "customary"] = "legal"
    to_verify: bool = False

    def problem(self) -> str:
        """What is wrong with the day, in words; empty when nothing is."""
        try:
            self.on(2024)
        except ValueError:
            return "month-day such as 05-22, or easter+39"
        return "" if self.name.strip() else "the day needs a name"

    def on(self, year: int) -> date:
        """The day in a year. Raises ValueError for a text that is no day."""
        if self.day.startswith("easter"):
            return easter(year) + timedelta(days=int(self.day.removeprefix("easter") or "0"))
        return date.fromisoformat(f"{year}-{self.day}")


NATIONAL = (
    Holiday("01-01", "Jour de l'an"),
    Holiday("easter+1", "Lundi de Pâques"),
    Holiday("05-01", "Fête du Travail"),
    Holiday("05-08", "Victoire 1945"),
    Holiday("easter+39", "Ascension"),
    Holiday("easter+50", "Lundi de Pentecôte"),
    Holiday("07-14", "Fête nationale"),
    Holiday("08-15", "Assomption"),
    Holiday("11-01", "Toussaint"),
    Holiday("11-11", "Armistice 1918"),
    Holiday("12-25", "Noël"),
)


def of_year(year: int, local: Iterable[Holiday] = ()) -> dict[str, str]:
    """Names by ISO date, in the order of the year: national and local, legal and customary."""
    days: dict[str, str] = {}
    for holiday in (*NATIONAL, *local):
        try:
            day = holiday.on(year).isoformat()
        except ValueError:  # 29 February
            continue
        days[day] = f"{days[day]}, {holiday.name}" if day in days else holiday.name
    return dict(sorted(days.items()))


def days_of(year: int, local: Iterable[Holiday], kind: Literal["legal", "customary"]) -> set[date]:
    """The days of one kind in a year, national and local."""
    days = set()
    for holiday in (*NATIONAL, *local):
        if holiday.kind == kind:
            with contextlib.suppress(ValueError):  # 29 February
                days.add(holiday.on(year))
    return days


def easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar (Meeus, Jones and Butcher)."""
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    m = (32 + 2 * e + 2 * i - h - k) % 7
    n = (a + 11 * h + 22 * m) // 451
    month, day = divmod(h + m - 7 * n + 114, 31)
    return date(year, month, day + 1)
