"""Small request bodies: each call gives a complete entity, changed by keywords."""

from __future__ import annotations

from typing import Any

Body = dict[str, Any]
GEOJSON = "application/geo+json"
OM = "http://www.opengis.net/def/observationType/OGC-OM/2.0/"


def point(x: float = -61.0, y: float = 14.6) -> Body:
    return {"type": "Point", "coordinates": [x, y]}


def ref(id_: int) -> Body:
    return {"@iot.id": id_}


def thing(name: str = "thing", **more: Any) -> Body:
    return {"name": name, "description": "a gauge", **more}


def location(name: str = "place", x: float = -61.0, y: float = 14.6, **more: Any) -> Body:
    return {"name": name, "description": "", "encodingType": GEOJSON, "location": point(x, y), **more}


def feature(name: str = "feature", x: float = -61.0, y: float = 14.6, **more: Any) -> Body:
    return {"name": name, "description": "", "encodingType": GEOJSON, "feature": point(x, y), **more}


def sensor(name: str = "sensor", **more: Any) -> Body:
    return {"name": name, "description": "", "encodingType": "text/html", "metadata": "m", **more}


def observed_property(name: str = "level", **more: Any) -> Body:
    return {"name": name, "description": "", "definition": "http://example.org/level", **more}


def datastream(name: str = "stream", **more: Any) -> Body:
    return {
        "name": name,
        "description": "",
        "observationType": OM + "OM_Measurement",
        "unitOfMeasurement": {"name": "metre", "symbol": "m", "definition": "http://example.org/m"},
        "Sensor": sensor(),
        "ObservedProperty": observed_property(),
        **more,
    }


def multi_datastream(size: int = 2, **more: Any) -> Body:
    return {
        "name": "multi",
        "description": "",
        "multiObservationDataTypes": [OM + "OM_Measurement"] * size,
        "unitOfMeasurements": [{"name": "metre", "symbol": "m", "definition": "d"}] * size,
        "Sensor": sensor(),
        "ObservedProperties": [observed_property(f"property {n}") for n in range(size)],
        **more,
    }


def station(name: str = "station", **more: Any) -> Body:
    """A Thing with a Location and one Datastream."""
    return thing(name, Locations=[location()], **{"Datastreams": [datastream()], **more})
