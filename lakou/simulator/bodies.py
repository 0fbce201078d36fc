"""The entities of the network as JSON bodies of the SensorThings API.

Every entity carries `properties.key`, by which a later run finds it again, and `properties.exercise`: what is
simulated says so, in words in the description and as a flag for programs.
"""

from __future__ import annotations

from lakou.simulator.catalogue import PROPERTIES, Property
from lakou.simulator.models.bus import Line
from lakou.simulator.network import Device, Flow
from lakou.simulator.places import PLACES

KEY_PREFIX = "simulateur/le-lamentin/"
EXERCISE_NOTE = "EXERCICE — données simulées, aucun capteur réel."
STAGE_KEY = "exercice/animation"
GEOJSON = "application/geo+json"

Json = dict[str, object]


def _named(key: str, name: str, description: str) -> Json:
    return {"name": name, "description": description, "properties": {"key": KEY_PREFIX + key, "exercise": True}}


def _point(longitude_deg: float, latitude_deg: float) -> Json:
    return {"type": "Point", "coordinates": [longitude_deg, latitude_deg]}


def property_body(observed: Property) -> Json:
    """The ObservedProperty to create."""
    body = _named(f"propriete/{observed.key}", observed.name, observed.description)
    return {**body, "definition": observed.definition}


def datastream_body(device: Device, flow: Flow, property_id: object) -> Json:
    """The Datastream to create, with its Sensor inline and its ObservedProperty linked by id.

    A different value for an instant is refused by the service: a simulated instant has one value.
    """
    key = f"{device.key}/{flow.key}"
    body = _named(key, f"{device.name} · {flow.observed.name}", f"{flow.observed.description}. {EXERCISE_NOTE}")
    body["properties"] = {"key": KEY_PREFIX + key, "exercise": True, "period_s": flow.period_s}
    return {
        **body,
        "observationType": flow.observed.observation_type,
        "unitOfMeasurement": flow.observed.unit,
        "ObservedProperty": {"@iot.id": property_id},
        "Sensor": _sensor(f"capteur/{key}", flow.sensor),
        "@lakou.onDifferent": "reject",
    }


def _sensor(key: str, name: str) -> Json:
    body = _named(key, name, f"{name}. {EXERCISE_NOTE}")
    return {**body, "encodingType": "text/html", "metadata": EXERCISE_NOTE}


def thing_body(device: Device, property_ids: dict[str, object]) -> Json:
    """The Thing to create in one deep insert, with its Location and Datastreams (18-088 §10.2.1.3)."""
    place = _named(f"lieu/{device.key}", device.place, f"{device.place}. {EXERCISE_NOTE}")
    body = _named(device.key, device.name, f"{device.description} {EXERCISE_NOTE}")
    body["properties"] = {"key": KEY_PREFIX + device.key, "exercise": True, "famille": device.family}
    return {
        **body,
        "Locations": [{**place, "encodingType": GEOJSON, "location": _point(*device.point)}],
        "Datastreams": [datastream_body(device, flow, property_ids[flow.observed.key]) for flow in device.flows],
    }


def stage_body(property_id: object) -> Json:
    """The Thing through which the exercise speaks: its Datastream holds the messages of the scenario."""
    body = _named(STAGE_KEY, "Animation de l'exercice", f"Messages du scénario. {EXERCISE_NOTE}")
    body["properties"] = {"key": KEY_PREFIX + STAGE_KEY, "exercise": True, "famille": "exercice"}
    hall = PLACES["mairie"]
    place = _named(f"lieu/{STAGE_KEY}", hall.name, f"{hall.name}. {EXERCISE_NOTE}")
    observed = PROPERTIES["message-exercice"]
    stream = _named(f"{STAGE_KEY}/messages", observed.name, f"{observed.description}. {EXERCISE_NOTE}")
    return {
        **body,
        "Locations": [{**place, "encodingType": GEOJSON, "location": _point(*hall[1:])}],
        "Datastreams": [
            {
                **stream,
                "observationType": observed.observation_type,
                "unitOfMeasurement": observed.unit,
                "ObservedProperty": {"@iot.id": property_id},
                "Sensor": _sensor(f"capteur/{STAGE_KEY}", "Animateur"),
            }
        ],
    }


def waypoint_body(line: Line, number: int, point: tuple[float, float]) -> Json:
    """The FeatureOfInterest of one point of a bus line."""
    body = _named(f"ligne-{line.key}/point/{number}", f"{line.name}, point {number}", f"Schéma. {EXERCISE_NOTE}")
    return {**body, "encodingType": GEOJSON, "feature": _point(*point)}
