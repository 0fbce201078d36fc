"""Options that several commands share, and how they become the configuration."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from lakou.identity.policy import Actor, system
from lakou.kernel.errors import BadRequest
from lakou.server import config as configuration
from lakou.server import logs
from lakou.server.config import Config

Data = Annotated[
    Path | None, typer.Option("--data", help="Folder of databases and secrets [LAKOU_DATA, default: data]")
]
DatabaseUrl = Annotated[
    str | None,
    typer.Option("--database-url", help="PostgreSQL with PostGIS instead of SQLite [LAKOU_DATABASE_URL]"),
]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="Settings file [LAKOU_CONFIG, default: lakou.toml]")]
Host = Annotated[str | None, typer.Option("--host", help="Address to listen on [LAKOU_HOST, default: 127.0.0.1]")]
Port = Annotated[int | None, typer.Option("--port", help="HTTP port [LAKOU_PORT, default: 8000]")]
MqttPort = Annotated[
    str | None,
    typer.Option("--mqtt-port", help="MQTT port; 0 or none: no MQTT [LAKOU_MQTT_PORT, default: 1883]"),
]
Workers = Annotated[
    int | None, typer.Option("--workers", help="Processes; above 1 needs PostgreSQL [LAKOU_WORKERS, default: 1]")
]
Role = Annotated[
    str | None,
    typer.Option(
        "--role", help="all, data (SensorThings) or civic (pages); PostgreSQL only [LAKOU_ROLE, default: all]"
    ),
]
LogFormat = Annotated[str | None, typer.Option("--log-format", help="text or json [LAKOU_LOG_FORMAT, default: text]")]
TrustedProxy = Annotated[
    list[str] | None,
    typer.Option(
        "--trusted-proxy",
        help="Address or network of a proxy whose X-Forwarded-For is believed (repeatable) [LAKOU_TRUSTED_PROXIES]",
    ),
]


def read(config: Path | None = None, **given: object) -> Config:
    """The configuration of this command, made that of the process; raises BadRequest on a bad setting."""
    found = configuration.load(given, file=config)
    configuration.install(found)
    logs.set_up(found)
    return found


def operator() -> Actor:
    """Whoever works at this command line, under the name that the operating system knows; for the journal."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container may run a number that has no name
        name = "unknown"
    return system(f"{name} (ligne de commande)")


def instant(text: str | None, place: str) -> datetime | None:
    """A day or an instant; without a zone it is UTC. Raises BadRequest."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BadRequest(
            f"{text[:40]!r} is no day and no instant", place=place, hint="2026-11-01 or 2026-11-01T06:00:00Z"
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
