"""The Things of the measurement as SensorThings bodies: each with its Location and Datastreams, by deep insert."""

from __future__ import annotations

import json
from typing import Any


def thing(number: int, each: int) -> bytes:
    """A Thing with `each` Datastreams that have one Observation each (18-088 §10.2.1.1)."""
    east, north = -61.2 + number % 40 * 0.01, 14.4 + number // 40 * 0.01
    return json.dumps(
        {
            "name": f"Station {number}",
            "description": "A station of the measurement",
            "properties": {"number": number},
            "Locations": [
                {
                    "name": f"Place {number}",
                    "description": "Where the station stands",
                    "encodingType": "application/geo+json",
                    "location": {"type": "Point", "coordinates": [round(east, 2), round(north, 2)]},
                }
            ],
            "Datastreams": [_datastream(number, n) for n in range(each)],
        }
    ).encode()


def _datastream(thing: int, number: int) -> dict[str, Any]:
    return {
        "name": f"Level {thing}.{number}",
        "description": "Water level",
        "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
        "unitOfMeasurement": {"name": "metre", "symbol": "m", "definition": "http://qudt.org/vocab/unit/M"},
        "Sensor": {
            "name": f"Gauge {thing}.{number}",
            "description": "Radar gauge",
            "encodingType": "text/html",
            "metadata": "none",
        },
        "ObservedProperty": {
            "name": "Water level",
            "definition": "http://www.example.org/water-level",
            "description": "Height of the surface",
        },
        "Observations": [{"phenomenonTime": "2024-01-01T00:00:00Z", "result": 0}],
    }
