"""`lakou check`: are the stored data sound, and how many are there?"""

from __future__ import annotations

import asyncio
import json
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from lakou.kernel.errors import LakouError, NotFound
from lakou.sensorthings.access import ADMIN
from lakou.server import compose, soundness
from lakou.server.backup import sqlite
from lakou.server.commands import options
from lakou.server.commands.connectors import service_of
from lakou.server.config import Config
from lakou.server.soundness import Finding

err = Console(stderr=True, highlight=False)
COUNTED = (
    "Things", "Datastreams", "MultiDatastreams", "Sensors", "ObservedProperties", "Locations", "FeaturesOfInterest",
    "Observations",
)  # fmt: skip
WORDS = {"sound": "sound", "damaged": "DAMAGED", "unknown": "unknown"}


def check(
    full: Annotated[
        bool, typer.Option("--full", help="Look at every Observation, not at those of some Datastreams only")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs")] = False,
    data: options.Data = None,
    database_url: options.DatabaseUrl = None,
    config: options.ConfigFile = None,
) -> None:
    """Verify what is stored, page by page and one thing against another, and count it. Beside a running server too.

    Each check is sound, damaged or unknown. Exit code 1 when anything is damaged.
    """
    found = options.read(config, data_dir=data, database_url=database_url)
    if found.database_url is None and not any((found.data_dir / name).exists() for name in sqlite.FILES.values()):
        raise NotFound(f"There is no database in {found.data_dir}", place="LAKOU_DATA", hint="give --data DIR")
    findings = _findings(found, full=full, quiet=as_json)
    damaged = any(finding.state == "damaged" for finding in findings)
    counts = {} if damaged else _counts(found)
    if as_json:
        checks = [finding._asdict() for finding in findings]
        print(json.dumps({"sound": not damaged, "checks": checks, "counts": counts}, indent=1))
    elif damaged:
        print("Restore the last backup; keep the damaged files for inquiry.")
    else:
        for entity, count in counts.items():
            print(f"{entity}: {count if count is not None else 'unknown'}")
    if damaged:
        raise typer.Exit(1)


def _findings(config: Config, *, full: bool, quiet: bool) -> list[Finding]:
    findings = []
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, transient=True, console=err) as progress:
        task = progress.add_task("", total=None)
        for finding in soundness.examine(
            config, full=full, told=lambda title: progress.update(task, description=title)
        ):
            findings.append(finding)
            if not quiet:
                print(f"{finding.name}: {WORDS[finding.state]}")
                for detail in finding.details:
                    print(f"  {detail}")
    return findings


def _counts(config: Config) -> dict[str, int | None]:
    compose.load_django(config)
    try:
        return asyncio.run(_ask_counts(config))
    except LakouError:
        return dict.fromkeys(COUNTED)


async def _ask_counts(config: Config) -> dict[str, int | None]:
    counts: dict[str, int | None] = {}
    async with service_of(config) as service:
        for entity in COUNTED:
            answer = await service.call(ADMIN, "GET", f"/{entity}?$count=true&$top=0")
            counts[entity] = json.loads(answer.body).get("@iot.count") if answer.status == 200 else None
    return counts
