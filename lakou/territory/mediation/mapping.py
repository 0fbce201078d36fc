"""From a file with other columns to the standard: a mapping in TOML, as the national tool's `colonnes, termes, cible`.

A mapping is data: which column is which, which terms mean which value of the standard, what is put together from what.
`accept_missing` names required columns that this source does not have: its rows come in with a warning, and nothing is
invented. Built-in mappings lie in `mappings/` and are chosen by the columns they recognise.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path

import msgspec

from lakou.kernel.errors import BadRequest, NotFound
from lakou.territory.findings import Finding
from lakou.territory.mediation.standard import BY_NAME, NAMES, SEPARATOR

BUILT_IN = Path(__file__).parent / "mappings"
_HOURS = re.compile(r"(\d{1,2})\s*[:hH]\s*(\d{2})?")
_DAY_NAMES = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")


class Term(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`value` for rows in which one of `columns` holds one of `terms` (any text, when empty) and none of `excluding`.

    Compared without case and accents.
    """

    target: str
    value: str
    columns: tuple[str, ...]
    terms: tuple[str, ...] = ()
    excluding: tuple[str, ...] = ()


class Extract(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The first group of `pattern` in `column`."""

    target: str
    column: str
    pattern: str


class MappingTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`identity` columns together make the id; a row for which no term of a `must_map` column fits is told."""

    key: str
    title: str
    recognise: tuple[str, ...]
    columns: dict[str, str] = {}
    constants: dict[str, str] = {}
    identity: tuple[str, ...] = ()
    date_format: str = ""
    accept_missing: tuple[str, ...] = ()
    hours: dict[str, str] = {}
    must_map: tuple[str, ...] = ()
    term: tuple[Term, ...] = ()
    extract: tuple[Extract, ...] = ()

    def used(self) -> set[str]:
        """The source's columns that end in the standard's."""
        found = {*self.columns.values(), *self.identity, *self.hours.values()}
        found |= {column for term in self.term for column in term.columns}
        return found | {extract.column for extract in self.extract}


def read_mapping(data: bytes) -> MappingTable:
    """A mapping from TOML. Raises BadRequest `mapping_invalid` with the place."""
    try:
        found = msgspec.toml.decode(data, type=MappingTable)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise _invalid(f"the mapping cannot be read: {error}", None) from None
    for place, names in (
        ("columns", found.columns),
        ("constants", found.constants),
        ("accept_missing", found.accept_missing),
        ("must_map", found.must_map),
        ("term", [term.target for term in found.term]),
        ("extract", [extract.target for extract in found.extract]),
    ):
        unknown = sorted(set(names) - set(NAMES))
        if unknown:
            raise _invalid(f"the standard has no column {unknown[0]!r}", place)
    for term in found.term:
        if BY_NAME[term.target].values and term.value not in BY_NAME[term.target].values:
            raise _invalid(f"{term.value!r} is no value of {term.target}", "term")
    for extract in found.extract:
        try:
            is_usable = re.compile(extract.pattern).groups == 1
        except re.error:
            is_usable = False
        if not is_usable:
            raise _invalid(f"the pattern for {extract.target} needs one group", "extract")
    if set(found.hours) - set(_DAY_NAMES):
        raise _invalid("hours are given by " + ", ".join(_DAY_NAMES), "hours")
    return found


def _invalid(message: str, place: str | None) -> BadRequest:
    hint = "compare it with lakou/territory/mediation/mappings"
    return BadRequest(message, code="mapping_invalid", place=place, hint=hint)


@cache
def built_in() -> dict[str, MappingTable]:
    """The mappings that come with Lakou, by key."""
    return {path.stem: read_mapping(path.read_bytes()) for path in sorted(BUILT_IN.glob("*.toml"))}


def mapping_for(columns: Collection[str], name: str | None = None) -> MappingTable | None:
    """The named mapping (built-in key or TOML file), else the one that recognises the columns; None for the standard.

    Raises NotFound for an unknown name, BadRequest `columns_unknown` when nothing recognises the columns.
    """
    if name is not None:
        if name in built_in():
            return built_in()[name]
        try:
            return read_mapping(Path(name).read_bytes())
        except OSError:
            known = ", ".join(built_in())
            raise NotFound(f"There is no mapping {name}", hint=f"a TOML file, or one of: {known}") from None
    if "id" in columns and len(set(NAMES) & set(columns)) >= 5 and "nom" in columns:
        known_better = [one for one in built_in().values() if set(one.recognise) <= set(columns)]
        return known_better[0] if known_better else None
    for found in built_in().values():
        if set(found.recognise) <= set(columns):
            return found
    raise BadRequest(
        "These columns are not those of the standard, and no mapping recognises them",
        code="columns_unknown",
        place="header",
        hint="lakou place suggest FILE writes a draft of a mapping. Columns: " + ", ".join(list(columns)[:12]),
    )


def apply(mapping: MappingTable, number: int, cells: Mapping[str, str]) -> tuple[dict[str, str], list[Finding]]:
    """A source's cells as cells of the standard, and what could not be carried over."""
    found: list[Finding] = []
    row = dict(mapping.constants)
    row |= {target: cells.get(column, "") for target, column in mapping.columns.items()}
    for extract in mapping.extract:
        match = re.search(extract.pattern, cells.get(extract.column, ""))
        row[extract.target] = match[1] if match else row.get(extract.target, "")
    if mapping.identity:
        row["id"] = _slug("-".join(cells.get(column, "") for column in mapping.identity))
    if mapping.date_format and row.get("date_maj"):
        row["date_maj"] = _iso(row["date_maj"].strip(), mapping.date_format)
    _apply_terms(mapping, number, cells, row, found)
    if mapping.hours:
        row["horaires"] = _opening_hours({day: cells.get(column, "") for day, column in mapping.hours.items()})
    return row, found


def _apply_terms(
    mapping: MappingTable, number: int, cells: Mapping[str, str], row: dict[str, str], found: list[Finding]
) -> None:
    for target in dict.fromkeys(term.target for term in mapping.term):
        values: list[str] = []
        for term in (one for one in mapping.term if one.target == target):
            texts = [_plain(cells.get(column, "")) for column in term.columns]
            hit = any(text and (not term.terms or any(_plain(word) in text for word in term.terms)) for text in texts)
            if hit and not any(_plain(word) in text for word in term.excluding for text in texts):
                values.append(term.value)
        row[target] = SEPARATOR.join(dict.fromkeys(values))
        given = next((cells[c] for t in mapping.term if t.target == target for c in t.columns if cells.get(c)), "")
        if given and not values and target in mapping.must_map:
            found.append(Finding(number, target, "unmapped", given[:200]))


def _opening_hours(days: dict[str, str]) -> str:
    """Hours by day, as people write them, in OpenStreetMap's form; as given where they are not understood."""
    rules: list[tuple[str, str]] = []
    for day in _DAY_NAMES:
        text = days.get(day, "").strip()
        if not text:
            continue
        rules.append((day, _spans(text) or " ".join(text.split())))
    parts: list[str] = []
    index = 0
    while index < len(rules):
        last = index
        while (
            last + 1 < len(rules) and rules[last + 1][1] == rules[index][1] and _follows(rules[last], rules[last + 1])
        ):
            last += 1
        first_day, last_day = rules[index][0], rules[last][0]
        name = first_day if last == index else f"{first_day}-{last_day}"
        parts.append(f"{name} {rules[index][1]}")
        index = last + 1
    return "; ".join(parts)


def _follows(one: tuple[str, str], other: tuple[str, str]) -> bool:
    return _DAY_NAMES.index(other[0]) == _DAY_NAMES.index(one[0]) + 1


def _spans(text: str) -> str:
    clocks = _HOURS.findall(text)
    rest = _HOURS.sub("", text).replace("à", "").replace("et", "")
    if not clocks or len(clocks) % 2 or re.search(r"[^\s,;/\-–—&]", rest):
        return "off" if _plain(text) in ("ferme", "fermee", "ferme.") else ""
    times = [f"{int(hour):02d}:{minute or '00'}" for hour, minute in clocks]
    if any(int(time[:2]) > 24 or int(time[3:]) > 59 for time in times):
        return ""
    return ",".join(f"{start}-{end}" for start, end in zip(times[::2], times[1::2], strict=True))


def _iso(text: str, form: str) -> str:
    try:
        return datetime.strptime(text, form).date().isoformat()  # noqa: DTZ007 – a day without a clock
    except ValueError:
        return text


def _plain(text: str) -> str:
    spread = unicodedata.normalize("NFKD", text.replace("’", "'"))
    return "".join(char for char in spread if not unicodedata.combining(char)).casefold().strip()


def _slug(text: str) -> str:
    return "-".join(re.findall(r"[a-z0-9]+", _plain(text)))
