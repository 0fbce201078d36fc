"""`lakou place`: import places that matter, list them, write them back to the national standard."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.table import Table

from lakou.kernel.errors import BadRequest, NotFound
from lakou.server import compose
from lakou.server.commands import options, reports

if TYPE_CHECKING:
    from lakou.territory.importing import Format

app = typer.Typer(no_args_is_help=True, help="The register of places that matter.")
out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

File = Annotated[Path, typer.Argument(help="CSV or JSON of the standard, of a mapping or plain; GeoJSON; GTFS")]


@app.command("import")
def import_(
    file: File,
    form: Annotated[str, typer.Option("--format", help="mediation, gtfs or plain [default: by the file]")] = "",
    source: Annotated[
        str | None, typer.Option("--source", help="Where it comes from; with the row's id the place's identity")
    ] = None,
    mapping: Annotated[
        str | None, typer.Option("--mapping", help="Mapping of other columns: a built-in name or a TOML file")
    ] = None,
    kind: Annotated[str, typer.Option("--kind", help="Kind of the places of a plain table: shelter, school, …")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and compare, write nothing")] = False,
    report: Annotated[
        Path | None, typer.Option("--report", help="Write every finding there as CSV, refused rows whole")
    ] = None,
    data: options.Data = None,
    database_url: options.DatabaseUrl = None,
    config: options.ConfigFile = None,
) -> None:
    """Import places and print the report. Rows with errors are kept out and listed. Exit code 1 when there are any.

    Importing the same file again changes nothing.
    """
    found = options.read(config, data_dir=data, database_url=database_url)
    compose.migrate_civic(found)
    from lakou.territory import actions
    from lakou.territory.bounds import surroundings_of
    from lakou.territory.findings import report_csv
    from lakou.territory.importing import prepare
    from lakou.territory.profile import load_profile

    profile = load_profile(found.territory)
    now = datetime.now(UTC)
    prepared = prepare(
        read_file(file),
        form=_format(form, file, kind),
        today=now.astimezone(ZoneInfo(profile.time_zone)).date(),
        source=source,
        mapping_name=mapping,
        kind=kind,
        around=surroundings_of(profile),
    )
    done = actions.import_places(prepared=prepared, actor=options.operator(), now=now, dry_run=dry_run)
    what = f"source {prepared.source}, {done.rows} lignes"
    reports.show(done, what=what, notes=prepared.notes, names=prepared.names)
    if report is not None:
        report.write_text(report_csv(done, prepared.rows), encoding="utf-8-sig")
        out.print(f"Rapport complet : {report}", markup=False, soft_wrap=True)
    if done.refused:
        raise typer.Exit(1)


@app.command()
def export(
    kind: Annotated[str, typer.Option("--kind", help="mediation: the only kind with a national standard so far")],
    form: Annotated[str, typer.Option("--format", help="csv or json")] = "csv",
    source: Annotated[str, typer.Option("--source", help="Only places of this source [default: all]")] = "",
    conformant: Annotated[
        bool, typer.Option("--conformant", help="Leave out places that lack what the standard requires")
    ] = False,
    file: Annotated[Path | None, typer.Option("--output", help="File to write [default: standard output]")] = None,
    data: options.Data = None,
    database_url: options.DatabaseUrl = None,
    config: options.ConfigFile = None,
) -> None:
    """Write places in the national standard; rows that nobody changed come out byte for byte as they came in.

    How many lack what the standard requires is told beside it, on standard error.
    """
    compose.migrate_civic(options.read(config, data_dir=data, database_url=database_url))
    from lakou.territory import queries
    from lakou.territory.mediation.read import is_conformant
    from lakou.territory.mediation.write import write_csv, write_json

    writers = {"csv": write_csv, "json": write_json}
    if kind != "mediation" or form not in writers:
        raise BadRequest("Only --kind mediation as csv or json can be exported", place="--kind", code="bad_option")
    lacking = written = 0

    def chosen() -> Iterator[tuple[Mapping[str, str], Mapping[str, Any]]]:
        nonlocal lacking, written
        for row, raw in queries.mediation_rows(source):
            is_whole = is_conformant(row)
            lacking += not is_whole
            if is_whole or not conformant:
                written += 1
                yield row, raw

    pieces = writers[form](chosen())
    try:
        if file is None:
            for piece in pieces:
                sys.stdout.buffer.write(piece.encode())
            sys.stdout.buffer.flush()
        else:
            with file.open("w", encoding="utf-8", newline="") as target:
                target.writelines(pieces)
    finally:  # what went out before an error is out
        _record_export(kind, form, source, written)
    if lacking:
        done = "laissés de côté" if conformant else "écrits quand même : --conformant les laisse de côté"
        err.print(f"{lacking} lieux n'ont pas tout ce que le standard exige ; {done}", markup=False, soft_wrap=True)


def _record_export(kind: str, form: str, source: str, amount: int) -> None:
    """A file was taken away from the site: that stands in its journal."""
    from lakou.identity.journal import actions

    actions.record(
        act="data.exported",
        actor=options.operator(),
        subject=f"places {kind}",
        detail={"form": form, "source": source or "all", "rows": amount},
    )


@app.command()
def suggest(file: Annotated[Path, typer.Argument(help="CSV or JSON of mediation places in other columns")]) -> None:
    """Write a draft of a mapping for a file whose columns are not the standard's; a person reads and completes it."""
    from lakou.territory.mediation.suggest import suggest as draft_of
    from lakou.territory.tables import read_table

    print(draft_of(read_table(read_file(file))), end="")


