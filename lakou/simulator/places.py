"""Where things stand: the commune and its bay as a small schematic table, and seeded sites within them.

The simulator knows no other package, so it keeps its own outline: coarse, good to about 300 m, to place simulated
sensors and for nothing else. Positions are (longitude, latitude) in degrees, WGS 84.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

from lakou.simulator.models.noise import uniform

Point = tuple[float, float]

COMMUNE: tuple[Point, ...] = (
    (-60.997, 14.575), (-60.982, 14.593), (-60.974, 14.604), (-60.958, 14.609), (-60.945, 14.610), (-60.949, 14.628),
    (-60.952, 14.642), (-60.960, 14.655), (-60.973, 14.663), (-60.981, 14.676), (-60.990, 14.683), (-60.996, 14.664),
    (-61.004, 14.656), (-61.015, 14.652), (-61.030, 14.648), (-61.039, 14.644), (-61.035, 14.630), (-61.037, 14.614),
    (-61.025, 14.613), (-61.015, 14.602), (-61.012, 14.594), (-61.010, 14.577),
)  # fmt: skip


class Place(NamedTuple):
    """A named place of the commune or its bay."""

    name: str
    longitude_deg: float
    latitude_deg: float


PLACES: dict[str, Place] = {
    "bourg": Place("Bourg du Lamentin", -60.9925, 14.6285),
    "mairie": Place("Hôtel de ville", -61.0005, 14.6135),
    "place-d-armes": Place("Place d'Armes", -60.9935, 14.6005),
    "acajou": Place("Acajou", -61.0290, 14.6180),
    "gondeau": Place("Gondeau", -61.0210, 14.6380),
    "californie": Place("Californie", -61.0195, 14.6150),
    "aeroport": Place("Aéroport", -61.0030, 14.5950),
    "jambette": Place("Jambette", -61.0330, 14.6240),
    "basse-gondeau": Place("Basse-Gondeau", -61.0250, 14.6290),
    "long-pre": Place("Long Pré", -61.0060, 14.6220),
    "lareinty": Place("Lareinty", -60.9840, 14.6120),
    "palmiste": Place("Palmiste", -60.9730, 14.6230),
    "ressource": Place("Ressource", -60.9880, 14.6060),
    "bois-d-inde": Place("Bois d'Inde", -60.9700, 14.6400),
    "gue-desirade": Place("Gué de la Désirade", -61.0080, 14.6510),
    "pont-rn1": Place("Pont de la RN1", -60.9970, 14.6190),
    "blanche": Place("Pont de la Rivière Blanche", -61.0120, 14.6490),
    "petite-riviere": Place("Pont de Petite Rivière", -60.9850, 14.6400),
    "riviere-gondeau": Place("Pont de Basse-Gondeau", -61.0270, 14.6270),
    "calecon": Place("Pont du Caleçon", -60.9740, 14.6300),
    "longvilliers": Place("Canal de Longvilliers", -60.9900, 14.6110),
    "carrere": Place("Pont de Carrère", -60.9880, 14.5890),
    "cohe": Place("Cohé du Lamentin", -61.0260, 14.6020),
    "port": Place("Baie de Fort-de-France, port", -61.0560, 14.6000),
    "canal": Place("Embouchure de la Lézarde", -61.0200, 14.5900),
}

# Neighbourhoods that give their names to simulated equipment.
NEIGHBOURHOODS = (
    "bourg", "place-d-armes", "acajou", "gondeau", "californie", "jambette", "basse-gondeau", "long-pre", "lareinty",
    "palmiste", "ressource", "bois-d-inde",
)  # fmt: skip

EARTH_KM = 6371.0


def distance_km(a: Point, b: Point) -> float:
    """Great-circle distance between two positions, in km."""
    west, south, east, north = (math.radians(value) for value in (*a, *b))
    half = math.sin((north - south) / 2) ** 2 + math.cos(south) * math.cos(north) * math.sin((east - west) / 2) ** 2
    return 2.0 * EARTH_KM * math.asin(math.sqrt(half))


def is_inside(point: Point, outline: tuple[Point, ...] = COMMUNE) -> bool:
    """Whether a position lies in an outline (even-odd rule)."""
    east, north = point
    inside = False
    for (x1, y1), (x2, y2) in pairwise((*outline, outline[0])):
        if (y1 > north) != (y2 > north) and east < x1 + (north - y1) * (x2 - x1) / (y2 - y1):
            inside = not inside
    return inside


def site(seed: int, key: str) -> Point:
    """A position in the commune, fixed by the seed and the key; denser round the neighbourhoods."""
    draw = int(uniform(seed, f"site/{key}/where", 0) * len(NEIGHBOURHOODS))
    _, east, north = PLACES[NEIGHBOURHOODS[draw]]
    for attempt in range(40):
        angle = 2.0 * math.pi * uniform(seed, f"site/{key}/angle", attempt)
        # The square root spreads evenly over the disc; its radius grows until the commune has room.
        radius = (0.010 + 0.001 * attempt) * math.sqrt(uniform(seed, f"site/{key}/radius", attempt))
        found = (round(east + radius * math.cos(angle), 5), round(north + radius * math.sin(angle), 5))
        if is_inside(found):
            return found
    return east, north


def nearest(point: Point) -> str:
    """The name of the neighbourhood nearest to a position."""
    return min((PLACES[key] for key in NEIGHBOURHOODS), key=lambda place: distance_km(point, place[1:])).name
