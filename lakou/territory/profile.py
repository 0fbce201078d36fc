"""The profile of a territory: name, place, time zone, languages, communes, organisations, hazards, holidays, from TOML.

A profile is a value read once; pages draw their map and write their times from it, imports compare with it. Built-in
profiles lie in `profiles/`; a site names its own file instead. `to_verify` marks facts that rest on general knowledge:
they are shown as such until somebody has checked them.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from lakou.kernel.errors import BadRequest, NotFound
from lakou.territory import holidays
from lakou.territory.holidays import Holiday

BUILT_IN = Path(__file__).parent / "profiles"

Point = tuple[float, float]
OrganisationKind = Literal["commune", "epci", "ctm", "region", "department", "state", "association", "company"]


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


class Commune(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A commune by its INSEE code (never its postal code), with the key of its EPCI. Population None: unknown."""

    code: str
    name: str
    epci: str = ""
    population: int | None = None
    to_verify: bool = False


class Organisation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who has a part in this territory. `siren` has nine digits, or is empty when not known."""

    key: str
    name: str
    kind: OrganisationKind
    siren: str = ""
    web: str = ""
    to_verify: bool = False


class HazardNote(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A hazard of this territory, by its key in `kinds.HAZARDS`, with what is particular to it here."""

    key: str
    note: str = ""
    to_verify: bool = False


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A territory. `bounds` is west, south, east, north in degrees (WGS 84); `sources` tell of its facts."""

    key: str
    name: str
    region: str
    time_zone: str
    languages: tuple[str, ...]
    centre: Point
    bounds: tuple[float, float, float, float]
    insee: str = ""
    sources: tuple[str, ...] = ()
    outline: tuple[Outline, ...] = ()
    label: tuple[Label, ...] = ()
    commune: tuple[Commune, ...] = ()
    organisation: tuple[Organisation, ...] = ()
    hazard: tuple[HazardNote, ...] = ()
    holiday: tuple[Holiday, ...] = ()

    @property
    def zone(self) -> ZoneInfo:
        """The time zone in which this territory reads its clocks."""
        return ZoneInfo(self.time_zone)

    def holidays_of(self, year: int) -> dict[str, str]:
        """Public holidays of a year, national and local: name by ISO date, in the order of the year."""
        return holidays.of_year(year, self.holiday)


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


def decode_profile(data: bytes) -> Profile:
    """TOML bytes to a profile of which only the shape is checked. Raises BadRequest `profile_invalid`."""
    try:
        return msgspec.toml.decode(data, type=Profile)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise BadRequest(
            f"The territory's profile cannot be read: {error}",
            code="profile_invalid",
            hint="Compare it with lakou/territory/profiles/le-lamentin.toml.",
        ) from error


def read_profile(data: bytes) -> Profile:
    """TOML bytes to a checked profile. Raises BadRequest `profile_invalid` for the first thing that is wrong."""
    from lakou.territory.profile_rules import problems  # it is about the types of this file

    profile = decode_profile(data)
    for problem in problems(profile):
        raise BadRequest(
            f"The territory's profile has a wrong value for {problem.place}",
            place=problem.place,
            hint=problem.hint,
            code="profile_invalid",
        )
    return profile


def _unknown(name: str) -> NotFound:
    return NotFound(f"No territory profile named {name}", hint=f"Known profiles: {', '.join(known_profiles())}.")
