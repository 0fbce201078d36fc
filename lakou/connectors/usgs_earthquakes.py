"""USGS earthquakes: the GeoJSON summary feeds, as Observations of magnitude, depth, felt reports and status.

One event is one FeatureOfInterest at its epicentre. A revision (`updated`) is a new value of the same event: the
same phenomenonTime, a later resultTime. A deleted event gets the status `deleted` and no magnitude.
`tsunami = 1` only says that a tsunami centre looks at the event; it is kept as a parameter under that name.
"""

from __future__ import annotations

from collections.abc import Mapping

from lakou.connectors.guard import Get, fetch_each
from lakou.connectors.reading import (
    KEY,
    NO_OPTIONS,
    OM_MEASUREMENT,
    OM_TEXT,
    UNKNOWN_UNIT,
    Datastream,
    FeatureOfInterest,
    Json,
    Meta,
    Observation,
    ObservedProperty,
    Options,
    Reading,
    Sensor,
    Thing,
    Unit,
    is_number,
)
from lakou.kernel.errors import BadRequest, LakouError
from lakou.kernel.jsontext import decode
from lakou.kernel.time import MAX_INSTANT, MIN_INSTANT

FEED = "https://earthquake.usgs.gov/earthquakes/feed/v1.0/summary/{}.geojson"
MAGNITUDES = ("all", "1.0", "2.5", "4.5", "significant")
SPANS = ("hour", "day", "week", "month")

META = Meta(
    name="usgs_earthquakes",
    title="USGS earthquake summary feeds",
    licence="Public domain (U.S. Geological Survey); credit asked",
    period_s=60,
    region="World; `bbox` limits it",
    grade="gold",
    home="https://earthquake.usgs.gov/earthquakes/feed/v1.0/geojson.php",
    formats=("GeoJSON summary",),
    options={
        "feed": "magnitude and span, such as `2.5_day` (default), `all_hour`, `all_month` for history",
        "bbox": "west, south, east, north in degrees; the whole world when absent",
    },
)

_ONE = Unit("dimensionless", "1", "http://www.opengis.net/def/uom/UCUM/1")
_KILOMETRE = Unit("kilometre", "km", "http://www.opengis.net/def/uom/UCUM/km")
_SENSOR = Sensor(
    "usgs:network",
    "Réseaux sismologiques (catalogue USGS)",
    "Solutions des réseaux contributeurs, réunies par l'USGS dans son catalogue.",
    META.home,
)


def _measured(key: str, name: str, description: str) -> ObservedProperty:
    return ObservedProperty(f"usgs:{key}", name, f"{META.home}#{key}", description)


def _datastream(key: str, name: str, description: str, unit: Unit, kind: str = OM_MEASUREMENT) -> Datastream:
    return Datastream(f"usgs:{key}", name, description, _measured(key, name, description), _SENSOR, unit, kind)


_DATASTREAMS = (
    _datastream("magnitude", "Magnitude", "Magnitude du séisme ; son type est dans le paramètre magType.", _ONE),
    _datastream("depth", "Profondeur", "Profondeur du foyer sous la surface.", _KILOMETRE),
    _datastream("felt", "Témoignages", "Nombre de témoignages « Did You Feel It? » reçus par l'USGS.", _ONE),
    _datastream(
        "status",
        "État du calcul",
        "automatic, reviewed ou deleted (séisme retiré du catalogue).",
        UNKNOWN_UNIT,
        OM_TEXT,
    ),
)
_THING = Thing(
    key="usgs:earthquakes",
    name="Séismes (catalogue USGS)",
    description="Séismes du monde publiés par l'USGS ; chaque séisme est un lieu observé (FeatureOfInterest).",
    datastreams=_DATASTREAMS,
    properties={"source": META.home, "licence": META.licence},
)


async def fetch(get: Get, options: Options) -> tuple[tuple[str, bytes | LakouError], ...]:
    """The configured summary feed."""
    feed = str(options.get("feed", "2.5_day"))
    magnitude, _, span = feed.partition("_")
    if magnitude not in MAGNITUDES or span not in SPANS:
        raise BadRequest("There is no feed of this name.", place="feed", hint="For example 2.5_day or all_hour.")
    return await fetch_each(get, [FEED.format(feed)])


