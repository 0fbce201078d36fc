"""What a connector gives: a plain tree of values, in the words of SensorThings (OGC 18-088 §8.2).

Everything carries a stable external key (`lorawan:0004a30b001c0530`), kept in `properties/lakou/key`, so that
delivery finds it again. No member of an Observation may depend on when or in which window the source was asked:
the store recognises a replayed Observation by its fields (DESIGN §4 rule 6).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeGuard

from lakou.kernel.errors import BadRequest
from lakou.kernel.time import parse_instant

Json = Any
Options = Mapping[str, Any]

NO_OPTIONS: Options = {}
KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9:._-]{0,199}")

OM = "http://www.opengis.net/def/observationType/OGC-OM/2.0/"
OM_MEASUREMENT = OM + "OM_Measurement"
OM_TEXT = OM + "OM_Observation"
OM_TRUTH = OM + "OM_TruthObservation"


@dataclass(frozen=True, slots=True)
class Meta:
    """The description of a connector; `docs/reference/connectors.md` is made from it.

    `period_s` is the time between two runs, None for a source that pushes to us. Grades: bronze runs and is
    documented, silver survives errors and silence, gold has units, licence and history.
    """

    name: str
    title: str
    licence: str
    period_s: int | None
    region: str
    grade: Literal["bronze", "silver", "gold"]
    home: str
    formats: tuple[str, ...]
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unit:
    """A `unitOfMeasurement` (18-088 §8.2.4); members are null where the unit is not known or does not apply."""

    name: str | None = None
    symbol: str | None = None
    definition: str | None = None


UNKNOWN_UNIT = Unit()


@dataclass(frozen=True, slots=True)
class ObservedProperty:
    """`shared` says that the name is ours and not the source's: it may be public though the Thing is restricted."""

    key: str
    name: str
    definition: str
    description: str
    shared: bool = True


@dataclass(frozen=True, slots=True)
class Sensor:
    key: str
    name: str
    description: str
    metadata: str
    encoding_type: str = "text/html"


@dataclass(frozen=True, slots=True)
class Location:
    """`geometry` is GeoJSON, longitude and latitude in WGS 84."""

    name: str
    description: str
    geometry: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class FeatureOfInterest:
    """`feature` is GeoJSON. `aliases` are other keys that the same feature had or may get from its source.

    `version` (µs since 1970) orders the states of one feature: a newer state is never replaced by an older one.
    """

    key: str
    name: str
    description: str
    feature: Mapping[str, Json]
    properties: Mapping[str, Json] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Datastream:
    key: str
    name: str
    description: str
    observed_property: ObservedProperty
    sensor: Sensor
    unit: Unit = UNKNOWN_UNIT
    observation_type: str = OM_MEASUREMENT
    properties: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Thing:
    """`claimed` False: nobody has yet said whose this is; it is created restricted and counts against a limit."""

    key: str
    name: str
    description: str
    datastreams: tuple[Datastream, ...]
    location: Location | None = None
    properties: Mapping[str, Json] = field(default_factory=dict)
    claimed: bool = True


@dataclass(frozen=True, slots=True)
class Observation:
    """`datastream` is the key of a Datastream of the same Reading. Times are µs since 1970 (`kernel.time`)."""

    datastream: str
    phenomenon_time: int
    result: Json
    result_time: int | None = None
    parameters: Mapping[str, Json] | None = None
    feature_of_interest: str | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """All that one document of a source says. `notes` tell, in words, what was left out and why."""

    things: tuple[Thing, ...] = ()
    observations: tuple[Observation, ...] = ()
    features: tuple[FeatureOfInterest, ...] = ()
    notes: tuple[str, ...] = ()


def parse_time(value: Json, place: str) -> int:
    """Microseconds since 1970 from RFC 3339 text, finer digits cut. Raises BadRequest at `place`."""
    if not isinstance(value, str):
        raise BadRequest("A time is missing.", place=place, hint="Use RFC 3339: 2026-11-22T10:00:00Z.")
    try:
        return parse_instant(value)
    except BadRequest as error:
        raise BadRequest(error.message, place=place, hint=error.hint, code=error.error_code) from None


def member(value: Json, name: str, place: str) -> Mapping[str, Json]:
    """The object `value[name]`, empty when absent or null (proto3 omits empty messages). Raises BadRequest."""
    found = value.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise BadRequest("An object is expected here.", place=f"{place}/{name}")
    return found


def is_number(value: Json) -> TypeGuard[float]:
    """True for a JSON number that the store can hold; a boolean is not a number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -(2**63) <= value < 2**63
