"""`lakou connector`: the sources that Lakou can read, and one run of one of them by hand."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from lakou.kernel.errors import Conflict
from lakou.sensorthings.access import ADMIN
from lakou.server import compose, databases
from lakou.server.commands import options
from lakou.server.config import Config

if TYPE_CHECKING:
    from lakou.connectors.entities import SensorThings
    from lakou.connectors.running import RunResult

app = typer.Typer(no_args_is_help=True, help="Sources of data.")
err = Console(stderr=True, highlight=False)


@app.command("list")
def list_(
    data: options.Data = None, database_url: options.DatabaseUrl = None, config: options.ConfigFile = None
) -> None:
    """List the known connectors and how their last run went."""
    compose.migrate_civic(options.read(config, data_dir=data, database_url=database_url))
    from lakou.connectors import queries

    table = Table("name", "what", "grade", "last success", "last run", box=None)
    for meta, state in queries.standings():
        success = state.last_success.strftime("%Y-%m-%d %H:%M UTC") if state and state.last_success else "never"
        last = "never run" if state is None or state.last_run is None else state.last_error or f"{state.last_count} new"
        table.add_row(meta.name, meta.title, meta.grade, success, last)
    Console().print(table)


@app.command()
def run(
    name: Annotated[str, typer.Argument(help="Name of the connector, see: lakou connector list")],
    file: Annotated[Path | None, typer.Option("--file", help="A recorded answer of the source, read instead")] = None,
    data: options.Data = None,
    database_url: options.DatabaseUrl = None,
    config: options.ConfigFile = None,
) -> None:
    """Run a connector once, now. Exit code 1 when it failed or some observations were refused."""
    found = options.read(config, data_dir=data, database_url=database_url)
    compose.migrate(found)
    with err.status(f"Running {name}"):
        result = asyncio.run(_run(found, name, file))
    err.print(
        f"{result.name}: {result.outcome}, {result.count} observations stored, {result.created} things made, "
        f"{result.refused} refused, {result.duration_s:.1f} s",
        markup=False,
    )
    for line in (*result.notes, *([result.error] if result.error else [])):
        err.print(line, markup=False)
    if result.outcome != "ok":
        raise typer.Exit(1)


async def _run(config: Config, name: str, file: Path | None) -> RunResult:
    from lakou.connectors import inbound
    from lakou.connectors.register import CivicRegister
    from lakou.connectors.running import run_connector

    register = CivicRegister()
    async with service_of(config) as service:
        side = inbound.make(service, config.table("connectors"))
        if file is None and not await register.may_run(name, 150, scheduled=False):
            raise Conflict(f"The connector {name} is running now", hint="wait for its end: lakou connector list")
        result = await run_connector(
            name,
            entities=side.entities,
            principal=ADMIN,
            options=side.options(name),
            file=file,
            policy=side.policy,
        )
        if file is None:
            failures = await register.failures(name) + 1 if result.outcome == "failed" else 0
            await register.record(result, failures, None)
    return result


@contextlib.asynccontextmanager
async def service_of(config: Config) -> AsyncIterator[SensorThings]:
    """The service of a running server where one holds the folder (SQLite), else one of our own for the while."""
    from lakou.server.remote import RemoteService

    with contextlib.ExitStack() as held:
        try:
            held.enter_context(databases.only_server(config, ""))
        except Conflict:
            address = databases.running_server(config)
            async with (
                compose.passing_token(f"command-{uuid.uuid4().hex[:8]}", "admin") as token,
                RemoteService(address, token) as remote,
            ):
                yield remote
            return
        service = compose.make_service(config)
        await service.start()
        try:
            yield service
        finally:
            await service.stop()
