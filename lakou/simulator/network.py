"""The network of N sensors: kinds of devices, how many of each, and what each one measures, from the seed alone.

The first devices of each kind are named ones of the territory; the rest are spread over the neighbourhoods. A device
belongs to a group: the operator whose token it sends with, and the way it sends.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from lakou.kernel.errors import BadRequest
from lakou.simulator import readings
from lakou.simulator.catalogue import PROPERTIES, Property
from lakou.simulator.models.bus import LINES, Line
from lakou.simulator.models.noise import uniform
from lakou.simulator.models.river import REACHES
from lakou.simulator.models.wave import Leg
from lakou.simulator.places import PLACES, Point, nearest, site
from lakou.simulator.world import Site, World

SEED = 97213
LEAST = 10
USUAL = 300
MOST = 5000

Way = Literal["single", "array", "mqtt"]
# Group → how its devices send: one POST an Observation, data arrays, or MQTT with QoS 1.
GROUPS: dict[str, Way] = {
    "hydro": "array",
    "littoral": "single",
    "sol": "mqtt",
    "air": "mqtt",
    "eclairage": "mqtt",
    "compteurs": "array",
    "dechets": "array",
    "mobilite": "array",
    "exercice": "single",
}


@dataclass(frozen=True, slots=True)
class Flow:
    """One Datastream: its property, its Sensor's name, its period in s and the model that gives its result.

    `moving` flows name a feature of interest by waypoint of the line; the others take the Thing's Location.
    """

    key: str
    observed: Property
    sensor: str
    period_s: int
    model: Callable[[World, float], readings.Value]
    moving: tuple[Line, float] | None = None


@dataclass(frozen=True, slots=True)
class Device:
    """One Thing with its site and its flows."""

    key: str
    name: str
    description: str
    place: str
    family: str
    group: str
    point: Point
    flows: tuple[Flow, ...]

    @property
    def site(self) -> Site:
        return Site(self.key, self.family, self.point)


def _flow(key: str, observed: str, sensor: str, period_s: int, model: Callable[[World, float], readings.Value]) -> Flow:
    return Flow(key, PROPERTIES[observed], sensor, period_s, model)


def _spot(seed: int, key: str, place: str = "") -> tuple[Point, str]:
    """The position and the words for it: a named place, or a seeded site and its nearest neighbourhood."""
    if place:
        return PLACES[place][1:], PLACES[place].name
    point = site(seed, key)
    return point, nearest(point)


_RIVER_SITES = {
    "lezarde-amont": "gue-desirade",
    "lezarde-aval": "pont-rn1",
    "blanche": "blanche",
    "petite-riviere": "petite-riviere",
    "gondeau": "riviere-gondeau",
    "calecon": "calecon",
    "longvilliers": "longvilliers",
    "carrere": "carrere",
}


def _river(seed: int, number: int) -> Device:
    keys = list(_RIVER_SITES)
    reach = REACHES[keys[number % len(keys)]]
    again = number // len(keys)
    key = f"{reach.key}-{again + 1}" if again else reach.key
    point, place = _spot(seed, key, "" if again else _RIVER_SITES[reach.key])
    flows = (
        _flow("niveau", "niveau", "Radar de niveau", 60, partial(readings.level, reach.key, key)),
        _flow("debit", "debit", "Courbe de tarage", 300, partial(readings.discharge, reach.key)),
    )
    name = f"{reach.name}, échelle {again + 1}" if again else reach.name
    return Device(key, name, "Limnimètre.", place, "eau", "hydro", point, flows)


def _rain(seed: int, number: int) -> Device:
    key = f"pluie-{number + 1}" if number else "pluie-bourg"
    point, place = _spot(seed, key, "" if number else "bourg")
    flows = (
        _flow("intensite", "intensite-pluie", "Pluviomètre à augets", 60, partial(readings.rain_rate, point)),
        _flow("cumul-1h", "pluie-1h", "Pluviomètre à augets", 60, partial(readings.rain_1h, point)),
    )
    name = f"Pluviomètre {number + 1}" if number else "Pluviomètre du bourg"
    return Device(key, name, "Pluviomètre à augets de 0,2 mm.", place, "pluie", "hydro", point, flows)


# Name, place, and what the wave still has to cross beyond the bay's first gauge.
_TIDE_GAUGES: tuple[tuple[str, str, str, tuple[Leg, ...]], ...] = (
    ("maree-port", "Marégraphe du port", "port", ()),
    ("maree-baie", "Marégraphe de la baie", "cohe", (Leg(3.5, 8.0),)),
    ("maree-lezarde", "Marégraphe de l'embouchure", "canal", (Leg(4.5, 6.0),)),
)


def _tide(seed: int, number: int) -> Device:
    key, name, named, further = _TIDE_GAUGES[number % len(_TIDE_GAUGES)]
    again = number // len(_TIDE_GAUGES)
    key = f"{key}-{again + 1}" if again else key
    point, place = _spot(seed, key, named)
    flows = (_flow("mer", "mer", "Radar de marée", 60, partial(readings.sea, key, point, further)),)
    name = f"{name} {again + 1}" if again else name
    return Device(key, name, "Niveau de la mer dans la baie.", place, "mer", "littoral", point, flows)


_QUAKE_SITES = (("mairie", "mairie"), ("lycee", "acajou"), ("nord", "gondeau"))


def _accelerometer(seed: int, number: int) -> Device:
    word, named = _QUAKE_SITES[number] if number < len(_QUAKE_SITES) else (str(number + 1), "")
    key = f"accelero-{word}"
    point, place = _spot(seed, key, named)
    sensor = "Accéléromètre MEMS triaxial"
    flows = (
        _flow("pga", "pga", sensor, 30, partial(readings.pga, key, point)),
        _flow("intensite", "intensite-sismique", "Loi B3", 60, partial(readings.felt, key, point)),
    )
    name = f"Accéléromètre {'lycée' if word == 'lycee' else word}"
    return Device(key, name, "Accéléromètre de bâtiment public.", place, "sol", "sol", point, flows)


def _slope(seed: int, number: int) -> Device:
    key = f"versant-{number + 1}"
    point, place = _spot(seed, key)
    flows = (
        _flow("vitesse", "vitesse-versant", "Inclinomètre", 600, partial(readings.slope_velocity, key, point)),
        _flow("inclinaison", "inclinaison", "Inclinomètre", 600, partial(readings.tilt, key, point)),
    )
    return Device(key, f"Inclinomètre {number + 1}", "Inclinomètre de versant.", place, "sol", "sol", point, flows)


def _soil(seed: int, number: int) -> Device:
    key = f"humidite-{number + 1}"
    point, place = _spot(seed, key)
    flows = (_flow("humidite", "humidite-sol", "Sonde capacitive", 900, partial(readings.moisture, key, point)),)
    return Device(key, f"Sonde d'humidité {number + 1}", "Sonde à 30 cm.", place, "sol", "sol", point, flows)


def _weather(seed: int, number: int) -> Device:
    key = f"meteo-{number + 1}" if number else "meteo-aeroport"
    point, place = _spot(seed, key, "" if number else "aeroport")
    flows = tuple(
        _flow(observed, observed, sensor, 120, partial(model, key, point))
        for observed, sensor, model in (
            ("vent", "Anémomètre", readings.wind),
            ("rafale", "Anémomètre", readings.gust),
            ("pression", "Baromètre", readings.pressure),
            ("temperature", "Sonde sous abri", readings.temperature),
            ("humidite-air", "Hygromètre", readings.humidity),
        )
    )
    name = f"Station météo {number + 1}" if number else "Station météo de l'aéroport"
    return Device(key, name, "Station météorologique.", place, "meteo", "hydro", point, flows)


def _air(seed: int, number: int) -> Device:
    key = f"air-{number + 1}" if number else "air-centre"
    point, place = _spot(seed, key, "" if number else "place-d-armes")
    roads = 1.0 if not number else round(0.4 + 1.4 * uniform(seed, f"{key}/roads", 0), 2)
    flows = tuple(
        _flow(observed, observed, sensor, 120, partial(readings.air, observed, key, roads))
        for observed, sensor in (
            ("pm25", "Compteur optique de particules"),
            ("pm10", "Compteur optique de particules"),
            ("no2", "Analyseur à chimiluminescence"),
            ("o3", "Analyseur à photométrie UV"),
        )
    )
    name = f"Station de l'air {number + 1}" if number else "Station de l'air"
    return Device(key, name, "Qualité de l'air.", place, "air", "air", point, flows)


def _cabinet(seed: int, number: int) -> Device:
    label = 12 if number == 0 else number + (0 if number < 12 else 1)
    key = f"eclairage-{label}"
    point, place = _spot(seed, key)
    lamps = 48 if number == 0 else 16 + int(uniform(seed, f"{key}/lamps", 0) * 50)
    where = Site(key, "eclairage", point)
    flows = (
        _flow("puissance", "puissance", "Compteur d'énergie", 120, partial(readings.cabinet_power, where, lamps)),
        _flow("lampes", "lampes", "Compteur d'énergie", 300, partial(readings.cabinet_lamps, where, lamps)),
    )
    words = f"Armoire d'éclairage public, {lamps} lampes."
    return Device(key, f"Armoire d'éclairage {label}", words, place, "eclairage", "eclairage", point, flows)


def _water(seed: int, number: int) -> Device:
    key = f"eau-{number + 1}"
    point, place = _spot(seed, key)
    mean = 0.6 + 12.0 * uniform(seed, f"{key}/mean", 0) ** 2
    flows = (
        _flow("index", "index-eau", "Compteur d'eau", 900, partial(readings.water_index, key, mean)),
        _flow("debit", "debit-eau", "Compteur d'eau", 900, partial(readings.water_flow, key, mean)),
    )
    words = "Compteur d'un bâtiment communal."
    return Device(key, f"Compteur d'eau {number + 1}", words, place, "compteurs", "compteurs", point, flows)


def _energy(seed: int, number: int) -> Device:
    key = f"energie-{number + 1}"
    point, place = _spot(seed, key)
    mean = 20.0 + 400.0 * uniform(seed, f"{key}/mean", 0) ** 2
    where = Site(key, "compteurs", point)
    flows = (
        _flow("index", "index-energie", "Compteur communicant", 900, partial(readings.energy_index, where, mean)),
        _flow("puissance", "puissance", "Compteur communicant", 900, partial(readings.energy_power, where, mean)),
    )
    words = "Compteur d'un bâtiment communal."
    return Device(key, f"Compteur d'énergie {number + 1}", words, place, "compteurs", "compteurs", point, flows)


def _bin(seed: int, number: int) -> Device:
    key = f"bac-{number + 1}"
    point, place = _spot(seed, key)
    flows = (_flow("remplissage", "remplissage", "Sonde à ultrasons", 1800, partial(readings.bin_fill, key)),)
    return Device(key, f"Bac {number + 1}", "Bac d'apport volontaire.", place, "dechets", "dechets", point, flows)


def _bus(seed: int, number: int) -> Device:
    line = LINES[number % len(LINES)]
    rank = number // len(LINES)
    key = f"bus-{line.key}-{rank + 1}" if rank else f"bus-{line.key}"
    # Buses of a line leave one after another, twelve minutes apart.
    offset_s = 720.0 * (rank % 20) + 37.0 * (rank // 20)
    flows = (
        _flow("vitesse", "vitesse", "Récepteur GNSS", 60, partial(readings.bus_speed, line, offset_s)),
        Flow(
            "position", PROPERTIES["position"], "Récepteur GNSS", 20, partial(readings.bus_position, line, offset_s),
            (line, offset_s),
        ),
    )  # fmt: skip
    name = f"Bus ligne {line.key.upper()}" + (f", voiture {rank + 1}" if rank else "")
    words = "Autobus équipé d'un récepteur GNSS."
    return Device(key, name, words, line.name, "bus", "mobilite", line.stops[0], flows)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of device: how many among the ten of the smallest network, and its weight among the rest."""

    make: Callable[[int, int], Device]
    least: int
    weight: int


