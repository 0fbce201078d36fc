"""What can be wrong with a set-up, found one by one and said in plain words (`lakou doctor`).

Each probe gives one Finding. What a probe cannot find out is *unknown*, never fine.
"""

from __future__ import annotations

import errno
import os
import resource
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple

from lakou.kernel.errors import LakouError
from lakou.server import databases, secretfile
from lakou.server.config import Config

State = Literal["ok", "warning", "wrong", "unknown"]
MIN_PYTHON = (3, 11)
MIN_POSTGRES = 150000
MIN_FREE_BYTES = 1024**3


class Finding(NamedTuple):
    """What was looked at, how it is, and what to do about it (empty when fine)."""

    subject: str
    state: State
    text: str
    remedy: str = ""


def diagnose(config: Config) -> list[Finding]:
    """Run every probe; a probe that fails itself is a finding too."""
    found: list[Finding] = []
    for probe in PROBES:
        try:
            found.append(probe(config))
        except LakouError as error:
            found.append(Finding(_subject(probe), "wrong", error.message, error.hint or ""))
        except Exception as error:  # the edge: one broken probe must not hide what the others say
            found.append(Finding(_subject(probe), "unknown", f"could not be looked at ({type(error).__name__})"))
    return found


def python(config: Config) -> Finding:
    text = f"Python {sys.version.split()[0]}"
    if sys.version_info < MIN_PYTHON:
        return Finding("Python", "wrong", text, "Lakou needs Python 3.11 or later")
    return Finding("Python", "ok", text)


def data_folder(config: Config) -> Finding:
    folder = config.data_dir
    if not folder.exists():
        parent = next(p for p in folder.parents if p.exists())
        if os.access(parent, os.W_OK):
            return Finding("Data folder", "ok", f"{folder} does not exist yet; the first start makes it")
        return Finding("Data folder", "wrong", f"{parent} cannot be written", "give a folder of your own: --data DIR")
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        return Finding("Data folder", "wrong", f"{folder} cannot be written", "change its owner, or give --data DIR")
    return Finding("Data folder", "ok", str(folder))


def disk(config: Config) -> Finding:
    usage = shutil.disk_usage(next(p for p in (config.data_dir, *config.data_dir.parents) if p.exists()))
    text = f"{usage.free / 1024**3:.1f} GiB free of {usage.total / 1024**3:.1f}"
    if usage.free < MIN_FREE_BYTES or usage.free < usage.total * 0.05:
        return Finding("Disk", "wrong", text, "free some room: below 5 % writing is at risk")
    return Finding("Disk", "ok", text)


def secrets(config: Config) -> Finding:
    path = config.data_dir / secretfile.FILE
    if not path.exists():
        return Finding("Secrets", "ok", "no secrets yet; the first start makes them")
    if not secretfile.is_private(path):
        return Finding("Secrets", "wrong", f"{path} can be read by other users", f"chmod 600 {path}")
    secretfile.secret_key(config.data_dir)
    return Finding("Secrets", "ok", "only the owner can read them")


