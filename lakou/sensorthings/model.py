"""The table of SensorThings entity types: properties, links and where each is stored.

Everything else walks this table: the payload checker, the planner, the SQL writers, the renderer and OpenAPI.
Source: OGC 18-088 §8.2 (sensing entities), §14.1 (MultiDatastream). The store is version-neutral: Datastream
and MultiDatastream share one table and one id sequence, and differ by the column `multi`.
"""

from __future__ import annotations

from enum import Enum

import msgspec

OM = "http://www.opengis.net/def/observationType/OGC-OM/2.0/"
OM_COMPLEX = OM + "OM_ComplexObservation"


class Kind(Enum):
    """What a property holds on the wire, and so how it is checked, stored, compared and rendered."""

    ID = "id"
    TEXT = "text"
    OBJECT = "object"  # a JSON object, or nothing
    JSON = "json"  # any JSON value
    INSTANT = "instant"
    INTERVAL = "interval"  # always start/end
    TIME = "time"  # an instant or start/end
    GEOMETRY = "geometry"  # GeoJSON kept as given, with an indexed form beside it
    AREA = "area"  # a bounding box derived from other rows
    RESULT = "result"  # untyped: null, number, text, boolean or JSON


class Property(msgspec.Struct, frozen=True):
    """One property: its wire name, kind and columns.

    `columns` are the stored columns in reading order (start, end for times; see RESULT_COLUMNS for results).
    `derived` properties have no columns: the SQL writer computes them; a client cannot set them.
    `shown_null` is rendered as null when empty, where other empty properties are left out.
    """

    name: str
    kind: Kind
    columns: tuple[str, ...] = ()
    required: bool = False
    derived: bool = False
    shown_null: bool = False


class ForeignKey(msgspec.Struct, frozen=True):
    """To-one: this table's `column` holds the target's id."""

    column: str


class Reverse(msgspec.Struct, frozen=True):
    """To-many: the target table's `column` holds this entity's id."""

    column: str


class Through(msgspec.Struct, frozen=True):
    """To-many by a link table: `near` holds this entity's id, `far` the target's; `position` orders them."""

    table: str
    near: str
    far: str
    position: str | None = None


class JsonReference(msgspec.Struct, frozen=True):
    """To-one: a member of a JSON column holds the target's id (extension EntityLinking)."""

    column: str
    path: tuple[str | int, ...]


class Link(msgspec.Struct, frozen=True):
    """A navigation property. `inverse` is the link's name on the target; `required` when none may be missing."""

    name: str
    target: str
    by: ForeignKey | Reverse | Through | JsonReference
    inverse: str
    required: bool = False

    @property
    def many(self) -> bool:
        """Whether the link leads to a set."""
        return isinstance(self.by, Reverse | Through)

    @property
    def type(self) -> EntityType:
        """The entity type that the link leads to."""
        return BY_NAME[self.target]


class EntityType(msgspec.Struct, frozen=True):
    """One entity type. `only` is a fixed condition on its table; `scoped` tells whether rows carry a scope."""

    name: str
    plural: str
    table: str
    properties: tuple[Property, ...]
    links: tuple[Link, ...]
    only: tuple[str, int] | None = None
    scoped: bool = True

    def property(self, name: str) -> Property | None:
        return _PROPERTIES[self.name].get(name)

    def link(self, name: str) -> Link | None:
        return _LINKS[self.name].get(name)

    def custom_link(self, column: str, path: tuple[str | int, ...]) -> Link | None:
        """The link of a member such as `building.Thing` in `properties`; None when it names no entity type."""
        name = path[-1] if path else None
        if not isinstance(name, str) or "." not in name or (target := name.rpartition(".")[2]) not in BY_NAME:
            return None
        return Link("/".join(str(p) for p in (column, *path)), target, _reference(column, path), "")

    def __hash__(self) -> int:
        return hash(self.name)


