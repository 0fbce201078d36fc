"""What surrounds an import: the territory's bounds and communes, against which positions and names are compared."""

from __future__ import annotations

from dataclasses import dataclass, field

from lakou.territory.profile import Profile


@dataclass(frozen=True, slots=True)
class Surroundings:
    """A territory as imports see it. `bounds` is west, south, east, north in degrees; `communes` are names by code."""

    name: str
    bounds: tuple[float, float, float, float]
    communes: dict[str, str] = field(default_factory=dict)

    def holds(self, longitude_deg: float, latitude_deg: float) -> bool:
        """Whether a position lies inside the bounds."""
        west, south, east, north = self.bounds
        return west <= longitude_deg <= east and south <= latitude_deg <= north


def surroundings_of(profile: Profile) -> Surroundings:
    """The surroundings that a profile describes."""
    communes = {commune.code: commune.name for commune in profile.commune}
    return Surroundings(profile.name, profile.bounds, communes)
