"""The `lakou` command. Exit codes: 0 done · 1 something was found wrong · 2 wrong usage or settings ·
3 not there, or clashes with what is there · 4 not possible now (database, port, folder) · 5 not allowed.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Annotated

import typer
from rich.console import Console

from lakou import __version__
from lakou.kernel.errors import LakouError

EXIT_CODES = {400: 2, 401: 5, 403: 5, 404: 3, 409: 3, 412: 3, 503: 4}
COMMANDS = {
    "serve": ("serve", "serve"),
    "demo": ("demo", "demo"),
    "simulate": ("demo", "simulate"),
    "migrate": ("serve", "migrate"),
    "scenario": ("scenarios", "app"),
    "token": ("tokens", "app"),
    "audit": ("audit", "app"),
    "user": ("users", "app"),
    "organisation": ("organisations", "app"),
    "connector": ("connectors", "app"),
    "place": ("places", "app"),
    "layer": ("layers", "app"),
    "territory": ("territory", "app"),
    "doctor": ("doctor", "doctor"),
    "check": ("check", "check"),
    "retention": ("retention", "retention_"),
    "backup": ("backup", "backup"),
    "restore": ("backup", "restore"),
}
"""Each command with the module below `commands` that has it, and its name there. Only the one that is called is loaded:
all of them take as long as most commands run."""


def application(only: str | None = None) -> typer.Typer:
    """The command with all its commands, or `only` one of them."""
    made = typer.Typer(
        name="lakou",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        help="Lakou: observe, warn, share, assess and take part, for a territory.",
        epilog="Exit codes: 0 done, 1 something is wrong, 2 wrong usage, 3 not there or clashes,"
        " 4 not now, 5 not allowed.",
    )
    made.callback()(root)
    for name in COMMANDS if only is None else (only,):
        module, member = COMMANDS[name]
        found = getattr(import_module(f"lakou.server.commands.{module}"), member)
        if isinstance(found, typer.Typer):
            made.add_typer(found, name=name)
        else:
            made.command(name)(found)
    return made


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"lakou {__version__}")
        raise typer.Exit


def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and stop")
    ] = False,
) -> None:
    """Options of every command."""


def main() -> None:
    """Entry point: an error that a person may see becomes a message, a hint and an exit code."""
    first = sys.argv[1] if len(sys.argv) > 1 else ""
    try:
        application(first if first in COMMANDS else None)()
    except LakouError as error:
        console = Console(stderr=True, highlight=False)
        place = f" ({error.place})" if error.place and error.place not in error.message else ""
        console.print(f"Error: {error.message}{place}", style="bold", markup=False, soft_wrap=True)
        if error.hint:
            console.print(f"Hint: {error.hint}", markup=False, soft_wrap=True)
        sys.exit(EXIT_CODES.get(error.status, 1))
