"""The demonstration's network for Le Lamentin: its Things and Datastreams as one table.

Every entity carries `properties.key`, by which a later run finds it again, and `properties.exercise`: what is
simulated says so, in words in the description and as a flag for programs. Sites are schematic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from lakou.simulator import air, bus, ground, lighting, river, tide
from lakou.simulator.noise import gauss
from lakou.simulator.rain import tipped_mm
from lakou.simulator.scenario import World

KEY_PREFIX = "demo/le-lamentin/"
EXERCISE_NOTE = "EXERCICE — données simulées, aucun capteur réel."

Value = float | int | dict[str, object]
Model = Callable[[World, float], Value]

MEASUREMENT = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"
COUNT = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_CountObservation"
ANY = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Observation"


@dataclass(frozen=True, slots=True)
class Property:
    """An ObservedProperty and its unit (UCUM code)."""

    key: str
    name: str
    description: str
    unit_name: str | None
    unit_symbol: str | None
    ucum: str | None
    observation_type: str = MEASUREMENT

    @property
    def unit(self) -> dict[str, str | None]:
        """The `unitOfMeasurement` of a Datastream of this property (18-088 table 9; null members when none)."""
        definition = f"http://unitsofmeasure.org/ucum.html#{self.ucum}" if self.ucum else None
        return {"name": self.unit_name, "symbol": self.unit_symbol, "definition": definition}


LEVEL = Property("niveau", "Niveau d'eau", "Hauteur d'eau au-dessus du zéro de l'échelle", "mètre", "m", "m")
SEA = Property("mer", "Niveau de la mer", "Hauteur de la mer par rapport à son niveau moyen", "mètre", "m", "m")
RAIN_RATE = Property(
    "intensite-pluie", "Intensité de pluie", "Pluie de l'instant", "millimètre par heure", "mm/h", "mm/h"
)
RAIN_1H = Property("pluie-1h", "Pluie en 1 h", "Pluie tombée dans l'heure écoulée", "millimètre", "mm", "mm")
PGA = Property(
    "pga",
    "Accélération maximale du sol",
    "Maximum sur la période de mesure",
    "centimètre par seconde au carré",
    "cm/s²",
    "cm/s2",
)
PM25 = Property(
    "pm25", "Particules PM2,5", "Particules de moins de 2,5 µm", "microgramme par mètre cube", "µg/m³", "ug/m3"
)
PM10 = Property(
    "pm10", "Particules PM10", "Particules de moins de 10 µm", "microgramme par mètre cube", "µg/m³", "ug/m3"
)
NO2 = Property("no2", "Dioxyde d'azote", "NO₂ dans l'air", "microgramme par mètre cube", "µg/m³", "ug/m3")
O3 = Property("o3", "Ozone", "O₃ dans l'air", "microgramme par mètre cube", "µg/m³", "ug/m3")
POWER = Property("puissance", "Puissance électrique", "Puissance active de l'armoire", "watt", "W", "W")
LAMPS = Property("lampes", "Lampes allumées", "Nombre de lampes allumées", "lampe", "lampes", "1", COUNT)
SPEED = Property("vitesse", "Vitesse", "Vitesse du véhicule", "kilomètre par heure", "km/h", "km/h")
POSITION = Property("position", "Position", "Position du véhicule (WGS 84)", None, None, None, ANY)

PROPERTIES = (LEVEL, SEA, RAIN_RATE, RAIN_1H, PGA, PM25, PM10, NO2, O3, POWER, LAMPS, SPEED, POSITION)


@dataclass(frozen=True, slots=True)
class Flow:
    """One Datastream: its property, its period in s and the model that gives its result at a model instant.

    `moving` flows name a feature of interest by waypoint; the others take the Thing's Location.
    """

    key: str
    observed: Property
    sensor: str
    period_s: int
    model: Model
    moving: bool = False


@dataclass(frozen=True, slots=True)
class Device:
    """One Thing with its site (longitude, latitude in degrees) and its flows."""

    key: str
    name: str
    description: str
    site: str
    longitude_deg: float
    latitude_deg: float
    flows: tuple[Flow, ...]


def _level(basin: river.Basin, channel: str, world: World, time_s: float) -> Value:
    ripple = 0.004 * gauss(world.seed, channel, int(time_s // 10))
    return round(river.level_m(basin, world.rain, time_s) + ripple, 3)


def _sea(world: World, time_s: float) -> Value:
    return round(tide.height_m(time_s) + 0.006 * gauss(world.seed, "mer", int(time_s // 10)), 3)


def _rain_rate(world: World, time_s: float) -> Value:
    return round(world.rain.intensity_mm_h(time_s), 1)


def _rain_1h(world: World, time_s: float) -> Value:
    return tipped_mm(world.rain.depth_mm(time_s - 3600.0, time_s))


def _pga(station: str, longitude: float, latitude: float, world: World, time_s: float) -> Value:
    return float(f"{ground.pga_m_s2(world.seed, station, longitude, latitude, time_s, world.quakes) * 100.0:.3g}")


def _air(model: Callable[[int, float], float], world: World, time_s: float) -> Value:
    return model(world.seed, time_s)


def _power(world: World, time_s: float) -> Value:
    return round(lighting.power_w(world.seed, time_s), 1)


def _lamps(world: World, time_s: float) -> Value:
    return lighting.lamps_on(world.seed, time_s)


def _bus_speed(world: World, time_s: float) -> Value:
    return bus.state_at(time_s).speed_km_h


def _bus_position(world: World, time_s: float) -> Value:
    state = bus.state_at(time_s)
    return {"type": "Point", "coordinates": [state.longitude_deg, state.latitude_deg]}


def _accelerometer(key: str, name: str, site: str, longitude: float, latitude: float) -> Device:
    flow = Flow("pga", PGA, "Accéléromètre MEMS triaxial", 20, partial(_pga, key, longitude, latitude))
    return Device(key, name, "Accéléromètre de bâtiment public.", site, longitude, latitude, (flow,))


_RADAR = "Radar de niveau"

DEVICES: tuple[Device, ...] = (
    Device(
        "lezarde-amont", "Lézarde amont", "Limnimètre de la Lézarde, en amont de la plaine.",
        "Gué de la Désirade", -61.008, 14.651,
        (Flow("niveau", LEVEL, _RADAR, 60, partial(_level, river.UPSTREAM, "amont")),),
    ),
    Device(
        "lezarde-aval", "Lézarde aval", "Limnimètre de la Lézarde, à l'entrée de la ville.",
        "Pont de la RN1", -60.997, 14.619,
        (Flow("niveau", LEVEL, _RADAR, 60, partial(_level, river.DOWNSTREAM, "aval")),),
    ),
    Device(
        "pluie-bourg", "Pluviomètre du bourg", "Pluviomètre à augets de 0,2 mm.",
        "Bourg du Lamentin", -60.9925, 14.6285,
        (
            Flow("intensite", RAIN_RATE, "Pluviomètre à augets", 60, _rain_rate),
            Flow("cumul-1h", RAIN_1H, "Pluviomètre à augets", 60, _rain_1h),
        ),
    ),
    Device(
        "maree-baie", "Marégraphe de la baie", "Niveau de la mer dans la baie de Fort-de-France.",
        "Cohé du Lamentin", -61.026, 14.602,
        (Flow("mer", SEA, "Radar de marée", 60, _sea),),
    ),
    _accelerometer("accelero-mairie", "Accéléromètre mairie", "Hôtel de ville", -61.0005, 14.6135),
    _accelerometer("accelero-lycee", "Accéléromètre lycée", "Lycée, quartier Acajou", -61.029, 14.618),
    _accelerometer("accelero-nord", "Accéléromètre nord", "École, quartier Gondeau", -61.021, 14.638),
    Device(
        "air-centre", "Station de l'air", "Qualité de l'air en fond urbain.", "Place d'Armes", -60.986, 14.604,
        (
            Flow("pm25", PM25, "Compteur optique de particules", 60, partial(_air, air.pm25)),
            Flow("pm10", PM10, "Compteur optique de particules", 60, partial(_air, air.pm10)),
            Flow("no2", NO2, "Analyseur à chimiluminescence", 60, partial(_air, air.no2)),
            Flow("o3", O3, "Analyseur à photométrie UV", 60, partial(_air, air.o3)),
        ),
    ),
    Device(
        "eclairage-12", "Armoire d'éclairage 12", "Armoire d'éclairage public, 48 lampes.",
        "Rue principale", -60.979, 14.617,
        (
            Flow("puissance", POWER, "Compteur d'énergie", 30, _power),
            Flow("lampes", LAMPS, "Compteur d'énergie", 60, _lamps),
        ),
    ),
    Device(
        "bus-a", "Bus ligne A", "Autobus équipé d'un récepteur GNSS.", "Dépôt, Place d'Armes", *bus.LINE[0],
        (
            Flow("vitesse", SPEED, "Récepteur GNSS", 10, _bus_speed),
            Flow("position", POSITION, "Récepteur GNSS", 10, _bus_position, moving=True),
        ),
    ),
)  # fmt: skip


def _named(key: str, name: str, description: str) -> dict[str, object]:
    return {"name": name, "description": description, "properties": {"key": KEY_PREFIX + key, "exercise": True}}


def property_body(observed: Property) -> dict[str, object]:
    """The ObservedProperty to create."""
    body = _named(f"propriete/{observed.key}", observed.name, observed.description)
    return {**body, "definition": f"urn:lakou:demo:{observed.key}"}


def datastream_body(device: Device, flow: Flow, property_id: object) -> dict[str, object]:
    """The Datastream to create, with its Sensor inline and its ObservedProperty linked by id."""
    key = f"{device.key}/{flow.key}"
    body = _named(key, f"{device.name} · {flow.observed.name}", f"{flow.observed.description}. {EXERCISE_NOTE}")
    body["properties"] = {"key": KEY_PREFIX + key, "exercise": True, "period_s": flow.period_s}
    sensor = _named(f"capteur/{key}", flow.sensor, f"{flow.sensor}. {EXERCISE_NOTE}")
    return {
        **body,
        "observationType": flow.observed.observation_type,
        "unitOfMeasurement": flow.observed.unit,
        "ObservedProperty": {"@iot.id": property_id},
        "Sensor": {**sensor, "encodingType": "text/html", "metadata": EXERCISE_NOTE},
    }


def thing_body(device: Device, property_ids: dict[str, object]) -> dict[str, object]:
    """The Thing to create in one deep insert, with its Location and Datastreams (18-088 §10.2.1.3)."""
    place = _named(f"lieu/{device.key}", device.site, f"{device.site}. {EXERCISE_NOTE}")
    point = {"type": "Point", "coordinates": [device.longitude_deg, device.latitude_deg]}
    return {
        **_named(device.key, device.name, f"{device.description} {EXERCISE_NOTE}"),
        "Locations": [{**place, "encodingType": "application/geo+json", "location": point}],
        "Datastreams": [datastream_body(device, flow, property_ids[flow.observed.key]) for flow in device.flows],
    }


def waypoint_body(device: Device, number: int, point: tuple[float, float]) -> dict[str, object]:
    """The FeatureOfInterest of one 100 m point of a moving Thing's line."""
    body = _named(
        f"{device.key}/point/{number}", f"{device.name}, point {number}", f"Ligne schématique. {EXERCISE_NOTE}"
    )
    feature = {"type": "Point", "coordinates": list(point)}
    return {**body, "encodingType": "application/geo+json", "feature": feature}
