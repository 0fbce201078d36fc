"""Scenarios: a YAML file, read and checked, becomes a `Scenario`; with a zero instant it becomes a `World`.

Times are minutes after the scenario's zero. Every text of a scenario says EXERCICE. What is wrong in a file is told
with its place in it.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import msgspec
import yaml

from lakou.kernel.errors import BadRequest
from lakou.simulator.models.quake import Quake
from lakou.simulator.models.rain import LONGEST_CELL_S, Cell, Rain
from lakou.simulator.models.wave import Leg, Wave
from lakou.simulator.models.weather import Cyclone, Position
from lakou.simulator.places import PLACES
from lakou.simulator.world import Spell, World

FOLDER = Path(__file__).parent / "scenarios"
WORD = "EXERCICE"
MOST_BYTES = 256 * 1024
FAMILIES = ("eau", "pluie", "mer", "sol", "air", "meteo", "eclairage", "compteurs", "dechets", "bus", "exercice")

Minutes = Annotated[float, msgspec.Meta(ge=-1440, le=20_160)]
Length = Annotated[float, msgspec.Meta(gt=0, le=20_160)]
Share = Annotated[float, msgspec.Meta(gt=0, le=1)]
Longitude = Annotated[float, msgspec.Meta(ge=-180, le=180)]
Latitude = Annotated[float, msgspec.Meta(ge=-90, le=90)]
Positive = Annotated[float, msgspec.Meta(gt=0)]


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    pass


class RainCell(_Part, tag="rain", frozen=True, kw_only=True):
    """A cell of rain (models/rain.py)."""

    at_min: Minutes
    length_min: Annotated[float, msgspec.Meta(gt=0, le=LONGEST_CELL_S / 60)]
    peak_mm_h: Annotated[float, msgspec.Meta(gt=0, le=400)]
    longitude: Longitude
    latitude: Latitude
    east_m_s: float = 0.0
    north_m_s: float = 0.0
    radius_km: Positive = 4.0


class Earthquake(_Part, tag="earthquake", frozen=True, kw_only=True):
    """An earthquake (models/quake.py)."""

    at_min: Minutes
    longitude: Longitude
    latitude: Latitude
    depth_km: Annotated[float, msgspec.Meta(ge=0, le=700)]
    magnitude: Annotated[float, msgspec.Meta(ge=0, le=9.5)]


class PathLeg(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A stretch of a wave's path."""

    length_km: Positive
    depth_m: Positive


class SeaWave(_Part, tag="wave", frozen=True, kw_only=True):
    """A sea-level wave (models/wave.py); `extremes` are [minutes after its arrival, metres]."""

    at_min: Minutes
    path: Annotated[list[PathLeg], msgspec.Meta(min_length=1)]
    extremes: Annotated[list[tuple[Positive, float]], msgspec.Meta(min_length=1)]
    half_period_min: Positive
    damping: Annotated[float, msgspec.Meta(gt=0, lt=1)]


class TrackPoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a cyclone's centre is."""

    at_min: Minutes
    longitude: Longitude
    latitude: Latitude
    centre_hpa: Annotated[float, msgspec.Meta(ge=850, le=1013)]


class Storm(_Part, tag="cyclone", frozen=True, kw_only=True):
    """A cyclone on its track (models/weather.py)."""

    radius_km: Positive
    track: Annotated[list[TrackPoint], msgspec.Meta(min_length=2)]


class Failure(_Part, frozen=True, kw_only=True):
    """A failure of some devices: of `families` or `things` (none: all), a `share` of them, near a `place`."""

    at_min: Minutes
    length_min: Length
    families: list[str] = []
    things: list[str] = []
    share: Share = 1.0
    place: str = ""
    radius_km: Annotated[float, msgspec.Meta(ge=0)] = 0.0


class PowerCut(Failure, tag="power-cut", frozen=True, kw_only=True):
    """No current: lamps are dark, energy meters stand still."""


class LinkLoss(Failure, tag="link-loss", frozen=True, kw_only=True):
    """No network: devices measure, keep, and send when the network is back."""


class Silence(Failure, tag="silence", frozen=True, kw_only=True):
    """Devices that are gone: they measure nothing."""


Effect = RainCell | Earthquake | SeaWave | Storm | PowerCut | LinkLoss | Silence


