"""`lakou organisation`: who is here, and which of them runs the site."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from lakou.server.commands import civic, options

app = typer.Typer(no_args_is_help=True, help="Organisations, and which of them runs the site.")
err = Console(stderr=True, highlight=False)


@app.command("list")
def list_(
    data: options.Data = None, database_url: options.DatabaseUrl = None, config: options.ConfigFile = None
) -> None:
    """List all organisations, the one that runs the site first."""
    civic.opened(config, data, database_url)
    from lakou.identity import queries

    table = Table("organisation", "kind", "SIRET", "territory", "administrators", "", box=None)
    for one in queries.organisations():
        administrators = ", ".join(person.email for person in queries.administrators_of_whole(one))
        table.add_row(
            one.name, one.kind, one.siret, one.territory, administrators or "none", "host" if one.is_host else ""
        )
    Console().print(table, markup=False)


@app.command()
def host(
    name: Annotated[str, typer.Argument(help="Name of the organisation that runs the site from now on")],
    data: options.Data = None,
    database_url: options.DatabaseUrl = None,
    config: options.ConfigFile = None,
) -> None:
    """Hand the site on to an organisation. It needs an administrator of the whole who has a second factor."""
    civic.opened(config, data, database_url)
    from lakou.identity.actions import organisations

    made = organisations.hand_on_host(organisation=civic.named_organisation(name))
    err.print(f"{made.name} runs the site.", markup=False)
