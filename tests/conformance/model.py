"""The entity types of OGC 18-088 clause 8.2 as a table: properties, relations, and a body to create each.

Independent of the product's own table on purpose: this one is read from the standard.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.harness import make
from tests.harness.client import Entity


@dataclass(frozen=True)
class EntityType:
    """`to_one` and `to_many` are navigation names; `editable` is a property that PATCH may change freely."""

    name: str
    set_name: str
    requirement: str
    mandatory: tuple[str, ...]
    optional: tuple[str, ...]
    to_one: tuple[str, ...]
    to_many: tuple[str, ...]
    editable: str
    body: Callable[[], Entity]

    @property
    def relations(self) -> tuple[str, ...]:
        return self.to_one + self.to_many

    @property
    def properties(self) -> tuple[str, ...]:
        return self.mandatory + self.optional


TYPES: tuple[EntityType, ...] = (
    EntityType(
        "Thing",
        "Things",
        "thing",
        ("name", "description"),
        ("properties",),
        (),
        ("Locations", "HistoricalLocations", "Datastreams", "MultiDatastreams"),
        "description",
        make.thing,
    ),
    EntityType(
        "Location",
        "Locations",
        "location",
        ("name", "description", "encodingType", "location"),
        ("properties",),
        (),
        ("Things", "HistoricalLocations"),
        "description",
        make.location,
    ),
    EntityType(
        "HistoricalLocation",
        "HistoricalLocations",
        "historical-location",
        ("time",),
        (),
        ("Thing",),
        ("Locations",),
        "time",
        lambda: {"time": "2020-01-01T00:00:00Z", "Thing": make.thing(), "Locations": [make.location()]},
    ),
    EntityType(
        "Datastream",
        "Datastreams",
        "datastream",
        ("name", "description", "observationType", "unitOfMeasurement"),
        ("observedArea", "phenomenonTime", "resultTime", "properties"),
        ("Thing", "Sensor", "ObservedProperty"),
        ("Observations",),
        "description",
        lambda: make.datastream(Thing=make.thing()),
    ),
    EntityType(
        "Sensor",
        "Sensors",
        "sensor",
        ("name", "description", "encodingType", "metadata"),
        ("properties",),
        (),
        ("Datastreams", "MultiDatastreams"),
        "description",
        make.sensor,
    ),
    EntityType(
        "ObservedProperty",
        "ObservedProperties",
        "observed-property",
        ("name", "definition", "description"),
        ("properties",),
        (),
        ("Datastreams", "MultiDatastreams"),
        "description",
        make.observed_property,
    ),
    EntityType(
        "Observation",
        "Observations",
        "observation",
        ("phenomenonTime", "result", "resultTime"),
        ("resultQuality", "validTime", "parameters"),
        ("Datastream", "FeatureOfInterest"),
        (),
        "resultQuality",
        lambda: make.observation(Datastream=make.datastream(Thing=make.thing(Locations=[make.location()]))),
    ),
    EntityType(
        "FeatureOfInterest",
        "FeaturesOfInterest",
        "feature-of-interest",
        ("name", "description", "encodingType", "feature"),
        ("properties",),
        (),
        ("Observations",),
        "description",
        make.feature,
    ),
)
MULTI = EntityType(
    "MultiDatastream",
    "MultiDatastreams",
    "multi-datastream",
    ("name", "description", "observationType", "multiObservationDataTypes", "unitOfMeasurements"),
    ("observedArea", "phenomenonTime", "resultTime", "properties"),
    ("Thing", "Sensor"),
    ("ObservedProperties", "Observations"),
    "description",
    lambda: make.multi_datastream(Thing=make.thing()),
)
ALL_TYPES = (*TYPES, MULTI)
BY_SET = {kind.set_name: kind for kind in ALL_TYPES}
"""Singular navigation names lead to the same types."""
TARGET = {kind.name: kind for kind in ALL_TYPES} | BY_SET
