"""`lakou check`: are the stored data sound, and how many are there?"""

from __future__ import annotations

import asyncio
import json

import apsw
import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from lakou.kernel.errors import NotFound
from lakou.sensorthings.access import ADMIN
from lakou.server import compose
from lakou.server.commands import options
from lakou.server.commands.connectors import service_of
from lakou.server.config import Config

out = Console(highlight=False)
COUNTED = ("Things", "Datastreams", "Sensors", "ObservedProperties", "Locations", "FeaturesOfInterest", "Observations")
FILES = ("civic.db", "observations.db")
SHOWN_PROBLEMS = 10


def check(
    data: options.Data = None, database_url: options.DatabaseUrl = None, config: options.ConfigFile = None
) -> None:
    """Verify the SQLite files page by page and count what is stored. Exit code 1 when a file is damaged.

    On PostgreSQL the server guards its own pages (initdb --data-checksums, pg_amcheck); here only the counts are made.
    """
    found = options.read(config, data_dir=data, database_url=database_url)
    if found.database_url is None and not any((found.data_dir / name).exists() for name in FILES):
        raise NotFound(f"There is no database in {found.data_dir}", place="LAKOU_DATA", hint="give --data DIR")
    damaged = False
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), transient=True) as progress:
        if found.database_url is None:
            for name in FILES:
                progress.add_task(f"Verifying {name}", total=None)
                problems = _problems(found, name)
                damaged = damaged or bool(problems)
                progress.console.print(f"{name}: " + ("sound" if not problems else "DAMAGED"), markup=False)
                for problem in problems[:SHOWN_PROBLEMS]:
                    progress.console.print(f"  {problem}", markup=False)
    if damaged:
        out.print("Restore the last backup; keep the damaged files for inquiry.")
        raise typer.Exit(1)
    compose.load_django(found)
    for entity, count in asyncio.run(_counts(found)).items():
        out.print(f"{entity}: {count if count is not None else 'unknown'}", markup=False)


def _problems(config: Config, name: str) -> list[str]:
    """What SQLite finds wrong in a file; a missing file is one problem."""
    path = config.data_dir / name
    if not path.exists():
        return ["the file is missing"]
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            found = [str(row[0]) for row in connection.execute("pragma integrity_check")]
            found += [f"broken reference in {row[0]}" for row in connection.execute("pragma foreign_key_check")]
        finally:
            connection.close()
    except apsw.Error as error:
        return [f"cannot be read ({type(error).__name__})"]
    return [line for line in found if line != "ok"]


async def _counts(config: Config) -> dict[str, int | None]:
    counts: dict[str, int | None] = {}
    async with service_of(config) as service:
        for entity in COUNTED:
            answer = await service.call(ADMIN, "GET", f"/{entity}?$count=true&$top=0")
            counts[entity] = json.loads(answer.body).get("@iot.count") if answer.status == 200 else None
    return counts