def read(data: bytes, origin: str = "", options: Options = NO_OPTIONS) -> Reading:
    """The events of a GeoJSON summary (or of one detail Feature), limited to `bbox` when it is set."""
    box = _box(options)
    document = decode(data)
    if isinstance(document, dict) and document.get("type") == "Feature":
        document = {"type": "FeatureCollection", "features": [document]}
    features = document.get("features") if isinstance(document, dict) else None
    if not isinstance(features, list):
        raise BadRequest("A GeoJSON FeatureCollection is expected.", place="/features", code="source_form")
    places: dict[str, FeatureOfInterest] = {}
    observations: list[Observation] = []
    left_out = 0
    for feature in features:
        event = _event(feature)
        if event is None:
            left_out += 1
            continue
        place, values = event
        if box is not None and not _inside(place.feature, box):
            continue
        places[place.key] = place
        observations.extend(values)
    notes = (f"{left_out} events without a usable id, time or position are left out",) if left_out else ()
    return Reading((_THING,) if observations else (), tuple(observations), tuple(places.values()), notes)


def _event(feature: Json) -> tuple[FeatureOfInterest, tuple[Observation, ...]] | None:
    """The epicentre and the values of one event; None when its id, time or position cannot be used."""
    if not isinstance(feature, dict) or not isinstance(feature.get("properties"), dict):
        return None
    properties = feature["properties"]
    event_id, time = feature.get("id"), _instant(properties.get("time"))
    position = _position(feature.get("geometry"))
    if not isinstance(event_id, str) or not KEY.fullmatch(event_id) or time is None or position is None:
        return None
    updated = _instant(properties.get("updated"))
    status = properties.get("status") if isinstance(properties.get("status"), str) else None
    place = _epicentre(event_id, properties, position, updated)
    parameters = {
        "event": event_id,
        **{
            name: properties[name]
            for name in ("magType", "tsunami", "alert", "net")
            if properties.get(name) is not None
        },
    }
    values: dict[str, Json] = {"status": status}
    if status != "deleted":
        values |= {"magnitude": properties.get("mag"), "felt": properties.get("felt")}
        values["depth"] = position[2] if len(position) > 2 else None
    return place, tuple(
        Observation(f"usgs:{name}", time, value, updated, parameters, place.key)
        for name, value in values.items()
        if (is_number(value) or name == "status") and value is not None
    )


def _epicentre(
    event_id: str, properties: Mapping[str, Json], position: list[float], updated: int | None
) -> FeatureOfInterest:
    # `ids` names every code the event has had: the preferred one changes when another network takes over.
    ids = [text for text in str(properties.get("ids") or "").split(",") if KEY.fullmatch(text)]
    kept = ("place", "status", "type", "title", "url", "felt", "cdi", "mmi", "sig")
    return FeatureOfInterest(
        key=f"usgs:{event_id}",
        name=str(properties.get("title") or f"Séisme {event_id}")[:200],
        description=str(properties.get("place") or "Lieu non nommé par la source")[:500],
        feature={"type": "Point", "coordinates": position[:2]},
        properties={
            **{name: properties[name] for name in kept if properties.get(name) is not None},
            **({"depth_km": position[2]} if len(position) > 2 else {}),
        },
        aliases=tuple(f"usgs:{other}" for other in ids if other != event_id),
        version=updated,
    )


def _position(geometry: Json) -> list[float] | None:
    """Longitude, latitude and, where known, depth in km (positive downwards, so it is not a GeoJSON height)."""
    coordinates = geometry.get("coordinates") if isinstance(geometry, dict) else None
    if not isinstance(coordinates, list) or len(coordinates) < 2 or not all(is_number(x) for x in coordinates[:2]):
        return None
    if not (-180 <= coordinates[0] <= 180 and -90 <= coordinates[1] <= 90):
        return None
    return coordinates[: 3 if len(coordinates) > 2 and is_number(coordinates[2]) else 2]


def _instant(value: Json) -> int | None:
    """Microseconds since 1970 from milliseconds; None when it is no number or out of the years 1 to 9999."""
    if not is_number(value):
        return None
    micros = round(value * 1000)
    return micros if MIN_INSTANT <= micros <= MAX_INSTANT else None


def _box(options: Options) -> tuple[float, float, float, float] | None:
    box = options.get("bbox")
    if box is None:
        return None
    if not isinstance(box, (list, tuple)) or len(box) != 4 or not all(is_number(x) for x in box):
        raise BadRequest("The box is not four numbers.", place="bbox", hint="west, south, east, north in degrees.")
    return (box[0], box[1], box[2], box[3])


def _inside(feature: Mapping[str, Json], box: tuple[float, float, float, float]) -> bool:
    longitude: float
    latitude: float
    longitude, latitude = feature["coordinates"]
    west, south, east, north = box
    if west > east:  # the box crosses the 180th meridian
        return south <= latitude <= north and (longitude >= west or longitude <= east)
    return south <= latitude <= north and west <= longitude <= east
