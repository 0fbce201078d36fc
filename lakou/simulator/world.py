"""The world that the models read: seed, rain, and what a scenario brings; and the timeline of worlds that were played.

An instant belongs to exactly one world of the timeline, so that a value for it is the same whenever it is computed.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import NamedTuple

from lakou.simulator.models.lighting import has_fault
from lakou.simulator.models.meters import Span
from lakou.simulator.models.noise import uniform
from lakou.simulator.models.quake import Quake
from lakou.simulator.models.rain import Rain
from lakou.simulator.models.river import Rivers
from lakou.simulator.models.soil import Soils
from lakou.simulator.models.wave import Wave
from lakou.simulator.models.weather import Cyclone
from lakou.simulator.places import Point, distance_km


class Site(NamedTuple):
    """What the world needs to know of a device: its key, its family and its position."""

    key: str
    family: str
    point: Point


@dataclass(frozen=True, slots=True)
class Spell:
    """A time [start, end) during which something fails, for the devices it strikes.

    Empty `families` and `things` mean all; `share` of those within `radius_km` of `centre` (None: anywhere) are struck,
    drawn by `channel`.
    """

    channel: str
    start_s: float
    end_s: float
    families: frozenset[str] = frozenset()
    things: frozenset[str] = frozenset()
    share: float = 1.0
    centre: Point | None = None
    radius_km: float = 0.0

    def strikes(self, seed: int, site: Site) -> bool:
        """Whether it strikes this device."""
        return (
            (not self.families or site.family in self.families)
            and (not self.things or site.key in self.things)
            and (self.centre is None or distance_km(self.centre, site.point) <= self.radius_km)
            and (self.share >= 1.0 or uniform(seed, f"{self.channel}/{site.key}", 0) < self.share)
        )


Spells = tuple[Spell, ...]
NO_SPELLS: Spells = ()


class World:
    """One seed and one set of events. Devices in `silences` measure nothing; those behind lost `links` send late."""

    def __init__(
        self,
        seed: int,
        rain: Rain | None = None,
        *,
        quakes: tuple[Quake, ...] = (),
        waves: tuple[Wave, ...] = (),
        cyclones: tuple[Cyclone, ...] = (),
        power_cuts: Spells = NO_SPELLS,
        lost_links: Spells = NO_SPELLS,
        silences: Spells = NO_SPELLS,
    ) -> None:
        self.seed = seed
        self.rain = rain or Rain(seed)
        self.rivers = Rivers(self.rain)
        self.soils = Soils(self.rain)
        self.quakes = quakes
        self.waves = waves
        self.cyclones = cyclones
        self._spells = {"power": power_cuts, "link": lost_links, "silence": silences}
        self._spans: dict[tuple[str, str], tuple[Span, ...]] = {}

    def spans(self, what: str, site: Site) -> tuple[Span, ...]:
        """When `what` (power, link or silence) fails for a device: merged spans, ascending."""
        found = self._spans.get((what, site.key))
        if found is None:
            struck = sorted((s.start_s, s.end_s) for s in self._spells[what] if s.strikes(self.seed, site))
            merged: list[Span] = []
            for start, end in struck:
                if merged and start <= merged[-1][1]:
                    merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
                else:
                    merged.append((start, end))
            found = self._spans[what, site.key] = tuple(merged)
        return found

    def fails(self, what: str, site: Site, time_s: float) -> bool:
        """Whether `what` fails for a device at `time_s`."""
        spans = self.spans(what, site)
        return bool(spans) and any(start <= time_s < end for start, end in spans)

    def is_fed(self, site: Site, time_s: float) -> bool:
        """Whether a cabinet has current: no power cut, and its own breaker closed."""
        return not self.fails("power", site, time_s) and not has_fault(self.seed, site.key, time_s)


class Segment(NamedTuple):
    """From `from_s` on (Unix s) the instants belong to `world`: scenario `name`, whose zero is at `zero_s`."""

    from_s: float
    name: str
    zero_s: float
    world: World


class Timeline:
    """The segments that were played, ascending; the first one reaches back without bound."""

    def __init__(self, segments: list[Segment]) -> None:
        self.segments = segments
        self._starts = [segment.from_s for segment in segments[1:]]

    @property
    def current(self) -> Segment:
        return self.segments[-1]

    def add(self, segment: Segment) -> None:
        """A new segment; those that begin at or after it are gone."""
        kept = [old for old in self.segments if old.from_s < segment.from_s] or [segment]
        self.segments = kept if kept[-1] is segment else [*kept, segment]
        self._starts = [kept.from_s for kept in self.segments[1:]]

    def world_at(self, time_s: float) -> World:
        """The world of an instant."""
        return self.segments[bisect_right(self._starts, time_s)].world
