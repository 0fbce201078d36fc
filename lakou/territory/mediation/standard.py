"""The national standard of digital-mediation places as data: its 32 columns in order, patterns and enumerations.

Source: LaMednum/standard-mediation-num, schema.json v1.0.2 of 2024-04-11 (Table Schema, licence etalab-2.0). Its
patterns are not anchored, so ours are always used with `fullmatch`: with `search` a first wrong value would pass. Codes
of `typologie` are those of data-inclusion v0, which the schema names without listing: an unknown one is a warning.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

VERSION = "1.0.2"
SEPARATOR = "|"

SERVICES = (
    "Aide aux démarches administratives",
    "Maîtrise des outils numériques du quotidien",
    "Insertion professionnelle via le numérique",
    "Utilisation sécurisée du numérique",
    "Parentalité et éducation avec le numérique",
    "Loisirs et créations numériques",
    "Compréhension du monde numérique",
    "Accès internet et matériel informatique",
    "Acquisition de matériel informatique à prix solidaire",
)
PUBLICS = ("Jeunes", "Étudiants", "Familles et/ou enfants", "Seniors", "Femmes")
CARE = (
    "Surdité",
    "Handicaps moteurs",
    "Handicaps mentaux",
    "Illettrisme",
    "Langues étrangères (anglais)",
    "Langues étrangères (autres)",
    "Déficience visuelle",
)
FEES = ("Gratuit", "Gratuit sous condition", "Payant")
PROGRAMMES = (
    "Aidants Connect",
    "Bibliothèques numérique de référence",
    "Certification PIX",
    "Conseillers numériques",
    "Emmaüs Connect",
    "France Services",
    "Grande école du numérique",
    "La Croix Rouge",
    "Point d'accès numérique CAF",
    "Promeneurs du net",
    "Relais numérique (Emmaüs Connect)",
)
LABELS = (
    "Formé à « Mon Espace Santé »",
    "Formé à « DUPLEX » (illettrisme)",
    "Arnia/MedNum BFC (Bourgogne-Franche-Comté)",
    "Collectif ressources et acteurs réemploi (Normandie)",
    # The pattern of v1.0.2 has no space here, its text has one: the pattern is what files are checked with.
    "Étapes numériques(La Poste)",
    "Fabriques de Territoire",
    "Les Éclaireurs du numérique (Drôme)",
    "Mes Papiers (Métropole de Lyon)",
    "ORDI 3.0",
    "SUD LABS (PACA)",
)
ACCESS = (
    "Se présenter",
    "Téléphoner",
    "Contacter par mail",
    "Prendre un RDV en ligne",
    "Ce lieu n'accueille pas de public",
    "Envoyer un mail avec une fiche de prescription",
)
SUPPORT = ("En autonomie", "Accompagnement individuel", "Dans un atelier collectif", "À distance")
_CODES = (
    "ACI ACIPHC AFPA AI ASE ASSO ASSO_CHOMEUR Autre BIB CAARUD CADA CAF CAP_EMPLOI CAVA CC CCAS CCONS CD CFP CHRS CHU "
    "CIAS CIDFF CITMET CPAM CPH CS CSAPA DEETS DEPT DIPLP E2C EA EATT EI EITI ENM EPCI EPIDE EPN ESS ETTI EVS FABLAB "
    "FAIS FT GEIQ HUDA LA_POSTE MDE MDEF MDPH MDS MJC ML MQ MSA MUNI OACAS ODC OF OIL OPCS PAD PE PENSION PIJ_BIJ "
    "PIMMS PJJ PLIE PREF PREVENTION REG RFS RS_FJT SCP SPIP TIERS_LIEUX UDAF"
)
TYPOLOGIES = frozenset(_CODES.split())
# Spellings of a value that mean it, met in the schema's own texts: accepted on reading, never written.
SPELLINGS = {"Étapes numériques (La Poste)": "Étapes numériques(La Poste)"}

Form = Literal["text", "number", "date", "email", "url", "hours", "typology"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `values` are the only ones allowed; `is_list`: several, joined by `|`; `expected` is for people."""

    name: str
    required: bool = False
    pattern: re.Pattern[str] | None = None
    form: Form = "text"
    values: tuple[str, ...] = ()
    is_list: bool = False
    longest: int = 0
    expected: str = ""
    known: frozenset[str] = field(default=frozenset())


def _enum(name: str, values: tuple[str, ...]) -> Column:
    return Column(name, values=values, is_list=True)


_PHONE = re.compile(r"(\+33|\+590|\+594|\+262|\+596|\+269|\+687|\+689|\+508|\+681)(\d){6,9}", re.ASCII)

COLUMNS: tuple[Column, ...] = (
    Column("id", required=True, expected="un identifiant unique dans le fichier"),
    Column("pivot", required=True, pattern=re.compile(r"[a-zA-Z0-9]{9,14}"), expected="un SIRET, un RNA ou un RIDET"),
    Column("nom", required=True, expected="le nom du lieu"),
    Column("commune", required=True, expected="le nom de la commune"),
    Column("code_postal", required=True, pattern=re.compile(r"\d{5}", re.ASCII), expected="cinq chiffres : 97232"),
    Column(
        "code_insee",
        pattern=re.compile(r"([013-9]\d|2[AB1-9])\d{3}", re.ASCII),
        expected="le code de la commune, cinq caractères : 97213",
    ),
    Column("adresse", required=True, expected="le numéro et la voie"),
    Column("complement_adresse"),
    Column("latitude", form="number", expected="des degrés décimaux avec un point : 14.613"),
    Column("longitude", form="number", expected="des degrés décimaux avec un point : -60.998"),
    Column("typologie", form="typology", is_list=True, known=TYPOLOGIES, expected="un code de data-inclusion : CCAS"),
    Column("telephone", pattern=_PHONE, expected="la forme internationale sans espace : +596596123456"),
    Column("courriels", form="email", is_list=True, expected="une ou plusieurs adresses, séparées par |"),
    Column("site_web", form="url", is_list=True, expected="une adresse qui commence par https://"),
    Column("horaires", form="hours", expected="la forme d'OpenStreetMap : Mo-Fr 09:00-12:00,14:00-17:00"),
    Column("presentation_resume", longest=280, expected="au plus 280 caractères"),
    Column("presentation_detail"),
    Column("source"),
    _enum("itinerance", ("Itinérant", "Fixe")),
    Column("structure_parente"),
    Column("date_maj", required=True, form="date", expected="année-mois-jour : 2026-11-26"),
    _enum("services", SERVICES),
    _enum("publics_specifiquement_adresses", PUBLICS),
    _enum("prise_en_charge_specifique", CARE),
    _enum("frais_a_charge", FEES),
    _enum("dispositif_programmes_nationaux", PROGRAMMES),
    _enum("formations_labels", LABELS),
    Column("autres_formations_labels", is_list=True),
    _enum("modalites_acces", ACCESS),
    _enum("modalites_accompagnement", SUPPORT),
    Column("fiche_acces_libre", form="url", expected="une adresse qui commence par https://"),
    Column("prise_rdv", form="url", expected="une adresse qui commence par https://"),
)
NAMES: tuple[str, ...] = tuple(column.name for column in COLUMNS)
BY_NAME = {column.name: column for column in COLUMNS}
