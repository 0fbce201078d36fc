"""The kinds of places, layers and hazards: tables that models, commands, the API and the pages walk.

Labels are French, as shown. `icon` names a drawing of Maki (CC0) or Temaki (CC0), never shown without its label.
Hazards are those of the town's risk file (domain: Le Lamentin), with the words of French risk prevention.
"""

from __future__ import annotations

from dataclasses import dataclass

from lakou.kernel.errors import BadRequest


@dataclass(frozen=True, slots=True)
class Kind:
    """One value of a table: its key in data and addresses, its label in the singular and the plural, its icon."""

    key: str
    label: str
    plural: str
    icon: str


PLACE_KINDS: tuple[Kind, ...] = (
    Kind("mediation", "Médiation numérique", "Lieux de médiation numérique", "maki:information"),
    Kind("shelter", "Refuge", "Refuges", "maki:shelter"),
    Kind("assembly-point", "Point de rassemblement", "Points de rassemblement", "temaki:assembly_point"),
    Kind("school", "École", "Écoles", "maki:school"),
    Kind("town-hall", "Mairie", "Mairies", "maki:town-hall"),
    Kind("health", "Santé", "Lieux de santé", "maki:hospital"),
    Kind("fire-station", "Secours", "Centres de secours", "maki:fire-station"),
    Kind("police", "Police ou gendarmerie", "Police et gendarmerie", "maki:police"),
    Kind("industrial", "Site industriel", "Sites industriels", "maki:industry"),
    Kind("bus-stop", "Arrêt de bus", "Arrêts de bus", "maki:bus"),
    Kind("other", "Autre lieu", "Autres lieux", "maki:marker"),
)
LAYER_KINDS: tuple[Kind, ...] = (
    Kind("hazard", "Aléa", "Aléas", "maki:danger"),
    Kind("evacuation", "Évacuation", "Évacuation", "temaki:assembly_point"),
    Kind("administrative", "Limites administratives", "Limites administratives", "maki:town-hall"),
    Kind("other", "Autre", "Autres", "maki:marker"),
)
HAZARDS: tuple[Kind, ...] = (
    Kind("earthquake", "Séisme", "Séismes", "maki:danger"),
    Kind("cyclone", "Cyclone", "Cyclones", "maki:danger"),
    Kind("flood", "Inondation", "Inondations", "maki:water"),
    Kind("submersion", "Submersion marine", "Submersions marines", "maki:water"),
    Kind("landslide", "Mouvement de terrain", "Mouvements de terrain", "temaki:cliff_falling_rocks"),
    Kind("volcano", "Volcan", "Volcans", "maki:volcano"),
    Kind("tsunami", "Tsunami", "Tsunamis", "maki:water"),
    Kind("drought", "Sécheresse", "Sécheresses", "maki:danger"),
    Kind("industrial", "Risque industriel", "Risques industriels", "maki:industry"),
    Kind("wildfire", "Feu de végétation", "Feux de végétation", "maki:fire-station"),
    Kind("sargassum", "Sargasses", "Sargasses", "maki:water"),
    Kind("coastal-erosion", "Érosion du littoral", "Érosion du littoral", "maki:water"),
)

PLACES_BY_KEY = {kind.key: kind for kind in PLACE_KINDS}
LAYERS_BY_KEY = {kind.key: kind for kind in LAYER_KINDS}
HAZARDS_BY_KEY = {kind.key: kind for kind in HAZARDS}


def check_key(table: dict[str, Kind], key: str, place: str) -> str:
    """The key, when the table has it. Raises BadRequest `unknown_kind` naming the known ones."""
    if key not in table:
        raise BadRequest(
            f"There is no {place} {key[:40]!r}", code="unknown_kind", place=place, hint="known: " + ", ".join(table)
        )
    return key
