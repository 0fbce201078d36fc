"""From the values of a Reading to the JSON bodies that the SensorThings service takes (18-088 §10.2)."""

from __future__ import annotations

from lakou.connectors.reading import Datastream, FeatureOfInterest, Json, Location, ObservedProperty, Sensor, Thing
from lakou.kernel.time import format_instant
from lakou.sensorthings.store.acting import WAITING

GEOJSON = "application/geo+json"

Body = dict[str, Json]


def thing(value: Thing) -> Body:
    """A Thing with its Location and without its Datastreams; restricted and marked while nobody has claimed it."""
    claim = {} if value.claimed else {"claim": WAITING}
    return {
        "name": value.name,
        "description": value.description,
        "properties": {**value.properties, "lakou": {"key": value.key, **claim}},
        **({} if value.location is None else {"Locations": [location(value.location)]}),
        **visibility(not value.claimed),
    }


def location(value: Location) -> Body:
    return {
        "name": value.name,
        "description": value.description,
        "encodingType": GEOJSON,
        "location": value.geometry,
    }


def datastream(value: Datastream, *, sensor: int, observed_property: int) -> Body:
    """A Datastream that links to an existing Sensor and ObservedProperty by id."""
    return {
        "name": value.name,
        "description": value.description,
        "observationType": value.observation_type,
        "unitOfMeasurement": {
            "name": value.unit.name,
            "symbol": value.unit.symbol,
            "definition": value.unit.definition,
        },
        "properties": {**value.properties, "lakou": {"key": value.key}},
        "Sensor": {"@iot.id": sensor},
        "ObservedProperty": {"@iot.id": observed_property},
    }


def sensor(value: Sensor) -> Body:
    return {
        "name": value.name,
        "description": value.description,
        "encodingType": value.encoding_type,
        "metadata": value.metadata,
        "properties": {"lakou": {"key": value.key}},
    }


def observed_property(value: ObservedProperty) -> Body:
    return {
        "name": value.name,
        "definition": value.definition,
        "description": value.description,
        "properties": {"lakou": {"key": value.key}},
    }


def feature(value: FeatureOfInterest, restricted: bool = False, key: str | None = None) -> Body:
    """A FeatureOfInterest; `key` is the one it is stored under, where that is an alias of its present one."""
    version = {} if value.version is None else {"version": format_instant(value.version)}
    return {
        "name": value.name,
        "description": value.description,
        "encodingType": GEOJSON,
        "feature": value.feature,
        "properties": {**value.properties, "lakou": {"key": key or value.key, **version}},
        **visibility(restricted),
    }


def visibility(restricted: bool) -> Body:
    """The member by which a client asks for a restricted entity."""
    return {"@lakou.visibility": "restricted"} if restricted else {}
