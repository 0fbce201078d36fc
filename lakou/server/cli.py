"""The `lakou` command. Exit codes: 0 done · 1 something was found wrong · 2 wrong usage or settings ·
3 not there, or clashes with what is there · 4 not possible now (database, port, folder) · 5 not allowed.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console

from lakou import __version__
from lakou.kernel.errors import LakouError
from lakou.server.commands import (
    audit,
    backup,
    check,
    connectors,
    demo,
    doctor,
    layers,
    organisations,
    places,
    retention,
    scenarios,
    serve,
    territory,
    tokens,
    users,
)

EXIT_CODES = {400: 2, 401: 5, 403: 5, 404: 3, 409: 3, 412: 3, 503: 4}

app = typer.Typer(
    name="lakou",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Lakou: observe, warn, share, assess and take part, for a territory.",
    epilog="Exit codes: 0 done, 1 something is wrong, 2 wrong usage, 3 not there or clashes, 4 not now, 5 not allowed.",
)
app.command()(serve.serve)
app.command()(demo.demo)
app.command()(demo.simulate)
app.command()(serve.migrate)
app.add_typer(scenarios.app, name="scenario")
app.add_typer(tokens.app, name="token")
app.add_typer(audit.app, name="audit")
app.add_typer(users.app, name="user")
app.add_typer(organisations.app, name="organisation")
app.add_typer(connectors.app, name="connector")
app.add_typer(places.app, name="place")
app.add_typer(layers.app, name="layer")
app.add_typer(territory.app, name="territory")
app.command()(doctor.doctor)
app.command()(check.check)
app.command("retention")(retention.retention_)
app.command()(backup.backup)
app.command()(backup.restore)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"lakou {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and stop")
    ] = False,
) -> None:
    """Options of every command."""


def main() -> None:
    """Entry point: an error that a person may see becomes a message, a hint and an exit code."""
    try:
        app()
    except LakouError as error:
        console = Console(stderr=True, highlight=False)
        place = f" ({error.place})" if error.place and error.place not in error.message else ""
        console.print(f"Error: {error.message}{place}", style="bold", markup=False, soft_wrap=True)
        if error.hint:
            console.print(f"Hint: {error.hint}", markup=False, soft_wrap=True)
        sys.exit(EXIT_CODES.get(error.status, 1))
