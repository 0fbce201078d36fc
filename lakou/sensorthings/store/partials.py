"""What rows of Observations come to by hour and by day, counted here instead of by the database: pure.

The same as `sql.rollups.aggregate` and `fold`, for the slices that are sealed all the time (measured: 0.9 µs a row
instead of 5.6 with window functions). Everything rarer is left to SQL, and tests compare the two.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lakou.sensorthings.sql.rollups import DAY, HOUR

Key = tuple[int, int, int]
"""(Datastream, start, class of quality)."""
Row = tuple[int, int, int, float | None, bool, int | None, int | None]
"""(Datastream, time, id, number, whether no quality is said, end, result time)."""
_NOTHING: list[Any] = [0, 0, None, None, None, None, None, None, None, None, None, None, None, None]
_ROWS, _COUNT, _SUM, _MIN, _MAX, _FIRST, _LAST, _END, _PRODUCED = 0, 1, 2, 3, 4, 5, 8, 11, 12


def by_hour(rows: Iterable[Row]) -> dict[Key, list[Any]]:
    """The partials of rows in the order of (Datastream, time, id)."""
    found: dict[Key, list[Any]] = {}
    width = HOUR.micros
    for stream, time, id_, number, unsaid, end, produced in rows:
        key = (stream, time - time % width, 0 if unsaid else 1)
        part = found.get(key)
        if part is None:
            part = found[key] = _NOTHING.copy()
        part[_ROWS] += 1
        if number is not None:
            if part[_COUNT]:
                part[_SUM] += number
                if number < part[_MIN]:
                    part[_MIN] = number
                elif number > part[_MAX]:
                    part[_MAX] = number
            else:
                part[_SUM] = part[_MIN] = part[_MAX] = number
                part[_FIRST : _FIRST + 3] = (time, id_, number)
            part[_COUNT] += 1
            part[_LAST : _LAST + 3] = (time, id_, number)
        if end is not None and (part[_END] is None or end > part[_END]):
            part[_END] = end
        if produced is not None:
            if part[_PRODUCED] is None or produced < part[_PRODUCED]:
                part[_PRODUCED] = produced
            if part[_PRODUCED + 1] is None or produced > part[_PRODUCED + 1]:
                part[_PRODUCED + 1] = produced
    return found


def by_day(hours: dict[Key, list[Any]]) -> dict[Key, list[Any]]:
    """The partials of days from those of hours, in the order of `by_hour`."""
    found: dict[Key, list[Any]] = {}
    width = DAY.micros
    for (stream, start, quality), hour in hours.items():
        key = (stream, start - start % width, quality)
        day = found.get(key)
        if day is None:
            found[key] = hour.copy()
            continue
        day[_ROWS] += hour[_ROWS]
        if hour[_COUNT]:
            if day[_COUNT]:
                day[_SUM] += hour[_SUM]
                day[_MIN] = min(day[_MIN], hour[_MIN])
                day[_MAX] = max(day[_MAX], hour[_MAX])
            else:
                day[_SUM : _SUM + 3] = hour[_SUM : _SUM + 3]
                day[_FIRST : _FIRST + 3] = hour[_FIRST : _FIRST + 3]
            day[_COUNT] += hour[_COUNT]
            day[_LAST : _LAST + 3] = hour[_LAST : _LAST + 3]
        for place, better in ((_END, max), (_PRODUCED, min), (_PRODUCED + 1, max)):
            known = [t for t in (day[place], hour[place]) if t is not None]
            day[place] = better(known) if known else None
    return found
