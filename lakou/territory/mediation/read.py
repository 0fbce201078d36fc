"""A file of mediation places to checked rows: table → mapping, where the columns are others → check. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from lakou.territory.bounds import Surroundings
from lakou.territory.findings import Finding
from lakou.territory.mediation import mapping as mappings
from lakou.territory.mediation.check import check_row
from lakou.territory.mediation.mapping import MappingTable
from lakou.territory.mediation.standard import BY_NAME, NAMES
from lakou.territory.tables import Row, Table


@dataclass(frozen=True, slots=True)
class MediationRow:
    """A row of a file, the same in the standard's form, and what was found out about it."""

    source: Row
    row: dict[str, str]
    findings: tuple[Finding, ...]

    @property
    def is_refused(self) -> bool:
        """Whether an error keeps this row out."""
        return any(finding.severity == "error" for finding in self.findings)


@dataclass(frozen=True, slots=True)
class MediationFile:
    """All rows, the mapping that was used (None: the standard's own columns), and findings on the whole file."""

    rows: list[MediationRow]
    mapping: MappingTable | None
    findings: list[Finding]


def read_mediation(
    table: Table, *, mapping_name: str | None = None, today: date, around: Surroundings | None = None
) -> MediationFile:
    """Every row of the table, checked. Raises what `mapping_for` raises.

    A JSON row may leave out empty members; a CSV file that lacks an optional column is read all the same.
    """
    mapping = mappings.mapping_for(table.columns, mapping_name)
    accepted = mapping.accept_missing if mapping else ()
    seen: dict[str, int] = {}
    rows: list[MediationRow] = []
    for source in table.rows:
        if source.fault:
            rows.append(MediationRow(source, {}, (Finding(source.number, "", "row", source.fault),)))
            continue
        cells, found = mappings.apply(mapping, source.number, source.cells) if mapping else (source.cells, [])
        numbers = _numbers(mapping, source)
        row, checked = check_row(source.number, cells, numbers=numbers, accepted=accepted, today=today, around=around)
        found += checked
        if row["id"]:
            first = seen.setdefault(row["id"], source.number)
            if first != source.number:
                found.append(Finding(source.number, "id", "duplicate", row["id"], f"déjà à la ligne {first}"))
        rows.append(MediationRow(source, row, tuple(found)))
    return MediationFile(rows, mapping, _of_the_file(table, mapping))


def _numbers(mapping: MappingTable | None, source: Row) -> frozenset[str]:
    if mapping is None:
        return source.numbers
    return frozenset(target for target, column in mapping.columns.items() if column in source.numbers)


def _of_the_file(table: Table, mapping: MappingTable | None) -> list[Finding]:
    used = mapping.used() if mapping else set(NAMES)
    return [Finding(0, column, "unknown_column") for column in table.columns if column not in used]


def is_conformant(row: Mapping[str, str]) -> bool:
    """Whether a row has all that the standard requires, so that it can be published as it is."""
    return all(row.get(name) for name, column in BY_NAME.items() if column.required)