@app.command("list")
def list_(
    kind: Annotated[str, typer.Option("--kind", help="Only this kind")] = "",
    data: options.Data = None,
    database_url: options.DatabaseUrl = None,
    config: options.ConfigFile = None,
) -> None:
    """List places: key, kind, source, name, commune and whether the position is known."""
    compose.migrate_civic(options.read(config, data_dir=data, database_url=database_url))
    from lakou.territory import queries

    table = Table("key", "kind", "source", "name", "commune", "position", box=None)
    for place in queries.places(queries.Filter(kind=kind)).iterator(chunk_size=500):
        position = "unknown" if place.longitude is None else f"{place.latitude:.5f}, {place.longitude:.5f}"
        table.add_row(str(place.pk), place.kind, place.source, place.name, place.commune or "?", position)
    out.print(table)


@app.command()
def remove(
    source: Annotated[str, typer.Argument(help="Source of the places, see: lakou place list")],
    data: options.Data = None,
    database_url: options.DatabaseUrl = None,
    config: options.ConfigFile = None,
) -> None:
    """Remove every place of a source, as when a wrong file was imported."""
    compose.migrate_civic(options.read(config, data_dir=data, database_url=database_url))
    from lakou.territory import actions

    amount = actions.remove_places(source=source, actor=options.operator())
    out.print(f"{amount} places of {source} are removed.", markup=False)


def read_file(path: Path) -> bytes:
    """The bytes of a file that a person named. Raises NotFound, and TooLarge before reading too much."""
    from lakou.kernel.errors import TooLarge
    from lakou.territory.tables import MAX_BYTES

    try:
        if path.exists() and not path.is_file():  # a pipe or a device has no end
            raise NotFound(f"{path} is no file", place="FILE", hint="give a file")
        if path.stat().st_size > MAX_BYTES:
            raise TooLarge(f"{path.name} is above {MAX_BYTES // 2**20} MiB", hint="split it")
        return path.read_bytes()
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror}", place="FILE", hint="check the path") from None


def _format(given: str, file: Path, kind: str) -> Format:
    from lakou.territory.importing import FORMATS

    if not given:
        is_gtfs = file.suffix.lower() == ".zip" or file.name.lower() == "stops.txt"
        given = "gtfs" if is_gtfs else "plain" if kind or file.suffix.lower() == ".geojson" else "mediation"
    if given not in FORMATS:
        raise BadRequest(f"There is no format {given!r}", place="--format", hint="one of: " + ", ".join(FORMATS))
    return given
