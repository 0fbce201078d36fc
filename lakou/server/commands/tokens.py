"""`lakou token`: make, list, renew and revoke the credentials of devices and programs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from lakou.kernel.errors import NotFound
from lakou.server import compose
from lakou.server.commands import options

app = typer.Typer(no_args_is_help=True, help="Credentials of devices and programs.")
err = Console(stderr=True, highlight=False)

EXPIRES = "End of the token, such as 2027-06-30 or 2027-06-30T12:00:00Z (without a zone: UTC) [default: none]"
Name = Annotated[str, typer.Argument(help="Name of the token, such as river-gauge-12")]


@app.command()
def create(
    name: Name,
    role: Annotated[str, typer.Option("--role", help="device, agent or admin")],
    reads: Annotated[
        list[str] | None,
        typer.Option("--reads", help="Name of a token whose restricted things this one may read too (repeatable)"),
    ] = None,
    thing: Annotated[
        list[int] | None,
        typer.Option("--thing", help="Id of a Thing whose Datastreams alone it may write to (repeatable)"),
    ] = None,
    datastream: Annotated[
        list[int] | None,
        typer.Option("--datastream", help="Id of a Datastream that alone it may write to (repeatable)"),
    ] = None,
    expires: Annotated[str | None, typer.Option("--expires", help=EXPIRES)] = None,
    organisation: Annotated[
        str | None,
        typer.Option("--organisation", help="Whose token it is; its people read what it restricts [default: the host]"),
    ] = None,
    data: options.Data = None,
    database_url: options.DatabaseUrl = None,
    config: options.ConfigFile = None,
) -> None:
    """Make a token and print it, alone on the last line. It is shown this once; a running server knows it at once."""
    compose.migrate_civic(options.read(config, data_dir=data, database_url=database_url))
    from lakou.identity import actions, queries

    owner = None if organisation is None else queries.organisation_named(organisation)
    if organisation is not None and owner is None:
        raise NotFound(f"There is no organisation named {organisation!r}", place="--organisation")
    made = actions.create_token(
        name=name,
        role=role,
        reads=reads or (),
        things=thing or (),
        datastreams=datastream or (),
        expires=options.instant(expires, "--expires"),
        organisation=owner,
        actor=options.operator(),
    )
    err.print(f"Token of {made.token.name} ({made.token.role}). Keep it: it is not stored and not shown again.")
    print(made.text)


@app.command()
def renew(
    name: Name,
    overlap: Annotated[
        int, typer.Option("--overlap", help="Seconds for which the old secret is valid still, at most 30 days")
    ] = 0,
    expires: Annotated[str | None, typer.Option("--expires", help=EXPIRES)] = None,
    data: options.Data = None,
    database_url: options.DatabaseUrl = None,
    config: options.ConfigFile = None,
) -> None:
    """Give a token a new secret and print it; the old one stops. What the device owns stays its own."""
    compose.migrate_civic(options.read(config, data_dir=data, database_url=database_url))
    from lakou.identity import actions

    made = actions.renew_token(
        name=name,
        overlap=timedelta(seconds=overlap),
        expires=options.instant(expires, "--expires"),
        actor=options.operator(),
    )
    err.print(f"New secret of {made.token.name}. Keep it: it is not stored and not shown again.")
    print(made.text)


@app.command()
def revoke(
    name: Name,
    data: options.Data = None,
    database_url: options.DatabaseUrl = None,
    config: options.ConfigFile = None,
) -> None:
    """Stop a token; a running server refuses it within a second."""
    compose.migrate_civic(options.read(config, data_dir=data, database_url=database_url))
    from lakou.identity import actions

    token = actions.revoke_token(name=name, actor=options.operator())
    err.print(f"The token of {token.name} is revoked.", markup=False)


@app.command()
def scope(
    name: Name,
    thing: Annotated[
        list[int] | None, typer.Option("--thing", help="Id of a Thing whose Datastreams it may write to (repeatable)")
    ] = None,
    datastream: Annotated[
        list[int] | None, typer.Option("--datastream", help="Id of a Datastream it may write to (repeatable)")
    ] = None,
    data: options.Data = None,
    database_url: options.DatabaseUrl = None,
    config: options.ConfigFile = None,
) -> None:
    """Set what a token alone may write to, in place of what it was given; without ids the bound is lifted."""
    compose.migrate_civic(options.read(config, data_dir=data, database_url=database_url))
    from lakou.identity import actions

    actions.give_token(name=name, things=thing or (), datastreams=datastream or (), actor=options.operator())
    bound = "only adds Observations to what was given" if thing or datastream else "is not narrowed any more"
    err.print(f"The token of {name} {bound}.", markup=False)


@app.command("list")
def list_(
    data: options.Data = None, database_url: options.DatabaseUrl = None, config: options.ConfigFile = None
) -> None:
    """List all tokens, revoked ones too; never their secrets."""
    compose.migrate_civic(options.read(config, data_dir=data, database_url=database_url))
    from lakou.identity import queries

    table = Table("name", "role", "number", "scope", "writes to", "made", "last used", "state", box=None)
    now = datetime.now(UTC)
    for token in queries.tokens():
        used = token.last_used.strftime("%Y-%m-%d %H:%M") if token.last_used else "never"
        state = f"revoked {token.revoked:%Y-%m-%d}" if token.revoked else "valid"
        if token.expires and not token.revoked:
            state = f"{'expired' if token.expires <= now else 'valid until'} {token.expires:%Y-%m-%d %H:%M}"
        given = ", ".join(map(str, token.grants.all()))
        made = f"{token.created:%Y-%m-%d}"
        table.add_row(token.name, token.role, str(token.pk), str(token.home_id), given, made, used, state)
    Console().print(table)
