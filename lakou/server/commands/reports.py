"""The report of an import as a steward reads it on the screen, in French: counts, causes, columns, refused rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from lakou.territory.findings import Report

MOST_SHOWN = 20

out = Console(highlight=False)


def show(report: Report, *, what: str, notes: Sequence[str], names: Mapping[int, str]) -> None:
    """Print the report. `what` says what was read, `names` what each row is called."""
    title = "Essai à blanc, rien n'est écrit" if report.is_dry else "Import terminé"
    lines = [f"{title} : {what}", *notes]
    lines.append(
        f"{report.created} créés, {report.changed} modifiés, {report.unchanged} inchangés, "
        f"{report.refused} refusés, {report.warned} avec avertissement"
    )
    if report.absent:
        lines.append(f"{report.absent} lieux de cette source ne sont plus dans le fichier : ils restent au registre")
    if report.removed:
        lines.append(f"{report.removed} zones ne sont plus dans le fichier : elles sont retirées de la couche")
    whole = [finding for finding in report.findings if finding.row == 0]
    lines += [
        f"{text} : " + ", ".join(finding.column for finding in whole if finding.text == text)
        for text in dict.fromkeys(finding.text for finding in whole)
    ]
    for line in lines:
        out.print(line, markup=False, soft_wrap=True)
    _table("Par cause", ("gravité", "colonne", "nombre", "cause"), [
        ("erreur" if cause.severity == "error" else "avertissement", column, str(amount), cause.text)
        for cause, column, amount in report.causes()
    ])  # fmt: skip
    _table("Par colonne", ("colonne", "erreurs", "avertissements"), [
        (column, str(errors), str(warnings)) for column, errors, warnings in report.columns()
    ])  # fmt: skip
    errors = [finding for finding in report.findings if finding.severity == "error"]
    _table("Lignes refusées", ("ligne", "nom", "colonne", "valeur", "cause", "conseil"), [
        (str(one.row), names.get(one.row, "")[:40], one.column, one.value[:40], one.text, one.hint[:80])
        for one in errors[:MOST_SHOWN]
    ])  # fmt: skip
    if len(errors) > MOST_SHOWN:
        out.print(f"… et {len(errors) - MOST_SHOWN} autres erreurs : --report FICHIER.csv les donne toutes")
    _table("Valeurs modifiées", ("ligne", "champ", "avant", "après"), [
        (str(row), field, old[:40], new[:40]) for row, field, old, new in report.changes[:MOST_SHOWN]
    ])  # fmt: skip


def _table(title: str, heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    if not rows:
        return
    table = Table(*heads, box=None, title=title, title_justify="left", title_style="bold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    out.print()
    out.print(table)
