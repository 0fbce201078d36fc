"""What a check finds in a row: cause, severity, place, value and advice; and the report a steward reads.

`CAUSES` is the one table of causes. An *error* keeps the row out (the report holds it whole, so nothing is lost); a
*warning* lets it in. Texts are French: they are for the people who look after the data.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from lakou.territory.tables import Row

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Cause:
    """A kind of finding, with what it says when the check has nothing better."""

    code: str
    severity: Severity
    text: str


_TABLE = (
    Cause("row", "error", "La ligne ne peut pas être lue"),
    Cause("duplicate", "error", "Cet identifiant est déjà dans le fichier"),
    Cause("missing", "error", "Une valeur obligatoire manque"),
    Cause("pattern", "error", "La valeur n'a pas la forme voulue"),
    Cause("enumeration", "error", "La valeur n'est pas dans la liste du standard"),
    Cause("number", "error", "Ce n'est pas un nombre"),
    Cause("range", "error", "Le nombre est hors des bornes"),
    Cause("date", "error", "Ce n'est pas une date"),
    Cause("too_long", "error", "Le texte est trop long"),
    Cause("nul", "error", "Le texte contient un caractère interdit"),
    Cause("missing_accepted", "warning", "Une valeur obligatoire du standard manque : lieu non publiable tel quel"),
    Cause("unmapped", "warning", "La valeur n'a pas d'équivalent dans le standard : gardée dans la ligne d'origine"),
    Cause("spaces", "warning", "Des espaces ont été retirés autour de la valeur"),
    Cause("separator", "warning", "La liste est séparée par « ; » : le standard écrit « | »"),
    Cause("spelling", "warning", "Une graphie connue a été remplacée par celle du standard"),
    Cause("repeated", "warning", "Une valeur est répétée dans la liste"),
    Cause("zeros", "warning", "Les zéros de tête du code ont été rétablis"),
    Cause("typology", "warning", "Ce type de structure n'est pas dans le vocabulaire connu"),
    Cause("email", "warning", "Ce n'est pas une adresse électronique"),
    Cause("url", "warning", "Ce n'est pas une adresse de site : elle ne sera pas un lien"),
    Cause("hours", "warning", "Les horaires ne sont pas compris : ils sont montrés tels quels"),
    Cause("future", "warning", "La date est à venir"),
    Cause("siret", "warning", "La clé de contrôle du SIRET est fausse"),
    Cause("half_position", "warning", "Une seule coordonnée : la position est inconnue"),
    Cause("null_island", "warning", "La position 0, 0 est au large de l'Afrique : elle est traitée comme inconnue"),
    Cause("no_position", "warning", "Le lieu n'a pas de coordonnées : position inconnue"),
    Cause("swapped", "warning", "Latitude et longitude semblent inversées"),
    Cause("outside", "warning", "La position est hors du territoire"),
    Cause("postal_code", "warning", "Le code postal et le code INSEE ne sont pas du même département"),
    Cause("commune", "warning", "Le nom de la commune n'est pas celui du code INSEE"),
    Cause("no_geometry", "error", "L'entité n'a pas de géométrie lisible"),
    Cause("geometry", "error", "La géométrie est mal formée"),
    Cause("not_degrees", "error", "Les coordonnées ne sont pas des degrés"),
    Cause("invalid", "warning", "La géométrie est invalide : gardée telle quelle, à corriger à la source"),
    Cause("population", "warning", "La population n'est pas un nombre : elle est inconnue"),
    Cause("population_zero", "warning", "Une population de 0 est traitée comme inconnue"),
    Cause("properties", "warning", "Les attributs sont trop lourds : ils ne sont pas gardés"),
    Cause("no_field", "warning", "Aucune entité n'a cet attribut"),
    Cause("phone", "warning", "Ce n'est pas un numéro de téléphone international"),
    Cause("capacity", "warning", "La capacité n'est pas un nombre de personnes : elle est inconnue"),
    Cause("area", "warning", "Une surface ou une ligne : le lieu est placé en un point à l'intérieur"),
    Cause("unknown_column", "warning", "Cette colonne n'est pas du standard : gardée dans la ligne d'origine"),
)  # fmt: skip
CAUSES = {cause.code: cause for cause in _TABLE}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found: in which row (0: the whole file) and column, the value, and what to do."""

    row: int
    column: str
    code: str
    value: str = ""
    hint: str = ""

    @property
    def severity(self) -> Severity:
        return CAUSES[self.code].severity

    @property
    def text(self) -> str:
        return CAUSES[self.code].text


@dataclass(slots=True)
class Report:
    """How an import went, or would go. `absent` places are in the register and not in the file; `removed` zones
    were in the layer and are not in the file: places stay, zones go."""

    rows: int = 0
    created: int = 0
    changed: int = 0
    unchanged: int = 0
    refused: int = 0
    warned: int = 0
    absent: int = 0
    removed: int = 0
    is_dry: bool = False
    findings: list[Finding] = field(default_factory=list)
    changes: list[tuple[int, str, str, str]] = field(default_factory=list)
    """Row, column, stored value, value of the file: of places that change."""

    def causes(self) -> list[tuple[Cause, str, int]]:
        """Cause, column and number of findings in rows; errors first, then the most frequent."""
        counted = Counter((finding.code, finding.column) for finding in self.findings if finding.row)
        found = [(CAUSES[code], column, amount) for (code, column), amount in counted.items()]
        return sorted(found, key=lambda one: (one[0].severity != "error", -one[2], one[0].code, one[1]))

    def columns(self) -> list[tuple[str, int, int]]:
        """Column, errors and warnings in it; the worst first."""
        errors = Counter(finding.column for finding in self.findings if finding.severity == "error")
        warnings = Counter(one.column for one in self.findings if one.severity == "warning" and one.row)
        found = [(column, errors[column], warnings[column]) for column in {**errors, **warnings}]
        return sorted(found, key=lambda one: (-one[1], -one[2], one[0]))


REPORT_COLUMNS = ("ligne", "gravite", "colonne", "code", "valeur", "cause", "conseil", "ligne_entiere")


def report_csv(report: Report, rows: Mapping[int, Row]) -> str:
    """Every finding as CSV for a spreadsheet (guarded against formulas, trust R13), refused rows whole as given."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(REPORT_COLUMNS)
    for finding in report.findings:
        gravity = "erreur" if finding.severity == "error" else "avertissement"
        whole = rows[finding.row].text if finding.row in rows and finding.severity == "error" else ""
        cells = (finding.column, finding.code, finding.value, finding.text, finding.hint, whole)
        writer.writerow([finding.row, gravity, *(guarded(cell) for cell in cells)])
    return out.getvalue()


def guarded(cell: str) -> str:
    """The cell with an apostrophe before what a spreadsheet would run as a formula, unless it is a number."""
    if not cell or cell[0] not in "=+-@\t\r":
        return cell
    try:
        float(cell)
    except ValueError:
        return "'" + cell
    return cell