def port(config: Config) -> Finding:
    subject = f"Port {config.port}"
    with socket.socket(socket.AF_INET6 if ":" in config.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((config.host, config.port))
        except PermissionError:
            return Finding(subject, "wrong", "needs the administrator", "take a port above 1023, with a proxy in front")
        except OSError as error:
            taken = "taken: by this Lakou if it runs, else by another program"
            text = taken if error.errno == errno.EADDRINUSE else str(error.strerror)
            return Finding(subject, "warning", text, "if Lakou is not running: give another one with --port")
    return Finding(subject, "ok", f"free on {config.host}")


def exposure(config: Config) -> Finding:
    if config.host in ("127.0.0.1", "::1", "localhost"):
        return Finding("Address", "ok", f"{config.host}: only this machine, or a proxy on it, reaches the server")
    if config.base_url is None:
        remedy = "put Caddy or nginx in front and set base_url in lakou.toml"
        return Finding("Address", "warning", f"{config.host}: reachable from outside without TLS", remedy)
    return Finding("Address", "ok", f"{config.host}, seen as {config.base_url}")


def open_files(config: Config) -> Finding:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = config.max_connections + 256
    text = f"{limit} files may be open at once"
    if limit < needed:
        remedy = f"ulimit -n {needed}, LimitNOFILE={needed} in the service file, or lower max_connections"
        return Finding("Open files", "warning", text, remedy)
    return Finding("Open files", "ok", text)


def database(config: Config) -> Finding:
    if config.database_url is None:
        import apsw

        return Finding("Database", "ok", f"SQLite {apsw.sqlite_lib_version()} in the data folder")
    with databases.connect(config.database_url) as connection:
        version = connection.info.server_version
        known = connection.execute(
            "select installed_version from pg_available_extensions where name = 'postgis'"
        ).fetchone()
    text = f"PostgreSQL {version // 10000}.{version % 10000}"
    if version < MIN_POSTGRES:
        return Finding("Database", "wrong", text, "Lakou needs PostgreSQL 15 or later")
    if known is None:
        return Finding(
            "Database", "wrong", f"{text} without PostGIS", "Debian: apt-get install postgresql-15-postgis-3"
        )
    if known[0] is None:
        remedy = "lakou migrate makes it when it may; else as superuser: create extension postgis"
        return Finding("Database", "warning", f"{text}, PostGIS is not yet in this database", remedy)
    return Finding("Database", "ok", f"{text}, PostGIS {known[0]}")


def migrations(config: Config) -> Finding:
    if config.database_url is None and not (config.data_dir / "civic.db").exists():
        return Finding("Migrations", "ok", "no databases yet; the first start makes them")
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    pending = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    connection.close()
    if pending:
        return Finding(
            "Migrations", "warning", f"{pending} to do in the civic database", "lakou migrate (serve does it)"
        )
    return Finding("Migrations", "ok", "the civic database has the shape of this version")


def tokens(config: Config) -> Finding:
    if config.database_url is None and not (config.data_dir / "civic.db").exists():
        return Finding("Tokens", "warning", "none yet: nobody may write", "lakou token create NAME --role device")
    from django.db import connection

    from lakou.identity import queries

    valid = queries.valid_tokens(datetime.now(UTC)).count()
    connection.close()
    if valid == 0:
        return Finding("Tokens", "warning", "none is valid: nobody may write", "lakou token create NAME --role device")
    return Finding("Tokens", "ok", f"{valid} valid")


def people(config: Config) -> Finding:
    if config.database_url is None and not (config.data_dir / "civic.db").exists():
        return Finding("People", "ok", "no accounts yet")
    from django.db import connection

    from lakou.identity import queries, second_factor

    found = list(queries.host_administrators())
    unready = sum(not second_factor.has_one(person) for person in found)
    have_codes = sum(queries.codes_left(person).exists() for person in found)
    connection.close()
    if not found:
        return Finding("People", "ok", "no administrator: pages can be read, nothing administered by page")
    text = f"administrators: {len(found)}"
    if unready:
        return Finding("People", "warning", f"{text}, {unready} without a second factor", "it is set up at the log-in")
    if not have_codes:
        remedy = "lakou user break-glass EMAIL, and lock the sheet away"
        return Finding("People", "warning", f"{text}, none with a break-glass sheet", remedy)
    return Finding("People", "ok", f"{text}, all with a second factor, {have_codes} with a break-glass sheet")


def clock(config: Config) -> Finding:
    program = shutil.which("timedatectl")
    if program is None:
        return Finding(
            "Clock", "unknown", "nothing here says whether it is set by NTP", "install chrony or systemd-timesyncd"
        )
    command = [program, "show", "--property=NTPSynchronized", "--value"]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False).stdout.strip()  # noqa: S603
    if answer == "yes":
        return Finding("Clock", "ok", "set by NTP")
    if answer == "no":
        return Finding("Clock", "warning", "not set by NTP", "timedatectl set-ntp true")
    return Finding("Clock", "unknown", "the system does not say whether it is set by NTP", "install chrony")


def page_files(config: Config) -> Finding:
    folder = Path(__file__).parents[1] / "web" / "static" / "vendor"
    if folder.is_dir() and any(folder.iterdir()):
        return Finding("Page files", "ok", "the font of the pages is here")
    return Finding("Page files", "warning", "the pages use the system's font", "make setup fetches Lakou's own")


PROBES: tuple[Callable[[Config], Finding], ...] = (
    python,
    data_folder,
    disk,
    secrets,
    database,
    migrations,
    tokens,
    people,
    port,
    exposure,
    open_files,
    clock,
    page_files,
)


def _subject(probe: Callable[[Config], Finding]) -> str:
    return probe.__name__.replace("_", " ").capitalize()
