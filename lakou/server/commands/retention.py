"""`lakou retention`: what is old enough to be removed, and whether the server removes it."""

from __future__ import annotations

import json
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from lakou.kernel import time
from lakou.kernel.errors import NotFound
from lakou.sensorthings.store import databases, retention
from lakou.server import compose
from lakou.server.commands import options

TIMEOUT_S = 60.0


def retention_(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs")] = False,
    data: options.Data = None,
    database_url: options.DatabaseUrl = None,
    config: options.ConfigFile = None,
) -> None:
    """Show what is older than it has to be kept. Nothing is removed by this command.

    How long is kept: `@lakou.retention` of a Datastream, or `[retention]` in lakou.toml. The server removes what is
    shown here only when `apply = true` stands there.
    """
    found = options.read(config, data_dir=data, database_url=database_url)
    policy = compose.read_retention(found)
    if found.database_url is None and not (found.data_dir / "observations.db").exists():
        raise NotFound(f"There is no database in {found.data_dir}", place="LAKOU_DATA", hint="give --data DIR")
    database = databases.open_database(found.data_dir, found.database_url)
    try:
        statement = retention.outlook(database.dialect.name, policy.defaults, time.now())
        old = retention.read_outlook(database.read(statement, TIMEOUT_S))
    finally:
        database.close()
    if as_json:
        streams: list[Any] = [msgspec.to_builtins(one) for one in old]
        print(json.dumps({"applies": policy.applies, "datastreams": streams}, indent=1))
        return
    if old:
        Console(highlight=False).print(_table(old))
    observations = sum(one.observations for one in old)
    print(f"{observations} Observations of {len(old)} Datastreams are older than they have to be kept.")
    if policy.applies:
        print("The server removes them in the background.")
    else:
        print("Nothing is removed: set apply = true under [retention] in lakou.toml to let the server do it.")


def _table(old: list[retention.Outlook]) -> Table:
    table = Table("Datastream", "Name", "Observations", "Hours", "Days", box=None)
    for one in old:
        table.add_row(*map(str, (one.datastream_id, one.name, one.observations, one.hours, one.days)))
    return table
