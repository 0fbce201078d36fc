"""`lakou territory`: show a territory's profile, and check a file that is to become one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lakou.kernel.errors import BadRequest, NotFound
from lakou.server.commands import options
from lakou.territory import profile_rules
from lakou.territory.kinds import HAZARDS_BY_KEY
from lakou.territory.profile import Profile, decode_profile, known_profiles, load_profile

app = typer.Typer(no_args_is_help=True, help="The profile of the territory.")
out = Console(highlight=False)


@app.command()
def show(
    name: Annotated[
        str | None, typer.Argument(help="Built-in profile or TOML file [default: the one that is configured]")
    ] = None,
    config: options.ConfigFile = None,
) -> None:
    """Show a profile: place, languages, communes, organisations, hazards, holidays of this year."""
    profile = load_profile(name or options.read(config).territory)
    out.print(
        f"{profile.name} ({profile.region}), {profile.key}; built-in: {', '.join(known_profiles())}", markup=False
    )
    for line in _lines(profile):
        out.print(line, markup=False, soft_wrap=True)
    _table("Communes", ("INSEE", "name", "EPCI", "population"), [
        (one.code, one.name, one.epci, "unknown" if one.population is None else str(one.population))
        for one in profile.commune
    ])  # fmt: skip
    _table("Organisations", ("key", "name", "kind", "SIREN", ""), [
        (one.key, one.name, one.kind, one.siren, _doubt(one.to_verify)) for one in profile.organisation
    ])  # fmt: skip
    _table("Hazards", ("key", "label", "note", ""), [
        (one.key, HAZARDS_BY_KEY[one.key].label, one.note, _doubt(one.to_verify)) for one in profile.hazard
    ])  # fmt: skip
    year = datetime.now(UTC).astimezone(profile.zone).year
    _table(f"Holidays of {year}", ("day", "name"), list(profile.holidays_of(year).items()))


@app.command()
def check(file: Annotated[Path, typer.Argument(help="TOML file of a profile")]) -> None:
    """Check a profile and list everything that is wrong with its place. Exit code 1 when there is something."""
    try:
        profile = decode_profile(file.read_bytes())
    except OSError as error:
        raise NotFound(f"{file} cannot be read: {error.strerror}", place="FILE", hint="check the path") from None
    except BadRequest as error:
        out.print(f"{error.message}. {error.hint or ''}", markup=False, soft_wrap=True)
        raise typer.Exit(1) from None
    found = list(profile_rules.problems(profile))
    for problem in found:
        out.print(f"{problem.place}: {problem.hint}", markup=False, soft_wrap=True)
    if found:
        raise typer.Exit(1)
    out.print(f"{profile.name}: nothing wrong. {_counts(profile)}", markup=False, soft_wrap=True)


def _lines(profile: Profile) -> list[str]:
    west, south, east, north = profile.bounds
    return [
        f"Time zone {profile.time_zone}, languages {', '.join(profile.languages)}",
        f"Centre {profile.centre[1]}, {profile.centre[0]}; bounds {west}, {south}, {east}, {north}",
        *(f"Source: {source}" for source in profile.sources),
        _counts(profile),
    ]


def _counts(profile: Profile) -> str:
    marks = [one.to_verify for one in profile.commune] + [one.to_verify for one in profile.organisation]
    marks += [one.to_verify for one in profile.hazard] + [one.to_verify for one in profile.holiday]
    return (
        f"{len(profile.commune)} communes, {len(profile.organisation)} organisations, {len(profile.hazard)} hazards, "
        f"{len(profile.holiday)} local holidays; {sum(marks)} entries are still to be verified."
    )


def _doubt(to_verify: bool) -> str:
    return "to verify" if to_verify else ""


def _table(title: str, heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    if not rows:
        return
    table = Table(*heads, box=None, title=title, title_justify="left", title_style="bold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    out.print()
    out.print(table)
