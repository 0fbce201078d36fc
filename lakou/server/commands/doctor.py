"""`lakou doctor`: says in plain words what is wrong with a set-up."""

from __future__ import annotations

import os

import typer
from rich.console import Console
from rich.table import Table

from lakou.server import config as configuration
from lakou.server import diagnosis
from lakou.server.commands import options

MARKS = {"ok": "✓ ok", "warning": "▲ look", "wrong": "✗ wrong", "unknown": "? unknown"}


def doctor(
    host: options.Host = None,
    port: options.Port = None,
    data: options.Data = None,
    database_url: options.DatabaseUrl = None,
    config: options.ConfigFile = None,
) -> None:
    """Say in plain words what is wrong with a set-up; changes nothing. Exit code 1 when something is wrong."""
    found = options.read(config, host=host, port=port, data_dir=data, database_url=database_url)
    configuration.install(found)
    # Django is loaded without compose.load_django, which would make the folder and its secrets.
    os.environ["DJANGO_SETTINGS_MODULE"] = "lakou.server.settings"
    table = Table("", "what", "how it is", "what to do", box=None, pad_edge=False)
    findings = _findings(found)
    for finding in findings:
        table.add_row(MARKS[finding.state], finding.subject, finding.text, finding.remedy)
    Console(highlight=False).print(table)
    if any(finding.state == "wrong" for finding in findings):
        raise typer.Exit(1)


def _findings(found: configuration.Config) -> list[diagnosis.Finding]:
    try:
        import django

        django.setup()
    except Exception as error:  # the edge: a broken secrets file or URL is a finding, not a crash
        first = diagnosis.Finding("Settings", "wrong", getattr(error, "message", type(error).__name__))
        return [first, *diagnosis.diagnose(found)]
    return diagnosis.diagnose(found)
