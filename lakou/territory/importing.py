"""From the bytes of a file to what an import would write: drafts, findings and the rows of the file. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from lakou.territory import gtfs, plain
from lakou.territory.bounds import Surroundings
from lakou.territory.drafts import Draft, draft_of
from lakou.territory.findings import Finding
from lakou.territory.mediation.read import read_mediation
from lakou.territory.mediation.write import raw_of
from lakou.territory.tables import Row, Table, read_table

Format = Literal["mediation", "gtfs", "plain"]
FORMATS: tuple[Format, ...] = ("mediation", "gtfs", "plain")


@dataclass(slots=True)
class Prepared:
    """What a file gives: `drafts` with the number of their row, all `findings`, `rows`, `ids` and `names` by number."""

    format: Format
    source: str
    drafts: list[tuple[int, Draft]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    rows: dict[int, Row] = field(default_factory=dict)
    ids: dict[int, str] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def prepare(
    data: bytes,
    *,
    form: Format,
    today: date,
    source: str | None = None,
    mapping_name: str | None = None,
    kind: str = "",
    around: Surroundings | None = None,
) -> Prepared:
    """Read and check a file of places. `source` names where it comes from; with the row's id it is the identity.

    `kind` is that of rows of a plain table that have none. Raises BadRequest or TooLarge for a file that cannot be
    read at all.
    """
    if form == "gtfs":
        return _prepare_each("gtfs", gtfs.read_stops(data), source or "gtfs", lambda row: gtfs.read_stop(row, around))
    if form == "plain":
        table = plain.read_plain(data)
        return _prepare_each("plain", table, source or "", lambda row: plain.read_place(row, kind, around))
    table = read_table(data)
    read = read_mediation(table, mapping_name=mapping_name, today=today, around=around)
    prepared = Prepared(form, source or (read.mapping.key if read.mapping else "mediation"))
    prepared.notes = [*table.notes, *([f"mapping {read.mapping.key}: {read.mapping.title}"] if read.mapping else [])]
    prepared.findings = list(read.findings)
    for one in read.rows:
        prepared.rows[one.source.number] = one.source
        prepared.ids[one.source.number] = one.row.get("id", "")
        prepared.names[one.source.number] = one.row.get("nom", "")
        prepared.findings += one.findings
        if not one.is_refused:
            prepared.drafts.append((one.source.number, draft_of(one.row, raw_of(table, one.source))))
    return prepared


def _prepare_each(
    form: Format, table: Table, source: str, read: Callable[[Row], tuple[Draft | None, list[Finding]]]
) -> Prepared:
    prepared = Prepared(form, source, notes=list(table.notes))
    seen: dict[str, int] = {}
    for row in table.rows:
        prepared.rows[row.number] = row
        draft, found = read(row)
        prepared.ids[row.number] = draft.source_id if draft else _first(row, ("stop_id", "id", "identifiant"))
        prepared.names[row.number] = draft.name if draft else _first(row, ("stop_name", "name", "nom", "libelle"))
        prepared.findings += found
        if draft is None:
            continue
        first = seen.setdefault(draft.source_id, row.number)
        if first != row.number:
            hint = f"déjà à la ligne {first}"
            prepared.findings.append(Finding(row.number, "id", "duplicate", draft.source_id, hint))
            continue
        prepared.drafts.append((row.number, draft))
    return prepared


def _first(row: Row, columns: tuple[str, ...]) -> str:
    return next((row.cells[column].strip() for column in columns if row.cells.get(column)), "")
