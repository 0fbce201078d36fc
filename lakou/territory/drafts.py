"""Drafts of places: what a row says, as the fields of the register; and a mediation place back as its row. Pure.

Fields and row say the same thing in two forms: `row_of` of the fields of `draft_of` is the row again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from lakou.territory.mediation.check import position_of
from lakou.territory.mediation.standard import NAMES

# Columns of the standard that are fields of a place; the others stand in `properties`.
_FIELDS = {
    "nom": "name",
    "code_insee": "commune",
    "adresse": "address",
    "horaires": "opening_hours",
    "presentation_detail": "description",
}
_CONTACTS = {"telephone": "phone", "courriels": "email", "site_web": "web"}
MEDIATION = "mediation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The fields of a place as a file gives them."""

    kind: str
    name: str
    source_id: str
    longitude: float | None = None
    latitude: float | None = None
    commune: str = ""
    address: str = ""
    capacity: int | None = None
    contacts: dict[str, str] = field(default_factory=dict)
    opening_hours: str = ""
    description: str = ""
    properties: dict[str, Any] = field(default_factory=dict)
    raw: dict[str, Any] = field(default_factory=dict)

    def values(self) -> dict[str, Any]:
        """All fields but `source_id` and `raw`, by name."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.name not in ("source_id", "raw")}


def draft_of(row: Mapping[str, str], raw: dict[str, Any]) -> Draft:
    """A checked row of the mediation standard as a draft. Coordinates that are no position stay in `properties`."""
    position = position_of(row)
    taken = {"id", *_FIELDS, *_CONTACTS} | ({"latitude", "longitude"} if position else set())
    return Draft(
        kind=MEDIATION,
        source_id=row["id"],
        longitude=position[0] if position else None,
        latitude=position[1] if position else None,
        contacts={key: row[name] for name, key in _CONTACTS.items() if row[name]},
        properties={name: row[name] for name in NAMES if name not in taken and row[name]},
        raw=raw,
        name=row["nom"],
        commune=row["code_insee"],
        address=row["adresse"],
        opening_hours=row["horaires"],
        description=row["presentation_detail"],
    )


def row_of(source_id: str, values: Mapping[str, Any]) -> dict[str, str]:
    """The row of the standard for a mediation place with these fields."""
    row = dict.fromkeys(NAMES, "")
    row |= {name: value for name, value in values["properties"].items() if name in row}
    row |= {name: values[attribute] for name, attribute in _FIELDS.items()}
    row |= {name: values["contacts"].get(key, "") for name, key in _CONTACTS.items()}
    if values["longitude"] is not None:
        row |= {"longitude": repr(values["longitude"]), "latitude": repr(values["latitude"])}
    return row | {"id": source_id}
