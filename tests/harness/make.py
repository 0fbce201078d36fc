"""Factories of request bodies, each with a unique name so that tests never meet one another's entities.

Every function returns a complete, valid body; keyword arguments replace or add members, and a value of
`OMIT` leaves a member out.
"""

from __future__ import annotations

import itertools
import os
import uuid
from typing import Any, Final

from tests.harness.client import Entity


class _Omit:
    def __repr__(self) -> str:
        return "omit"


OMIT: Final = _Omit()
_RUN = uuid.uuid4().hex[:6]
_NUMBERS = itertools.count(1)

MEASUREMENT = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"
COMPLEX = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_ComplexObservation"
CELSIUS: Entity = {"name": "degree Celsius", "symbol": "°C", "definition": "http://qudt.org/vocab/unit/DEG_C"}
PERCENT: Entity = {"name": "percent", "symbol": "%", "definition": "http://qudt.org/vocab/unit/PERCENT"}


def unique(word: str = "x") -> str:
    """A name that no other test, process or run has."""
    return f"{word}-{_RUN}{os.getpid():x}-{next(_NUMBERS)}"


def is_unique(text: str) -> bool:
    """Whether a text is such a name."""
    return f"-{_RUN}{os.getpid():x}-" in text


def point(x: float = -61.0, y: float = 14.6) -> Entity:
    return {"type": "Point", "coordinates": [x, y]}


def _body(members: Entity, changes: Entity) -> Entity:
    return {name: value for name, value in {**members, **changes}.items() if value is not OMIT}


def thing(**changes: Any) -> Entity:
    return _body({"name": unique("thing"), "description": "A gauge on the river", "properties": {}}, changes)


def location(**changes: Any) -> Entity:
    members = {
        "name": unique("location"),
        "description": "A place",
        "encodingType": "application/geo+json",
        "location": point(),
    }
    return _body(members, changes)


def sensor(**changes: Any) -> Entity:
    members = {
        "name": unique("sensor"),
        "description": "A probe",
        "encodingType": "application/pdf",
        "metadata": "http://example.org/probe.pdf",
    }
    return _body(members, changes)


def observed_property(**changes: Any) -> Entity:
    members = {
        "name": unique("property"),
        "description": "What is measured",
        "definition": "http://example.org/def/temperature",
    }
    return _body(members, changes)


def feature(**changes: Any) -> Entity:
    members = {
        "name": unique("feature"),
        "description": "What is looked at",
        "encodingType": "application/geo+json",
        "feature": point(),
    }
    return _body(members, changes)


def datastream(**changes: Any) -> Entity:
    """A Datastream with a Sensor and an ObservedProperty inline; give `Thing`, or post it under one."""
    members = {
        "name": unique("datastream"),
        "description": "A series",
        "observationType": MEASUREMENT,
        "unitOfMeasurement": dict(CELSIUS),
        "Sensor": sensor(),
        "ObservedProperty": observed_property(),
    }
    return _body(members, changes)


def multi_datastream(size: int = 2, **changes: Any) -> Entity:
    """A MultiDatastream of `size` properties, all inline; give `Thing`, or post it under one."""
    members = {
        "name": unique("multi"),
        "description": "A series of tuples",
        "observationType": COMPLEX,
        "multiObservationDataTypes": [MEASUREMENT] * size,
        "unitOfMeasurements": [dict(CELSIUS) for _ in range(size)],
        "Sensor": sensor(),
        "ObservedProperties": [observed_property() for _ in range(size)],
    }
    return _body(members, changes)


def observation(result: Any = 1.5, **changes: Any) -> Entity:
    return _body({"result": result}, changes)


def station(**changes: Any) -> Entity:
    """A Thing with one Location and one Datastream, for one deep insert."""
    return thing(**{"Locations": [location()], "Datastreams": [datastream()], **changes})