KINDS: tuple[Kind, ...] = (
    Kind(_river, 2, 6),
    Kind(_rain, 1, 11),
    Kind(_tide, 1, 2),
    Kind(_accelerometer, 3, 17),
    Kind(_slope, 0, 8),
    Kind(_soil, 0, 12),
    Kind(_weather, 0, 5),
    Kind(_air, 1, 7),
    Kind(_cabinet, 1, 69),
    Kind(_water, 0, 42),
    Kind(_energy, 0, 42),
    Kind(_bin, 0, 53),
    Kind(_bus, 1, 15),
)


def counts(sensors: int) -> list[int]:
    """How many devices of each kind make a network of `sensors`: the least of each, the rest by weight (Hamilton)."""
    if not LEAST <= sensors <= MOST:
        raise BadRequest(f"A network has {LEAST} to {MOST} sensors", place="sensors", hint=f"usual: {USUAL}")
    rest = sensors - sum(kind.least for kind in KINDS)
    whole = sum(kind.weight for kind in KINDS)
    shares = [rest * kind.weight / whole for kind in KINDS]
    given = [int(share) for share in shares]
    by_remainder = sorted(range(len(KINDS)), key=lambda number: given[number] - shares[number])
    for number in by_remainder[: rest - sum(given)]:
        given[number] += 1
    return [kind.least + extra for kind, extra in zip(KINDS, given, strict=True)]


def build(seed: int, sensors: int = USUAL) -> tuple[Device, ...]:
    """The network's devices. A larger network of the same seed holds each device of a smaller one, unchanged."""
    return tuple(
        kind.make(seed, number) for kind, count in zip(KINDS, counts(sensors), strict=True) for number in range(count)
    )
