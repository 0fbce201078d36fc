"""What a profile must hold to be used: each rule gives problems with the place in the file and what to write there."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple
from zoneinfo import ZoneInfoNotFoundError

from lakou.territory.kinds import HAZARDS_BY_KEY
from lakou.territory.mediation.standard import BY_NAME
from lakou.territory.profile import Point, Profile

_KEY = re.compile(r"[a-z0-9][a-z0-9-]{0,79}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_SIREN = re.compile(r"\d{9}", re.ASCII)
_INSEE = BY_NAME["code_insee"].pattern


class Problem(NamedTuple):
    """A wrong value: where it stands (`commune[3].code`) and what is wanted there."""

    place: str
    hint: str


def problems(profile: Profile) -> Iterator[Problem]:
    """Everything that is wrong with a profile, in the order of the file."""
    yield from _head(profile)
    yield from _shapes(profile)
    yield from _communes(profile)
    yield from _organisations(profile)
    yield from _twice("hazard", "key", [one.key for one in profile.hazard])
    for index, hazard in enumerate(profile.hazard):
        if hazard.key not in HAZARDS_BY_KEY:
            yield Problem(f"hazard[{index}].key", "one of: " + ", ".join(HAZARDS_BY_KEY))
    for index, holiday in enumerate(profile.holiday):
        if hint := holiday.problem():
            yield Problem(f"holiday[{index}].day", hint)


def _head(profile: Profile) -> Iterator[Problem]:
    if not _KEY.fullmatch(profile.key):
        yield Problem("key", "small letters, digits and hyphens")
    for place in ("name", "region"):
        if not getattr(profile, place).strip():
            yield Problem(place, "a name")
    west, south, east, north = profile.bounds
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        yield Problem("bounds", "west, south, east, north in degrees, in this order")
    elif not (west <= profile.centre[0] <= east and south <= profile.centre[1] <= north):
        yield Problem("centre", "longitude, latitude, inside the bounds")
    try:
        _ = profile.zone
    except (ZoneInfoNotFoundError, ValueError, OSError):
        yield Problem("time_zone", "a name of the IANA list, such as America/Martinique")
    if not profile.languages:
        yield Problem("languages", "at least one, the first is the main one")
    for index, language in enumerate(profile.languages):
        if not _LANGUAGE.fullmatch(language):
            yield Problem(f"languages[{index}]", "a language tag, such as fr, gcf or en")
    if profile.insee and not _is_insee(profile.insee):
        yield Problem("insee", "an INSEE code of five characters, such as 97213")


def _shapes(profile: Profile) -> Iterator[Problem]:
    for index, shape in enumerate(profile.outline):
        if len(shape.points) < (2 if shape.kind == "river" else 3):
            yield Problem(
                "outline" if len(shape.points) < 2 else f"outline[{index}].points", "at least two points each"
            )
        if not all(_is_on_earth(point) for point in shape.points):
            yield Problem(f"outline[{index}].points", "longitude, latitude in degrees")
    for index, label in enumerate(profile.label):
        if not _is_on_earth(label.at):
            yield Problem(f"label[{index}].at", "longitude, latitude in degrees")


def _is_on_earth(point: Point) -> bool:
    return all(math.isfinite(value) for value in point) and abs(point[0]) <= 180 and abs(point[1]) <= 90


def _communes(profile: Profile) -> Iterator[Problem]:
    groups = {one.key for one in profile.organisation if one.kind == "epci"}
    yield from _twice("commune", "code", [one.code for one in profile.commune])
    for index, commune in enumerate(profile.commune):
        place = f"commune[{index}]"
        if not _is_insee(commune.code):
            yield Problem(f"{place}.code", "an INSEE code of five characters, such as 97213 (not the postal code)")
        if not commune.name.strip():
            yield Problem(f"{place}.name", "a name")
        if commune.epci and commune.epci not in groups:
            yield Problem(f"{place}.epci", "the key of an organisation of kind epci: " + ", ".join(sorted(groups)))
        if commune.population is not None and commune.population <= 0:
            yield Problem(f"{place}.population", "leave it out when it is not known")


def _organisations(profile: Profile) -> Iterator[Problem]:
    yield from _twice("organisation", "key", [one.key for one in profile.organisation])
    for index, organisation in enumerate(profile.organisation):
        place = f"organisation[{index}]"
        if not _KEY.fullmatch(organisation.key):
            yield Problem(f"{place}.key", "small letters, digits and hyphens")
        if not organisation.name.strip():
            yield Problem(f"{place}.name", "a name")
        if organisation.siren and not _SIREN.fullmatch(organisation.siren):
            yield Problem(f"{place}.siren", "nine digits, or nothing")
        if organisation.web and not organisation.web.startswith("https://"):
            yield Problem(f"{place}.web", "an address that starts with https://")


def _twice(table: str, name: str, values: Iterable[str]) -> Iterator[Problem]:
    for value, times in Counter(values).items():
        if times > 1:
            yield Problem(f"{table}.{name}", f"{value!r} stands there {times} times")


def _is_insee(code: str) -> bool:
    return bool(_INSEE and _INSEE.fullmatch(code))
