"""The small profile of a territory: name, place, time zone, languages and schematic outlines, from TOML.

A profile is a value read once; pages draw their map and write their times from it. Built-in profiles lie in
`profiles/`; a site names its own file instead.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from lakou.kernel.errors import BadRequest, NotFound

BUILT_IN = Path(__file__).parent / "profiles"

Point = tuple[float, float]


class Outline(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A schematic shape: a closed ring for land and commune, an open line for a river. Longitude, latitude."""

    kind: Literal["land", "commune", "river"]
    name: str
    points: tuple[Point, ...]


class Label(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A name written on the map at a point."""

    kind: Literal["town", "water"]
    name: str
    at: Point


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A territory. `bounds` is west, south, east, north in degrees (WGS 84)."""

    key: str
    name: str
    region: str
    time_zone: str
    languages: tuple[str, ...]
    centre: Point
    bounds: tuple[float, float, float, float]
    insee: str = ""
    outline: tuple[Outline, ...] = ()
    label: tuple[Label, ...] = ()

    @property
    def zone(self) -> ZoneInfo:
        """The time zone in which this territory reads its clocks."""
        return ZoneInfo(self.time_zone)


@cache
def load_profile(name: str) -> Profile:
    """The built-in profile of that name, or the one in the TOML file at that path.

    Raises NotFound with the known names, BadRequest with the place of what is wrong in the file.
    """
    path = Path(name) if name.endswith(".toml") else BUILT_IN / f"{name}.toml"
    if not name.endswith(".toml") and not name.replace("-", "").isalnum():
        raise _unknown(name)
    try:
        data = path.read_bytes()
    except OSError:
        raise _unknown(name) from None
    return read_profile(data)


def known_profiles() -> list[str]:
    """Names of the built-in profiles, in alphabetical order."""
    return sorted(path.stem for path in BUILT_IN.glob("*.toml"))


def read_profile(data: bytes) -> Profile:
    """TOML bytes to a checked profile. Raises BadRequest `profile_invalid`."""
    try:
        profile = msgspec.toml.decode(data, type=Profile)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise BadRequest(
            f"The territory's profile cannot be read: {error}",
            code="profile_invalid",
            hint="Compare it with lakou/territory/profiles/le-lamentin.toml.",
        ) from error
    _check(profile)
    return profile


def _check(profile: Profile) -> None:
    west, south, east, north = profile.bounds
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        raise _invalid("bounds", "west, south, east, north in degrees, in this order")
    if not (west <= profile.centre[0] <= east and south <= profile.centre[1] <= north):
        raise _invalid("centre", "longitude, latitude, inside the bounds")
    if any(len(shape.points) < 2 for shape in profile.outline):
        raise _invalid("outline", "at least two points each")
    try:
        _ = profile.zone
    except (ZoneInfoNotFoundError, ValueError):
        raise _invalid("time_zone", "a name of the IANA list, such as America/Martinique") from None


def _invalid(place: str, hint: str) -> BadRequest:
    return BadRequest(
        f"The territory's profile has a wrong value for {place}", place=place, hint=hint, code="profile_invalid"
    )


def _unknown(name: str) -> NotFound:
    return NotFound(f"No territory profile named {name}", hint=f"Known profiles: {', '.join(known_profiles())}.")
