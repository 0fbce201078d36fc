"""Is a Datastream alive? Judged from the age of its latest value and its usual period; unknown is never fine.

States: *fresh*; *silent* (older than three usual periods, or no value at all); *unpaced* (too few values to know
the period); *ahead* (its clock runs before ours). All but the first are shown grey, with "?" and a word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Literal

State = Literal["fresh", "silent", "unpaced", "ahead"]

PERIODS_BEFORE_SILENCE = 3
# Clocks of devices and server differ a little; more than this is a fault worth showing.
CLOCK_TOLERANCE_S = 60.0

WORDS: dict[State, str] = {
    "fresh": "à jour",
    "silent": "silencieux",
    "unpaced": "rythme inconnu",
    "ahead": "date à venir",
}
SHAPES: dict[State, str] = {"fresh": "●", "silent": "?", "unpaced": "?", "ahead": "?"}


@dataclass(frozen=True, slots=True)
class Freshness:
    """The state with its age in s (None: never measured); `word` and `shape` say it without colour."""

    state: State
    age_s: float | None

    @property
    def word(self) -> str:
        return WORDS[self.state]

    @property
    def shape(self) -> str:
        return SHAPES[self.state]


def usual_period_s(times_s: Sequence[float], declared_s: object = None) -> float | None:
    """The declared period when it is a positive number, else the median gap of at least three instants."""
    if isinstance(declared_s, int | float) and not isinstance(declared_s, bool) and declared_s > 0:
        return float(declared_s)
    instants = sorted(set(times_s))
    if len(instants) < 3:
        return None
    return median(later - earlier for earlier, later in pairwise(instants))


def judge(now_s: float, latest_s: float | None, period_s: float | None) -> Freshness:
    """The freshness of a Datastream whose latest value is of `latest_s`, all in Unix seconds."""
    if latest_s is None:
        return Freshness("silent", None)
    age_s = now_s - latest_s
    if age_s < -CLOCK_TOLERANCE_S:
        return Freshness("ahead", age_s)
    if period_s is None:
        return Freshness("unpaced", age_s)
    return Freshness("silent" if age_s > PERIODS_BEFORE_SILENCE * period_s else "fresh", age_s)


def worst(states: Sequence[State]) -> State:
    """The state of a Thing: silent as soon as one of its Datastreams is not fresh, or when it has none."""
    return "fresh" if states and all(state == "fresh" for state in states) else "silent"
