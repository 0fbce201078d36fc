"""A draft of a mapping for a file whose columns are not the standard's: what can be seen, the rest as questions. Pure.

Columns are recognised by their names, coordinates by their values too (a file may call latitude "Coord. X"), dates by
their form, lists by how many of their words are values of the standard. A person reads the draft before it is used.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime

from lakou.kernel import jsontext
from lakou.territory.mediation.check import bare
from lakou.territory.mediation.standard import BY_NAME, COLUMNS, NAMES, SEPARATOR, Column
from lakou.territory.tables import Table

SAMPLE = 200
MOST_TERMS = 30
_DATE_FORMS = ("%d/%m/%Y", "%d-%m-%Y", "%Y/%m/%d", "%d.%m.%Y", "%d/%m/%y")
_SPLIT = re.compile(r"\s*(?:\||;|\n|\s/\s|,(?=\s*[A-ZÀ-Ý]))\s*")
# Words by which people name a column, beside the standard's own name; compared without case, accents and punctuation.
_WORDS: dict[str, tuple[str, ...]] = {
    "id": ("identifiant", "id lieu", "uid"),
    "pivot": ("siret", "rna", "ridet", "siren"),
    "nom": ("lieu", "nom lieu", "structure", "nom structure", "denomination", "raison sociale"),
    "commune": ("ville", "nom commune"),
    "code_postal": ("cp", "code postal", "codepostal"),
    "code_insee": ("insee", "code insee", "code commune", "citycode"),
    "adresse": ("adresse postale", "voie", "rue", "adresse 1"),
    "complement_adresse": ("complement", "complement d adresse", "adresse 2"),
    "latitude": ("lat", "y", "coord y", "geolocalisation lat"),
    "longitude": ("lon", "lng", "long", "x", "coord x", "geolocalisation lon"),
    "telephone": ("tel", "phone", "numero de telephone"),
    "courriels": ("courriel", "mail", "email", "e mail", "adresse mail"),
    "site_web": ("site", "site internet", "url", "web", "website"),
    "horaires": ("horaires ouverture", "opening hours", "heures d ouverture"),
    "presentation_detail": ("description", "presentation", "commentaire"),
    "date_maj": ("derniere maj", "maj", "mise a jour", "date mise a jour", "date soumission", "date"),
    "structure_parente": ("reseau", "porteur", "gestionnaire"),
    "typologie": ("type", "type structure", "categorie"),
    "prise_rdv": ("rdv", "rendez vous"),
}


def suggest(table: Table) -> str:
    """The draft as TOML, with comments in French on what has to be looked at."""
    columns = _columns(table)
    dates = _date_form(_values(table, columns.get("date_maj", "")))
    free = [column for column in table.columns if column not in columns.values()]
    missing = [one.name for one in COLUMNS if one.required and one.name not in columns]
    lines = [
        "# Brouillon à relire : chaque ligne dit ce qui a été reconnu dans le fichier.",
        'key = "ma-source"',
        'title = "Ma source"',
        f"recognise = {_toml(list(columns.values())[:4])}",
    ]
    if "id" in missing:
        lines.append("# Sans identifiant dans le fichier, celui-ci est fait de ces colonnes : il doit rester stable.")
        lines.append(f"identity = {_toml([columns[name] for name in ('nom', 'commune') if name in columns])}")
    if dates:
        lines.append(f"date_format = {_toml(dates)}")
    if wanting := [name for name in missing if name != "id"]:
        lines.append(
            "# Exigées par le standard et absentes du fichier : les accepter en avertissement, ou les fournir."
        )
        lines.append(f"accept_missing = {_toml(wanting)}")
    lines += ["", "[columns]", *(f"{name} = {_toml(column)}" for name, column in columns.items())]
    lines += ["", "[constants]", 'source = "Ma source"']
    for column in free:
        lines += _terms(table, column)
    unknown = [column for column in free if not any(f"columns = {_toml([column])}" in line for line in lines)]
    if unknown:
        lines += ["", f"# Non reconnues, gardées dans la ligne d'origine : {_toml(unknown)}"]
    return "\n".join(lines) + "\n"


def _columns(table: Table) -> dict[str, str]:
    """The standard's column to the file's, by name, then coordinates settled by their values."""
    found: dict[str, str] = {}
    for name in NAMES:
        words = {bare(word) for word in (name.replace("_", " "), *_WORDS.get(name, ()))}
        for column in table.columns:
            is_named = bare(re.sub(r"[_.]", " ", column)) in words and column not in found.values()
            values = _values(table, column) if is_named else []
            if values and _fits(BY_NAME[name], values):
                found.setdefault(name, column)
    latitude, longitude = found.get("latitude", ""), found.get("longitude", "")
    if latitude and longitude and _are_swapped(_values(table, latitude), _values(table, longitude)):
        found["latitude"], found["longitude"] = longitude, latitude
    return found


def _fits(column: Column, values: list[str]) -> bool:
    """Whether a column of listed values holds mostly those; any values fit the others."""
    known = {*column.values, *column.known}
    parts = [part.strip() for value in values for part in value.split(SEPARATOR)]
    return not known or 2 * sum(part in known for part in parts) > len(parts)


def _are_swapped(latitudes: Iterable[str], longitudes: Iterable[str]) -> bool:
    """Whether what is called latitude can be none, or lies where France has longitudes only."""
    y, x = _middle(latitudes), _middle(longitudes)
    if y is None or x is None:
        return False
    return abs(y) > 90 or (_is_french(y, x) and not _is_french(x, y))


def _is_french(longitude: float, latitude: float) -> bool:
    """Inside a rough box of the mainland, the Antilles, Guyane, La Réunion and Mayotte, or New Caledonia."""
    boxes = ((-5.5, 41, 10, 51.5), (-63.5, 14, -60.5, 18.5), (-55, 2, -51, 6), (45, -22, 56, -12), (158, -23, 169, -18))
    return any(west <= longitude <= east and south <= latitude <= north for west, south, east, north in boxes)


def _middle(values: Iterable[str]) -> float | None:
    numbers = []
    for value in values:
        try:
            numbers.append(float(value.replace(",", ".")))
        except ValueError:
            continue
    return sorted(numbers)[len(numbers) // 2] if numbers else None


def _values(table: Table, column: str) -> list[str]:
    given = (row.cells.get(column, "").strip() for row in table.rows[:SAMPLE])
    return [value for value in given if value]


def _date_form(values: list[str]) -> str:
    for form in _DATE_FORMS:
        if values and all(_reads(value, form) for value in values):
            return form
    return ""


def _reads(text: str, form: str) -> bool:
    try:
        datetime.strptime(text, form)  # noqa: DTZ007 – a day without a clock
    except ValueError:
        return False
    return True


def _terms(table: Table, column: str) -> Iterator[str]:
    """Terms for a column in which a few words come again and again: those that are values of the standard, by name."""
    words = list(dict.fromkeys(part for value in _values(table, column) for part in _SPLIT.split(value) if part))
    if not words or len(words) > MOST_TERMS:
        return
    for one in COLUMNS:
        by_words = {bare(value): value for value in one.values}
        hits = [word for word in words if bare(word) in by_words]
        for word in hits:
            yield ""
            yield "[[term]]"
            yield f"target = {_toml(one.name)}"
            yield f"columns = {_toml([column])}"
            yield f"terms = {_toml([word])}"
            # Terms are looked for inside a cell: a longer word that holds this one is another value.
            if longer := [other for other in hits if bare(word) in bare(other) and other != word]:
                yield f"excluding = {_toml(longer)}"
            yield f"value = {_toml(by_words[bare(word)])}"


def _toml(value: str | list[str]) -> str:
    """A TOML basic string, or an array of them: JSON's form of both is TOML's."""
    return jsontext.encode(value).decode().replace('","', '", "').replace("\x7f", "\\u007F")
