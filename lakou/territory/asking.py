"""What a request for places or zones asks: parameters of the address to a checked value. Pure.

One table of parameters; the OpenAPI description is made from it. An unknown or wrong one is refused, never ignored: who
misspells `commune` must not get all places.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from lakou.kernel.errors import BadRequest, NotAcceptable
from lakou.territory.kinds import PLACES_BY_KEY, check_key
from lakou.territory.mediation.standard import BY_NAME
from lakou.territory.queries import Bounds, Filter

DEFAULT_PAGE = 100
LARGEST_PAGE = 1_000
LARGEST_KEY = 2**63 - 1

Shape = Literal["json", "geojson", "csv"]
MEDIA: dict[Shape, str] = {
    "json": "application/json",
    "geojson": "application/geo+json",
    "csv": "text/csv; charset=utf-8",
}

PARAMETERS: dict[str, tuple[str, dict[str, object]]] = {
    "kind": ("Only places of this kind", {"type": "string", "enum": list(PLACES_BY_KEY)}),
    "commune": ("Only places of this commune: its INSEE code", {"type": "string", "pattern": "^[0-9][0-9AB][0-9]{3}$"}),
    "bbox": ("Only what lies inside west,south,east,north in degrees", {"type": "string"}),
    "after": ("Go on after the thing with this key", {"type": "integer", "minimum": 0}),
    "limit": ("How many at most", {"type": "integer", "minimum": 1, "maximum": LARGEST_PAGE, "default": DEFAULT_PAGE}),
    "format": ("The form of the answer; else the header Accept decides", {"type": "string", "enum": list(MEDIA)}),
}
ON_PLACES = tuple(PARAMETERS)
ON_ZONES = ("bbox", "after", "limit")


@dataclass(frozen=True, slots=True)
class Asked:
    """A checked request: which, from where, how many, in which form."""

    filter: Filter
    after: int = 0
    limit: int = DEFAULT_PAGE
    shape: Shape = "json"


def read(parameters: Mapping[str, str], accept: str = "", *, known: Collection[str] = ON_PLACES) -> Asked:
    """The request that the parameters make. Raises BadRequest with the parameter as place, NotAcceptable."""
    unknown = sorted(set(parameters) - set(known))
    if unknown:
        raise _wrong(unknown[0][:40], f"There is no parameter {unknown[0][:40]!r}", "known: " + ", ".join(known))
    kind, commune = parameters.get("kind", ""), parameters.get("commune", "")
    if kind:
        check_key(PLACES_BY_KEY, kind, "kind")
    pattern = BY_NAME["code_insee"].pattern
    if commune and not (pattern and pattern.fullmatch(commune)):
        raise _wrong("commune", "The commune is given by its INSEE code", "for example commune=97213")
    bounds = read_bounds(parameters["bbox"]) if "bbox" in parameters else None
    return Asked(
        Filter(kind, commune, bounds),
        _whole(parameters, "after", 0, 0, LARGEST_KEY),
        _whole(parameters, "limit", DEFAULT_PAGE, 1, LARGEST_PAGE),
        _shape(parameters.get("format", ""), accept),
    )


def read_bounds(text: str) -> Bounds:
    """`west,south,east,north` in degrees. Raises BadRequest."""
    try:
        numbers = [float(part) for part in text.split(",")] if text.isascii() and len(text) < 200 else []
    except ValueError:
        numbers = []
    if len(numbers) == 4 and all(math.isfinite(number) for number in numbers):
        west, south, east, north = numbers
        if -180 <= west <= east <= 180 and -90 <= south <= north <= 90:
            return west, south, east, north
    raise _wrong("bbox", "The bounds cannot be read", "bbox=west,south,east,north in degrees: -61.1,14.5,-60.9,14.7")


def _whole(parameters: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = parameters.get(name)
    if text is None:
        return default
    if text.isascii() and text.isdigit() and len(text) <= 19 and least <= int(text) <= most:
        return int(text)
    raise _wrong(name, f"{name} is a whole number from {least} to {most}", f"{name}={default or 1}")


def _shape(named: str, accept: str) -> Shape:
    for shape in MEDIA:
        if shape == named:
            return shape
    if named:
        raise _wrong("format", "There is no such format", "one of: " + ", ".join(MEDIA))
    wanted = [part.split(";")[0].strip().lower() for part in accept.split(",") if part.strip()]
    for media in wanted:
        for shape, own in MEDIA.items():
            if media == own.split(";")[0]:
                return shape
    if not wanted or {"*/*", "application/*", "text/html"} & set(wanted):
        return "json"
    raise NotAcceptable("Places come as JSON, GeoJSON or CSV", place="Accept", hint="or say ?format=csv")


def _wrong(place: str, message: str, hint: str) -> BadRequest:
    return BadRequest(message, code="parameter", place=place, hint=hint)