ID = Property("id", Kind.ID, ("id",))
RESULT_COLUMNS = ("result_type", "result_number", "result_boolean", "result_text", "result_json")


class ResultType:
    """Tags of the column `result_type`. An INTEGER beyond 2^53 also keeps its digits in `result_json`."""

    NULL, INTEGER, FLOAT, TEXT, BOOLEAN, JSON = range(6)


def _text(name: str, column: str | None = None, *, required: bool = True) -> Property:
    return Property(name, Kind.TEXT, (column or name,), required=required)


NAME = _text("name")
DESCRIPTION = _text("description")
ENCODING = _text("encodingType", "encoding_type")
PROPERTIES = Property("properties", Kind.OBJECT, ("properties",))
EXTENTS = (
    Property("observedArea", Kind.AREA, derived=True),
    Property("phenomenonTime", Kind.INTERVAL, derived=True),
    Property("resultTime", Kind.INTERVAL, derived=True),
)
STREAM_LINKS = (
    Link("Thing", "Thing", ForeignKey("thing_id"), "{}", required=True),
    Link("Sensor", "Sensor", ForeignKey("sensor_id"), "{}", required=True),
)


def _stream_links(plural: str) -> tuple[Link, ...]:
    return tuple(msgspec.structs.replace(link, inverse=plural) for link in STREAM_LINKS)


