"""Writes the tables of docs/reference/connectors.md from the connectors' `META`.

`python -m lakou.connectors.reference FILE` brings the part between the two marks of FILE up to date.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from lakou.connectors.connector import BUILT_IN, Connector, connector
from lakou.kernel.errors import BadRequest

BEGIN = "<!-- generated from META: begin -->"
END = "<!-- generated from META: end -->"


def render(known: Mapping[str, Connector]) -> str:
    """The table of connectors and, below it, the formats and options of each."""
    lines = ["| Name | Source | Grade | Period | Region | Licence |", "|---|---|---|---|---|---|"]
    for name, found in known.items():
        meta = found.meta
        period = "pushed to us" if meta.period_s is None else f"{meta.period_s} s"
        lines.append(
            f"| `{name}` | [{meta.title}]({meta.home}) | {meta.grade} | {period} | {meta.region} | {meta.licence} |"
        )
    for name, found in known.items():
        lines += ["", f"### `{name}`", "", f"Reads: {', '.join(found.meta.formats)}.", ""]
        lines += [f"- `{option}`: {meaning}." for option, meaning in found.meta.options.items()]
    return "\n".join(lines)


def built_in() -> dict[str, Connector]:
    """The connectors that ship with the product; what else is installed here does not belong in its docs."""
    return {name: connector(name) for name in BUILT_IN}


def replace_generated(text: str, tables: str) -> str:
    """`text` with the part between the marks replaced. Raises BadRequest when a mark is missing."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise BadRequest("The marks of the generated part are missing.", hint=f"{BEGIN} … {END}")
    return f"{before}{BEGIN}\n\n{tables}\n\n{END}{after}"


def main(file: Path) -> None:
    """Rewrite the generated part of `file`."""
    text = file.read_text(encoding="utf-8")
    file.write_text(replace_generated(text, render(built_in())), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
