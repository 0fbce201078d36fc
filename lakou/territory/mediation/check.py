"""One row against the standard: cells in, the row in the standard's own form and what was found out. Pure.

Values are repaired only where nothing is guessed (spaces, `;` between listed values, leading zeros that a spreadsheet
or a JSON number lost), and each repair is told. Patterns are matched whole: with `search` a first wrong value passes.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Collection, Mapping
from datetime import date

from lakou.territory.bounds import Surroundings
from lakou.territory.findings import Finding
from lakou.territory.mediation.standard import BY_NAME, COLUMNS, SEPARATOR, SPELLINGS, Column
from lakou.territory.opening_hours import is_well_formed

LONGEST = 20_000
LONGEST_NAME = 300
LONGEST_ID = 200
_EMAIL = re.compile(r"[^@\s|,;]+@[^@\s|,;]+\.[^@\s|,;]+")
_URL = re.compile(r"https?://[^\s|]+", re.IGNORECASE)
# What stands before the number, by its first digits as dialled inside the territory.
_OVERSEAS = {
    "0590": "+590", "0690": "+590", "0594": "+594", "0694": "+594", "0596": "+596", "0696": "+596", "0697": "+596",
    "0262": "+262", "0269": "+262", "0639": "+262", "0692": "+262", "0693": "+262",
}  # fmt: skip
_CODE_WIDTH = {"code_postal": 5, "code_insee": 5, "pivot": 14}
# What a code has at least when nothing but zeros at its head were lost.
_CODE_LEAST = {"code_postal": 4, "code_insee": 4, "pivot": 12}


class _Check:
    def __init__(self, number: int, numbers: Collection[str]) -> None:
        self.number = number
        self.numbers = numbers
        self.found: list[Finding] = []

    def tell(self, column: str, code: str, value: str = "", hint: str = "") -> None:
        self.found.append(Finding(self.number, column, code, value[:200], hint))


def check_row(
    number: int,
    cells: Mapping[str, str],
    *,
    numbers: Collection[str] = (),
    accepted: Collection[str] = (),
    today: date,
    around: Surroundings | None = None,
) -> tuple[dict[str, str], list[Finding]]:
    """The 32 cells of a row in the standard's form, and the findings.

    `accepted` are required columns that may be missing (the mapping says so): then it is a warning. `around` is the
    territory, for positions and names of communes.
    """
    check = _Check(number, numbers)
    row = {column.name: _cell(check, column, cells.get(column.name, ""), accepted, today) for column in COLUMNS}
    _check_position(check, row, around)
    _check_codes(check, row, around)
    return row, check.found


def _cell(check: _Check, column: Column, given: str, accepted: Collection[str], today: date) -> str:
    value = given.strip()
    if value != given:
        check.tell(column.name, "spaces", given)
    if not value:
        if column.required:
            code = "missing_accepted" if column.name in accepted else "missing"
            check.tell(column.name, code, hint=column.expected)
        return ""
    if "\0" in value or any(unicodedata.category(char) == "Cs" for char in value):
        check.tell(column.name, "nul", value.replace("\0", "␀").encode("ascii", "replace").decode())
        return ""
    longest = column.longest or {"nom": LONGEST_NAME, "id": LONGEST_ID}.get(column.name, LONGEST)
    if len(value) > longest:
        check.tell(column.name, "too_long", value, f"{len(value)} caractères pour au plus {longest}")
        return value
    if column.name in _CODE_WIDTH:
        value = _with_zeros(check, column.name, value)
    if column.pattern is not None and not column.pattern.fullmatch(value):
        check.tell(column.name, "pattern", value, _advice(column, value))
        return value
    if column.is_list:
        return _list(check, column, value)
    match column.form:
        case "number":
            return _number(check, column, value)
        case "date":
            _check_date(check, column, value, today)
        case "hours" if not is_well_formed(value):
            check.tell(column.name, "hours", value, column.expected)
        case "url" if not _URL.fullmatch(value):
            check.tell(column.name, "url", value, column.expected)
    return value


def _with_zeros(check: _Check, name: str, value: str) -> str:
    width, least = _CODE_WIDTH[name], _CODE_LEAST[name]
    is_lost = value.isascii() and value.isdigit() and least <= len(value) < width
    # As text a pivot of twelve or thirteen digits may be a number of another register; as a JSON number it is a SIRET.
    if not is_lost or (name == "pivot" and name not in check.numbers):
        return value
    check.tell(name, "zeros", value, value.zfill(width))
    return value.zfill(width)


def _list(check: _Check, column: Column, value: str) -> str:
    parts = _parts(check, column, value)
    kept: list[str] = []
    for given in parts:
        part = given.strip()
        if part in SPELLINGS and column.values:
            check.tell(column.name, "spelling", part, SPELLINGS[part])
            part = SPELLINGS[part]
        if part in kept:
            check.tell(column.name, "repeated", part)
            continue
        kept.append(part)
        if column.values and part not in column.values:
            check.tell(column.name, "enumeration", part, _nearest(part, column.values))
        elif column.form == "typology" and part not in column.known:
            check.tell(column.name, "typology", part, column.expected)
        elif column.form == "email" and not _EMAIL.fullmatch(part):
            check.tell(column.name, "email", part, column.expected)
        elif column.form == "url" and not _URL.fullmatch(part):
            check.tell(column.name, "url", part, column.expected)
    return SEPARATOR.join(kept)


def _parts(check: _Check, column: Column, value: str) -> list[str]:
    """The members of a list: `|`, or `;` as an older text of the standard said, where that is surely meant."""
    if SEPARATOR in value or ";" not in value:
        return value.split(SEPARATOR)
    parts = [part.strip() for part in value.split(";") if part.strip()]
    allowed = {*column.values, *SPELLINGS}
    sure = (
        all(part in allowed for part in parts)
        if column.values
        else column.form in ("email", "typology")
        or (column.form == "url" and all(_URL.fullmatch(part) for part in parts))
    )
    if not sure:
        return [value]
    check.tell(column.name, "separator", value)
    return parts


def _number(check: _Check, column: Column, value: str) -> str:
    number = _decimal(value)
    if number is None:
        check.tell(column.name, "number", value, column.expected)
        return value
    bound = 90 if column.name == "latitude" else 180
    if abs(number) > bound:
        check.tell(column.name, "range", value, f"entre −{bound} et {bound}")
    return repr(number + 0.0)  # no minus before zero: not every form of a file keeps it


def _decimal(text: str) -> float | None:
    """A finite number written with a point; None for anything else that Python would take (1_4, nan, ١٤)."""
    try:
        number = float(text) if text.isascii() and "_" not in text else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _check_date(check: _Check, column: Column, value: str, today: date) -> None:
    try:
        day = date.fromisoformat(value) if len(value) == 10 else None
    except ValueError:
        day = None
    if day is None:
        check.tell(column.name, "date", value, column.expected)
    elif day > today:
        check.tell(column.name, "future", value)


def _check_position(check: _Check, row: dict[str, str], around: Surroundings | None) -> None:
    texts = (row["latitude"], row["longitude"])
    if not any(texts):
        check.tell("latitude", "no_position")
        return
    if not all(texts):
        check.tell("latitude" if texts[0] == "" else "longitude", "half_position")
        return
    position = position_of(row)
    if position is None:
        if not any(finding.code in ("number", "range") for finding in check.found):
            check.tell("latitude", "null_island", ", ".join(texts))
    elif around is not None and not around.holds(*position):
        longitude, latitude = position
        code = "swapped" if around.holds(latitude, longitude) else "outside"
        check.tell("latitude", code, ", ".join(texts), f"le territoire : {around.name}")


def position_of(row: Mapping[str, str]) -> tuple[float, float] | None:
    """Longitude and latitude of a row, None when not both are there, in range and other than 0, 0."""
    latitude, longitude = _decimal(row["latitude"]), _decimal(row["longitude"])
    if latitude is None or longitude is None:
        return None
    is_there = abs(latitude) <= 90 and abs(longitude) <= 180 and (latitude, longitude) != (0.0, 0.0)
    return (longitude, latitude) if is_there else None


def _check_codes(check: _Check, row: dict[str, str], around: Surroundings | None) -> None:
    pivot, postal, insee = row["pivot"], row["code_postal"], row["code_insee"]
    if len(pivot) == 14 and pivot.isdigit() and not _is_siret(pivot):
        check.tell("pivot", "siret", pivot)
    if all(BY_NAME[name].pattern.fullmatch(row[name]) for name in ("code_postal", "code_insee")) and (  # type: ignore[union-attr]
        _department(postal) != _department(insee)
    ):
        check.tell("code_postal", "postal_code", f"{postal}, {insee}")
    known = around.communes.get(insee) if around is not None else None
    if known and row["commune"] and bare(known) != bare(row["commune"]):
        check.tell("commune", "commune", row["commune"], f"{insee} : {known}")


def _department(code: str) -> str:
    head = code[:3] if code.startswith(("97", "98")) else code[:2]
    return "20" if head in ("2A", "2B") else head


def _is_siret(text: str) -> bool:
    digits = [int(char) for char in text]
    if text.startswith("356000000"):  # La Poste's own rule; its seat alone follows the general one
        return sum(digits) % 5 == 0 or _luhn(digits)
    return _luhn(digits)


def _luhn(digits: list[int]) -> bool:
    doubled = [digit * 2 if index % 2 == 0 else digit for index, digit in enumerate(digits)]
    return sum(digit - 9 if digit > 9 else digit for digit in doubled) % 10 == 0


def bare(name: str) -> str:
    """A commune's name for comparing: without accents, case, article and punctuation."""
    plain = unicodedata.normalize("NFKD", name.replace("œ", "oe").replace("Œ", "Oe"))
    words = re.findall(r"[a-z0-9]+", "".join(char for char in plain if not unicodedata.combining(char)).lower())
    words = ["saint" if word == "st" else "sainte" if word == "ste" else word for word in words]
    return " ".join(words[1:] if len(words) > 1 and words[0] in ("le", "la", "les", "l") else words)


def _nearest(value: str, values: tuple[str, ...]) -> str:
    """The value of the list that was surely meant, else the whole list."""
    same = [known for known in values if bare(known) == bare(value)]
    return same[0] if same else "valeurs possibles : " + ", ".join(values)


def _advice(column: Column, value: str) -> str:
    digits = re.sub(r"[\s.\-()/]", "", value)
    if column.name == "telephone" and re.fullmatch(r"0\d{9}", digits, re.ASCII):
        return _OVERSEAS.get(digits[:4], "+33") + digits[1:] + " ?"
    return column.expected