ENTITY_TYPES: tuple[EntityType, ...] = (
    EntityType(
        "Thing",
        "Things",
        "thing",
        (ID, NAME, DESCRIPTION, PROPERTIES),
        (
            Link("Locations", "Location", Through("thing_location", "thing_id", "location_id"), "Things"),
            Link("HistoricalLocations", "HistoricalLocation", Reverse("thing_id"), "Thing"),
            Link("Datastreams", "Datastream", Reverse("thing_id"), "Thing"),
            Link("MultiDatastreams", "MultiDatastream", Reverse("thing_id"), "Thing"),
        ),
    ),
    EntityType(
        "Location",
        "Locations",
        "location",
        (
            ID,
            NAME,
            DESCRIPTION,
            ENCODING,
            Property("location", Kind.GEOMETRY, ("location",), required=True),
            PROPERTIES,
        ),
        (
            Link("Things", "Thing", Through("thing_location", "location_id", "thing_id"), "Locations"),
            Link(
                "HistoricalLocations",
                "HistoricalLocation",
                Through("historical_location_location", "location_id", "historical_location_id"),
                "Locations",
            ),
        ),
    ),
    EntityType(
        "HistoricalLocation",
        "HistoricalLocations",
        "historical_location",
        (ID, Property("time", Kind.INSTANT, ("time",), required=True)),
        (
            Link("Thing", "Thing", ForeignKey("thing_id"), "HistoricalLocations", required=True),
            Link(
                "Locations",
                "Location",
                Through("historical_location_location", "historical_location_id", "location_id"),
                "HistoricalLocations",
                required=True,
            ),
        ),
    ),
    EntityType(
        "Datastream",
        "Datastreams",
        "datastream",
        (
            ID,
            NAME,
            DESCRIPTION,
            _text("observationType", "observation_type"),
            Property("unitOfMeasurement", Kind.OBJECT, ("unit_of_measurement",), required=True),
            *EXTENTS,
            PROPERTIES,
        ),
        (
            *_stream_links("Datastreams"),
            Link(
                "ObservedProperty",
                "ObservedProperty",
                ForeignKey("observed_property_id"),
                "Datastreams",
                required=True,
            ),
            Link("Observations", "Observation", Reverse("datastream_id"), "Datastream"),
        ),
        only=("multi", 0),
    ),
    EntityType(
        "MultiDatastream",
        "MultiDatastreams",
        "datastream",
        (
            ID,
            NAME,
            DESCRIPTION,
            _text("observationType", "observation_type", required=False),
            Property("multiObservationDataTypes", Kind.JSON, ("multi_observation_data_types",), required=True),
            Property("unitOfMeasurements", Kind.JSON, ("unit_of_measurements",), required=True),
            *EXTENTS,
            PROPERTIES,
        ),
        (
            *_stream_links("MultiDatastreams"),
            Link(
                "ObservedProperties",
                "ObservedProperty",
                Through("datastream_observed_property", "datastream_id", "observed_property_id", "position"),
                "MultiDatastreams",
                required=True,
            ),
            Link("Observations", "Observation", Reverse("datastream_id"), "MultiDatastream"),
        ),
        only=("multi", 1),
    ),
    EntityType(
        "Sensor",
        "Sensors",
        "sensor",
        (
            ID,
            NAME,
            DESCRIPTION,
            ENCODING,
            Property("metadata", Kind.JSON, ("metadata",), required=True),
            PROPERTIES,
        ),
        (
            Link("Datastreams", "Datastream", Reverse("sensor_id"), "Sensor"),
            Link("MultiDatastreams", "MultiDatastream", Reverse("sensor_id"), "Sensor"),
        ),
    ),
    EntityType(
        "ObservedProperty",
        "ObservedProperties",
        "observed_property",
        (ID, NAME, _text("definition"), DESCRIPTION, PROPERTIES),
        (
            Link("Datastreams", "Datastream", Reverse("observed_property_id"), "ObservedProperty"),
            Link(
                "MultiDatastreams",
                "MultiDatastream",
                Through("datastream_observed_property", "observed_property_id", "datastream_id"),
                "ObservedProperties",
            ),
        ),
    ),
    EntityType(
        "Observation",
        "Observations",
        "observation",
        (
            ID,
            Property("phenomenonTime", Kind.TIME, ("time_start", "time_end"), shown_null=True),
            Property("result", Kind.RESULT, RESULT_COLUMNS, required=True, shown_null=True),
            Property("resultTime", Kind.INSTANT, ("result_time",), shown_null=True),
            Property("resultQuality", Kind.JSON, ("result_quality",)),
            Property("validTime", Kind.INTERVAL, ("valid_start", "valid_end")),
            Property("parameters", Kind.OBJECT, ("parameters",)),
        ),
        (
            Link("Datastream", "Datastream", ForeignKey("datastream_id"), "Observations"),
            Link("MultiDatastream", "MultiDatastream", ForeignKey("datastream_id"), "Observations"),
            Link("FeatureOfInterest", "FeatureOfInterest", ForeignKey("feature_id"), "Observations"),
        ),
        scoped=False,
    ),
    EntityType(
        "FeatureOfInterest",
        "FeaturesOfInterest",
        "feature",
        (
            ID,
            NAME,
            DESCRIPTION,
            ENCODING,
            Property("feature", Kind.GEOMETRY, ("feature",), required=True),
            PROPERTIES,
        ),
        (Link("Observations", "Observation", Reverse("feature_id"), "FeatureOfInterest"),),
    ),
)


def _reference(column: str, path: tuple[str | int, ...]) -> JsonReference:
    return JsonReference(column, (*path[:-1], f"{path[-1]}@iot.id"))


BY_NAME: dict[str, EntityType] = {t.name: t for t in ENTITY_TYPES}
BY_PLURAL: dict[str, EntityType] = {t.plural: t for t in ENTITY_TYPES}
_PROPERTIES = {t.name: {p.name: p for p in t.properties} | {"@iot.id": ID} for t in ENTITY_TYPES}
_LINKS = {t.name: {link.name: link for link in t.links} for t in ENTITY_TYPES}

OBSERVATION = BY_NAME["Observation"]
DATASTREAM = BY_NAME["Datastream"]
MULTI_DATASTREAM = BY_NAME["MultiDatastream"]
FEATURE = BY_NAME["FeatureOfInterest"]
LOCATION = BY_NAME["Location"]
THING = BY_NAME["Thing"]
HISTORICAL_LOCATION = BY_NAME["HistoricalLocation"]
