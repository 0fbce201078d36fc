"""`lakou layer`: import files of zones (GeoJSON, GeoPackage) with where they come from; list and remove layers."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from lakou.kernel.errors import BadRequest
from lakou.server import compose
from lakou.server.commands import options, reports

app = typer.Typer(no_args_is_help=True, help="Layers of zones: hazards, evacuation, limits.")
out = Console(highlight=False)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="GeoJSON in degrees, or GeoPackage in EPSG:4326, 5490 or 2154")],
    key: Annotated[str, typer.Option("--key", help="Short name in addresses, such as pprn-lamentin")],
    kind: Annotated[str, typer.Option("--kind", help="hazard, evacuation, administrative or other")],
    title: Annotated[str, typer.Option("--title", help="Title for people, in French")],
    source: Annotated[str, typer.Option("--source", help="Who made it and where it was fetched")],
    licence: Annotated[str, typer.Option("--licence", help="Its licence, such as Licence Ouverte 2.0")],
    hazard: Annotated[str, typer.Option("--hazard", help="Which hazard, needed for --kind hazard: flood, …")] = "",
    name: Annotated[str, typer.Option("--name", help="Field with the name of a zone")] = "",
    population: Annotated[str, typer.Option("--population", help="Field with the people in a zone")] = "",
    level: Annotated[str, typer.Option("--level", help="Field with the level or rule of a zone")] = "",
    id_: Annotated[str, typer.Option("--id", help="Field that identifies a zone [default: the feature's own id]")] = "",
    table: Annotated[str, typer.Option("--table", help="Table of a GeoPackage that has several")] = "",
    retrieved: Annotated[str, typer.Option("--retrieved", help="Day of fetching, 2026-11-26 [default: today]")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and compare, write nothing")] = False,
    report: Annotated[Path | None, typer.Option("--report", help="Write every finding there as CSV")] = None,
    data: options.Data = None,
    database_url: options.DatabaseUrl = None,
    config: options.ConfigFile = None,
) -> None:
    """Import a file of zones as a layer, or replace it, and print the report. The same file again changes nothing.

    Exit code 1 when some features were refused.
    """
    found = options.read(config, data_dir=data, database_url=database_url)
    compose.migrate_civic(found)
    from lakou.territory import actions
    from lakou.territory.bounds import surroundings_of
    from lakou.territory.findings import report_csv
    from lakou.territory.layers.features import FieldNames
    from lakou.territory.layers.read import read_layer
    from lakou.territory.profile import load_profile

    names = FieldNames(name=name, population=population, level=level, key=id_)
    around = surroundings_of(load_profile(found.territory))
    fetched = _instant(retrieved)
    checked, digest = read_layer(file, names, table=table, around=around)
    layer = actions.LayerSource(
        key=key, title=title, kind=kind, hazard=hazard, source=source, licence=licence, retrieved=fetched,
        sha256=digest, options=names.given() | ({"table": table} if table else {}),
    )  # fmt: skip
    done = actions.import_layer(layer=layer, checked=checked, actor=options.operator(), dry_run=dry_run)
    shown = {feature.number: feature.name for feature in checked.features}
    reports.show(done, what=f"couche {key}, {done.rows} entités", notes=[f"sha256 {digest}"], names=shown)
    if report is not None:
        report.write_text(report_csv(done, {}), encoding="utf-8-sig")
    if done.refused:
        raise typer.Exit(1)


@app.command("list")
def list_(
    data: options.Data = None, database_url: options.DatabaseUrl = None, config: options.ConfigFile = None
) -> None:
    """List layers with kind, hazard, number of zones, source, licence and day of fetching."""
    compose.migrate_civic(options.read(config, data_dir=data, database_url=database_url))
    from lakou.territory import queries

    shown = Table("key", "title", "kind", "hazard", "zones", "source", "licence", "retrieved", box=None)
    for one in queries.layers():
        row = (one.key, one.title, one.kind, one.hazard, str(one.feature_count), one.source, one.licence)
        shown.add_row(*row, f"{one.retrieved:%Y-%m-%d}")
    out.print(shown)


@app.command()
def remove(
    key: Annotated[str, typer.Argument(help="Key of the layer, see: lakou layer list")],
    data: options.Data = None,
    database_url: options.DatabaseUrl = None,
    config: options.ConfigFile = None,
) -> None:
    """Remove a layer and its zones."""
    compose.migrate_civic(options.read(config, data_dir=data, database_url=database_url))
    from lakou.territory import actions

    amount = actions.remove_layer(key=key, actor=options.operator())
    out.print(f"The layer {key} and its {amount} zones are removed.", markup=False)


def _instant(text: str) -> datetime:
    if not text:
        return datetime.now(UTC).replace(microsecond=0)
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        raise BadRequest("The day of fetching is no date", place="--retrieved", hint="2026-11-26") from None
