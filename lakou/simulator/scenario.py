"""What happens in a demonstration: an ordinary day, a flood, an earthquake, or sensors that fall silent.

A scenario is a table row; it gives the `World` that the models read. Its events are placed after the start of
the run, so that a watcher sees them come.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lakou.kernel.errors import BadRequest
from lakou.simulator.ground import Quake
from lakou.simulator.rain import Rain, Shower


@dataclass(frozen=True, slots=True)
class World:
    """The seed and the events that the models read; the Things of `silent` send nothing from `silent_from_s` on."""

    seed: int
    rain: Rain
    quakes: tuple[Quake, ...] = ()
    silent: frozenset[str] = frozenset()
    silent_from_s: float = 0.0


def _ordinary(seed: int, start_s: float) -> World:
    return World(seed, Rain(seed))


def _flood(seed: int, start_s: float) -> World:
    storm = (
        Shower(start_s - 2400.0, 5400.0, 72.0),
        Shower(start_s + 1800.0, 7200.0, 58.0),
    )
    return World(seed, Rain(seed, storm))


def _quake(seed: int, start_s: float) -> World:
    quake = Quake(start_s + 120.0, -60.62, 14.78, 28.0, 5.6)
    aftershock = Quake(start_s + 900.0, -60.64, 14.77, 26.0, 4.2)
    return World(seed, Rain(seed), quakes=(quake, aftershock))


def _silence(seed: int, start_s: float) -> World:
    silent = frozenset({"lezarde-aval", "air-centre"})
    return World(seed, Rain(seed), silent=silent, silent_from_s=start_s - 1800.0)


SCENARIOS: dict[str, Callable[[int, float], World]] = {
    "ordinaire": _ordinary,
    "crue": _flood,
    "seisme": _quake,
    "silence": _silence,
}


def build_world(name: str, *, seed: int, start_s: float) -> World:
    """The world of a scenario whose run starts at `start_s` (model seconds); BadRequest when unknown."""
    build = SCENARIOS.get(name)
    if build is None:
        known = ", ".join(SCENARIOS)
        raise BadRequest(f"Unknown scenario: {name}", place="scenario", hint=f"Known scenarios: {known}.")
    return build(seed, start_s)
