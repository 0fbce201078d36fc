"""What the pages say about a place, in French; pure. What is not known is said to be unknown, and never guessed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from lakou.territory.holidays import days_of
from lakou.territory.kinds import PLACES_BY_KEY
from lakou.territory.models import Place
from lakou.territory.opening_hours import in_french, status_at
from lakou.territory.profile import Profile
from lakou.web import french

_PHONE = re.compile(r"\+(33|590|594|262|596|269|687|689|508|681)(\d{6,9})", re.ASCII)
_EMAIL = re.compile(r"[^@\s|,;:<>\"?&]+@[^@\s|,;:<>\"?&]+\.[^@\s|,;:<>\"?&]+")
_WEB = re.compile(r"https?://[^\s|<>\"]+", re.IGNORECASE)

# Properties that are shown, with their heading; lists are joined by | in the mediation standard.
SHOWN = {
    "services": "Services",
    "modalites_accompagnement": "Accompagnement",
    "modalites_acces": "Comment y accéder",
    "frais_a_charge": "Frais",
    "publics_specifiquement_adresses": "Publics",
    "prise_en_charge_specifique": "Besoins particuliers",
    "itinerance": "Lieu fixe ou itinérant",
    "dispositif_programmes_nationaux": "Programmes nationaux",
    "formations_labels": "Formations et labels",
    "autres_formations_labels": "Autres labels",
    "structure_parente": "Structure",
    "stop_code": "Numéro de l'arrêt",
    "platform_code": "Quai",
    "zone_id": "Zone tarifaire",
}
LINKS = {
    "prise_rdv": "Prendre rendez-vous",
    "fiche_acces_libre": "Accessibilité du lieu",
    "stop_url": "Page de l'arrêt",
}
_WHEELCHAIR = {"1": "accessible en fauteuil roulant", "2": "non accessible en fauteuil roulant"}
_LOCATION = {"1": "station", "2": "entrée de station", "3": "point de passage", "4": "zone d'embarquement"}
# Kinds for which people ask how many fit in: there an unknown capacity is told.
_HOLDING = ("shelter", "assembly-point", "school")


@dataclass(frozen=True, slots=True)
class Link:
    """A text that is a link when `href` is not empty."""

    text: str
    href: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """A place as pages show it. `now` is empty when it is not sure whether the place is open."""

    key: int
    number: int
    name: str
    kind: str
    where: str
    commune: str
    position: str
    now: str
    hours: list[tuple[str, str]]
    hours_text: str
    contacts: list[tuple[str, list[Link]]]
    facts: list[tuple[str, list[str]]]
    links: list[Link]
    resume: str
    description: str
    capacity: str
    source: str
    source_id: str
    updated: str

    @property
    def legend(self) -> str:
        """What its mark on the map says."""
        return f"{self.number}, {self.name} : {self.kind}"


def say(place: Place, number: int, profile: Profile, local: datetime) -> Said:
    """Everything that is said about a place at this local time."""
    kind = PLACES_BY_KEY.get(place.kind)
    return Said(
        key=place.pk,
        number=number,
        name=place.name,
        kind=kind.label if kind else place.kind,
        where=_where(place),
        commune=_commune(place, profile),
        position=""
        if place.longitude is None or place.latitude is None
        else _position(place.longitude, place.latitude),
        now=_now(place.opening_hours, profile, local),
        hours=in_french(place.opening_hours),
        hours_text=place.opening_hours,
        contacts=_contacts(place.contacts),
        facts=_facts(place),
        links=[
            Link(text, url)
            for name, text in LINKS.items()
            if _WEB.fullmatch(url := str(place.properties.get(name, "")))
        ],
        resume=str(place.properties.get("presentation_resume", "")),
        description=place.description,
        capacity=_capacity(place),
        source=str(place.properties.get("source", "")) or place.source,
        source_id=place.source_id,
        updated=_day(place, profile.zone),
    )


def _where(place: Place) -> str:
    more = place.properties.get("complement_adresse")
    return ", ".join(str(part) for part in (place.address, more) if part)


def _commune(place: Place, profile: Profile) -> str:
    known = next((one.name for one in profile.commune if one.code == place.commune), "")
    name = known or str(place.properties.get("commune", ""))
    postal = str(place.properties.get("code_postal", ""))
    return f"{postal} {name}".strip() or place.commune


def _position(longitude: float, latitude: float) -> str:
    return french.position(longitude, latitude)


def _now(text: str, profile: Profile, local: datetime) -> str:
    years = (local.year - 1, local.year)  # the evening before may still be open
    legal, customary = (
        set().union(*(days_of(year, profile.holiday, kind) for year in years)) for kind in ("legal", "customary")
    )
    status = status_at(text, local, legal, customary)
    return {"open": "ouvert en ce moment", "closed": "fermé en ce moment", None: ""}[status]


def _contacts(contacts: Mapping[str, str]) -> list[tuple[str, list[Link]]]:
    found: list[tuple[str, list[Link]]] = []
    if phone := contacts.get("phone", ""):
        match = _PHONE.fullmatch(phone)
        found.append(("Téléphone", [Link(_phone(*match.groups()), f"tel:{phone}") if match else Link(phone)]))
    if email := contacts.get("email", ""):
        addresses = [part for part in email.split("|") if part]
        found.append(("Courriel", [Link(one, f"mailto:{one}" if _EMAIL.fullmatch(one) else "") for one in addresses]))
    if web := contacts.get("web", ""):
        sites = [part for part in web.split("|") if part]
        found.append(("Site", [Link(_bare(one), one if _WEB.fullmatch(one) else "") for one in sites]))
    return found


def _phone(country: str, number: str) -> str:
    """As dialled inside the territory: `0596 50 00 00`, `01 80 05 98 80`."""
    digits = "0" + number
    if len(digits) != 10:
        return f"+{country} {number}"
    head = digits[:4] if country != "33" else digits[:2]
    rest = digits[len(head) :]
    pairs = [rest[index : index + 2] for index in range(0, len(rest), 2)]
    return french.NBSP.join([head, *pairs])


def _bare(url: str) -> str:
    return re.sub(r"^https?://(www\.)?", "", url, flags=re.IGNORECASE).rstrip("/")[:80]


def _facts(place: Place) -> list[tuple[str, list[str]]]:
    held: Mapping[str, Any] = place.properties
    facts = [
        (title, [part for part in str(held[name]).split("|") if part])
        for name, title in SHOWN.items()
        if held.get(name)
    ]
    if place.kind == "bus-stop":
        kind = _LOCATION.get(str(held.get("location_type", "")))
        facts += [("Type", [kind])] if kind else []
        wheelchair = _WHEELCHAIR.get(str(held.get("wheelchair_boarding", "")), "inconnue")
        facts.append(("Accessibilité", [wheelchair]))
    return facts


def _capacity(place: Place) -> str:
    if place.capacity is not None:
        return french.count(place.capacity, "personne", "personnes")
    return "inconnue" if place.kind in _HOLDING else ""


def _day(place: Place, zone: ZoneInfo) -> str:
    given = str(place.properties.get("date_maj", ""))
    try:
        return f"donnée du {date.fromisoformat(given):%d/%m/%Y}"
    except ValueError:
        return f"date de la donnée inconnue, importée le {place.updated.astimezone(zone):%d/%m/%Y}"