class Inject(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the players are told: by whom, in which words, where."""

    at_min: Minutes
    kind: Literal["phenomene", "message", "terrain", "citoyen", "media", "decision", "fin"]
    sender: str
    text: str
    place: str = ""


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A scenario as its file says it."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]
    title: str
    summary: str
    to_calibrate: str
    duration_min: Length
    effects: list[Effect] = []
    injects: list[Inject] = []

    @property
    def duration_s(self) -> float:
        return self.duration_min * 60.0


T = TypeVar("T")


def names() -> list[str]:
    """The scenarios that come with the product."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load(name: str) -> Scenario:
    """A scenario of the product by name, or of a file by its path (`….yaml`). Raises BadRequest with the place."""
    is_file = name.endswith((".yaml", ".yml"))
    path = Path(name) if is_file else FOLDER / f"{name}.yaml"
    if not is_file and name not in names():
        known = ", ".join(names())
        raise BadRequest(f"Unknown scenario: {name}", place="scenario", hint=f"Known scenarios: {known}.")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadRequest(f"{path} cannot be read: {error.strerror}", place="scenario") from error
    return read(content, path.name)


def read(content: bytes, source: str) -> Scenario:
    """Bytes of YAML to a checked scenario; `source` names the file in errors."""
    if len(content) > MOST_BYTES:
        raise BadRequest(f"{source} is larger than {MOST_BYTES // 1024} kB", place=source)
    try:
        text = content.decode("utf-8")
        # An alias could make a small file grow without bound.
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
            raise BadRequest(f"{source} has an alias (*name)", place=source, hint="write the value itself")
        found = yaml.safe_load(text)
    except UnicodeDecodeError as error:
        raise BadRequest(f"{source} is not UTF-8", place=f"{source}, byte {error.start}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{source}, line {mark.line + 1}, column {mark.column + 1}" if mark else source
        raise BadRequest(f"{source} is not YAML: {getattr(error, 'problem', '') or error}", place=where) from error
    try:
        scenario = msgspec.convert(found, Scenario)
    except msgspec.ValidationError as error:
        message, _, where = str(error).partition(" - at `$")
        raise BadRequest(f"{source}: {message}", place=f"{source}, {where.strip('`.') or 'top'}") from error
    _check(scenario, source)
    return scenario


def _check(scenario: Scenario, source: str) -> None:
    """What types cannot say: EXERCICE in every text, places and families that exist, times in order."""

    def refuse(message: str, where: str, hint: str | None = None) -> BadRequest:
        return BadRequest(f"{source}: {message}", place=f"{source}, {where}", hint=hint)

    for where, words in (("title", scenario.title), ("summary", scenario.summary)):
        if WORD not in words:
            raise refuse(f"the {where} does not say {WORD}", where)
    last = -1e9
    for number, inject in enumerate(scenario.injects):
        where = f"injects[{number}]"
        if not inject.text.startswith(WORD):
            raise refuse(f"a text of an exercise begins with {WORD}", f"{where}.text")
        if inject.place and inject.place not in PLACES:
            raise refuse(f"unknown place {inject.place!r}", f"{where}.place", "known: " + ", ".join(PLACES))
        if not last <= inject.at_min <= scenario.duration_min:
            raise refuse("injects stand in order of time, within the duration", f"{where}.at_min")
        last = inject.at_min
    for number, effect in enumerate(scenario.effects):
        where = f"effects[{number}]"
        if isinstance(effect, Failure):
            if unknown := set(effect.families) - set(FAMILIES):
                raise refuse(f"unknown family {min(unknown)!r}", f"{where}.families", "known: " + ", ".join(FAMILIES))
            if effect.place and (effect.place not in PLACES or effect.radius_km <= 0):
                raise refuse("a place is a known one, with radius_km", f"{where}.place", "known: " + ", ".join(PLACES))
        if isinstance(effect, SeaWave) and not _ascending([at for at, _ in effect.extremes]):
            raise refuse("extremes stand in order of time", f"{where}.extremes")
        if isinstance(effect, Storm) and not _ascending([point.at_min for point in effect.track]):
            raise refuse("the track stands in order of time", f"{where}.track")


def _ascending(times: list[float]) -> bool:
    return all(before < after for before, after in pairwise(times))


def make_world(scenario: Scenario, *, seed: int, zero_s: float) -> World:
    """The world of a scenario whose zero is at `zero_s` (Unix s)."""

    def of(kind: type[T]) -> list[T]:
        return [effect for effect in scenario.effects if isinstance(effect, kind)]

    def spells(kind: type[Failure], channel: str) -> tuple[Spell, ...]:
        return tuple(
            Spell(
                f"{channel}/{number}",
                zero_s + effect.at_min * 60.0,
                zero_s + (effect.at_min + effect.length_min) * 60.0,
                frozenset(effect.families),
                frozenset(effect.things),
                effect.share,
                PLACES[effect.place][1:] if effect.place else None,
                effect.radius_km,
            )
            for number, effect in enumerate(of(kind))
        )

    return World(
        seed,
        Rain(seed, tuple(_cell(effect, zero_s) for effect in of(RainCell))),
        quakes=tuple(
            Quake(zero_s + e.at_min * 60.0, e.longitude, e.latitude, e.depth_km, e.magnitude) for e in of(Earthquake)
        ),
        waves=tuple(_wave(effect, zero_s) for effect in of(SeaWave)),
        cyclones=tuple(
            Cyclone(
                tuple(Position(zero_s + p.at_min * 60.0, p.longitude, p.latitude, p.centre_hpa) for p in effect.track),
                effect.radius_km,
            )
            for effect in of(Storm)
        ),
        power_cuts=spells(PowerCut, "cut"),
        lost_links=spells(LinkLoss, "link"),
        silences=spells(Silence, "silence"),
    )


def _cell(effect: RainCell, zero_s: float) -> Cell:
    return Cell(
        zero_s + effect.at_min * 60.0, effect.length_min * 60.0, effect.peak_mm_h, effect.longitude, effect.latitude,
        effect.east_m_s, effect.north_m_s, effect.radius_km * 1000.0,
    )  # fmt: skip


def _wave(effect: SeaWave, zero_s: float) -> Wave:
    return Wave(
        zero_s + effect.at_min * 60.0,
        tuple(Leg(leg.length_km, leg.depth_m) for leg in effect.path),
        tuple((at * 60.0, height) for at, height in effect.extremes),
        effect.half_period_min * 60.0,
        effect.damping,
    )
