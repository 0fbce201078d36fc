"""`lakou audit`: read the journal, take it out for other tools, and find out whether anybody changed it."""

from __future__ import annotations

import socket
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from lakou.server import compose
from lakou.server.commands import options

app = typer.Typer(no_args_is_help=True, help="The journal of every act that matters.")
err = Console(stderr=True, highlight=False)


class Format(StrEnum):
    """Forms of an export."""

    ECS = "ecs"
    SYSLOG = "syslog"


Since = Annotated[str | None, typer.Option("--since", help="Only from this day or instant on, such as 2026-11-01")]


@app.command()
def verify(
    noted: Annotated[
        list[str] | None,
        typer.Option("--head", help="A head noted earlier, as lakou audit head prints it (repeatable)"),
    ] = None,
    data: options.Data = None,
    database_url: options.DatabaseUrl = None,
    config: options.ConfigFile = None,
) -> None:
    """Find any row that was changed, removed, added or moved. Exit code 1 and the first such row when there is one.

    Whoever rewrites all rows and the head leaves a sound chain: only --head, noted elsewhere, finds that.
    """
    compose.migrate_civic(options.read(config, data_dir=data, database_url=database_url))
    from lakou.identity.journal import queries

    head, flaw = queries.verify([queries.parse_head(text) for text in noted or ()])
    if flaw is not None:
        print(f"Row {flaw.seq} {flaw.what}.")
        raise typer.Exit(1)
    print(f"The journal is whole: {head.rows} rows. Head: {head}")


@app.command()
def head(
    data: options.Data = None, database_url: options.DatabaseUrl = None, config: options.ConfigFile = None
) -> None:
    """Print the head: the number of rows and the hash of the last. Note it where this server cannot write."""
    compose.migrate_civic(options.read(config, data_dir=data, database_url=database_url))
    from lakou.identity.journal import queries

    print(queries.head())


@app.command()
def export(
    form: Annotated[Format, typer.Option("--format", help="ecs (JSON lines) or syslog (RFC 5424)")] = Format.ECS,
    since: Since = None,
    data: options.Data = None,
    database_url: options.DatabaseUrl = None,
    config: options.ConfigFile = None,
) -> None:
    """Print rows for other tools, one a line, oldest first. The export is itself written into the journal."""
    compose.migrate_civic(options.read(config, data_dir=data, database_url=database_url))
    from lakou.identity.journal import actions, queries
    from lakou.identity.journal import export as forms

    start = options.instant(since, "--since")
    end = queries.head().rows
    actions.record(
        act="journal.exported",
        actor=options.operator(),
        subject=str(form),
        detail={"rows": end, "since": since or "the beginning"},
    )
    host = socket.gethostname()
    for row in queries.rows(since=start, below=end + 1).iterator(queries.CHUNK):
        print(forms.ecs(row) if form is Format.ECS else forms.syslog(row, host))


@app.command("list")
def list_(
    act: Annotated[str, typer.Option("--act", help="Only this act, such as token.revoked")] = "",
    since: Since = None,
    last: Annotated[int, typer.Option("--last", min=1, max=10_000, help="At most so many, the latest")] = 50,
    data: options.Data = None,
    database_url: options.DatabaseUrl = None,
    config: options.ConfigFile = None,
) -> None:
    """List the latest rows."""
    compose.migrate_civic(options.read(config, data_dir=data, database_url=database_url))
    from lakou.identity.journal import queries

    table = Table("row", "when (UTC)", "act", "outcome", "who", "about", "from", box=None)
    rows = list(queries.rows(since=options.instant(since, "--since"), act=act).order_by("-seq")[:last])
    for row in reversed(rows):
        who = f"{row.actor_name} ({row.actor_kind})"
        at = f"{row.at:%Y-%m-%d %H:%M:%S}"
        table.add_row(str(row.seq), at, row.act, row.outcome, who, row.subject, row.address)
    Console(highlight=False, markup=False).print(table)
