"""A report as Markdown: promise beside measurement, growth, peers, notes; and its place in a page of the docs."""

from __future__ import annotations

from pathlib import Path

from bench.promises import GROWTH, PEER, PROMISES, Measured, Promise
from bench.report import Report

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
MET, NOT_MET, TOLD = "met", "**not met**", "told only"


def markdown(report: Report) -> str:
    """All of a report."""
    machine = ", ".join(f"{name} {value}" for name, value in report.machine.items())
    lines = [
        f"Measured {report.at} at {report.version}, N = {report.settings.rows:,}. {machine}.",
        f"Load average before {report.load_before:.1f}, stolen by the host {report.stolen:.1%}.",
        "",
    ]
    notes: list[str] = []
    if report.measured:
        lines += [*_promises(report, notes), "", *_growth(report)]
    lines += _peers(report)
    lines += [f"- {note}" for note in notes]
    lines += [f"- Not measured: {reason}" for reason in report.left_out]
    return "\n".join(lines).rstrip()


def into(file: Path, text: str) -> None:
    """Put it between the marks of a page. Raises ValueError when they are not there, once and in order."""
    page = file.read_text(encoding="utf-8")
    if page.count(BEGIN) != 1 or page.count(END) != 1 or page.index(BEGIN) > page.index(END):
        raise ValueError(f"{file}: {BEGIN} and {END} are expected, once each and in this order")
    before, after = page.partition(BEGIN)[0], page.partition(END)[2]
    file.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


def verdict(promise: Promise, measured: Measured) -> str:
    """Met, not met, or told only: no promise for this column, or less than its circumstances."""
    if measured.value is None or measured.short or measured.column not in promise.columns:
        return TOLD
    return {True: MET, False: NOT_MET, None: TOLD}[promise.is_met(measured.value)]


def _promises(report: Report, notes: list[str]) -> list[str]:
    columns = report.columns
    found = {(m.key, m.column): m for m in report.measured if m.rows is None}
    lines = [
        "| what | promise | " + " | ".join(f"{column} | verdict" for column in columns) + " |",
        "|---|---|" + "---:|---|" * len(columns),
    ]
    for promise in PROMISES:
        row = [found.get((promise.key, column)) for column in columns]
        if any(row):
            cells = " | ".join(_cell(promise, one, notes) for one in row)
            lines.append(f"| {promise.what} | {_bound(promise)} | {cells} |")
    return lines


def _cell(promise: Promise, measured: Measured | None, notes: list[str]) -> str:
    if measured is None:
        return "| "
    if measured.note:
        notes.append(f"{promise.what}, {measured.column}: {measured.note}.")
    if measured.value is None:
        return "not measured | "
    return f"{_value(promise, measured.value)} | {verdict(promise, measured)}"


def _growth(report: Report) -> list[str]:
    lines: list[str] = []
    for column in report.columns:
        grown = [m for m in report.measured if m.rows is not None and m.column == column]
        found = {(m.key, m.rows): m for m in grown}
        sizes = sorted({m.rows or 0 for m in grown})
        if not sizes:
            continue
        head = " | ".join("empty" if size == 0 else f"{size:,}" for size in sizes)
        lines += [f"| into a store of ({column}) | {head} |", "|---|" + "---:|" * len(sizes)]
        for promise in GROWTH:
            row = [found.get((promise.key, size)) for size in sizes]
            if any(row):
                cells = " | ".join("" if one is None else _value(promise, one.value) for one in row)
                lines.append(f"| {promise.what} | {cells} |")
        lines.append("")
    return lines


def _peers(report: Report) -> list[str]:
    if not report.peers:
        return []
    names = list(dict.fromkeys(one.column for one in report.peers))
    found = {(one.key, one.column): one for one in report.peers}
    lines = ["| the same work at | " + " | ".join(names) + " |", "|---|" + "---:|" * len(names)]
    for promise in PEER:
        row = [found.get((promise.key, name)) for name in names]
        cells = " | ".join("not measured" if one is None else _value(promise, one.value) for one in row)
        lines.append(f"| {promise.what} | {cells} |")
    return [*lines, ""]


def _value(promise: Promise, value: float | None) -> str:
    return "" if value is None else f"{value:,.{promise.digits}f} {promise.unit}".rstrip()


def _bound(promise: Promise) -> str:
    return "" if promise.bound is None else f"{promise.sense} {promise.bound:,g} {promise.unit}".rstrip()
