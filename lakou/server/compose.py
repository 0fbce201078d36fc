"""Puts the parts of one process together: configuration → Django, tokens, service, dispatcher."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import msgspec

from lakou.kernel.errors import BadRequest, Unavailable
from lakou.kernel.time import parse_duration
from lakou.sensorthings.limits import Limits
from lakou.server import config as configuration
from lakou.server import databases, logs, secretfile

if TYPE_CHECKING:
    from lakou.sensorthings.service import Service
    from lakou.sensorthings.store.retention import Policy
    from lakou.server.asgi import Dispatcher
    from lakou.server.config import Config

SETTINGS = "lakou.server.settings"
DAY_US = 86_400_000_000
# A commit takes the interpreter's lock several times; beside a busy loop each time may wait this long (default 5 ms).
SWITCH_S = 0.0005


def load_django(config: Config) -> None:
    """Make the data folder and its secrets, and load Django with this configuration. Safe to call again."""
    import django

    configuration.install(config)
    secretfile.ensure(config.data_dir)
    os.environ["DJANGO_SETTINGS_MODULE"] = SETTINGS
    django.setup()


def make_service(config: Config) -> Service:
    """The SensorThings service over this configuration's store: tokens give rights, the journal is told of acts.

    Needs Django loaded.
    """
    from lakou.identity import authority
    from lakou.identity.journal.witness import JournalWitness
    from lakou.sensorthings.service import Service, ServiceConfig

    tokens = authority.TokenAuthority()
    authority.install(tokens)
    store = ServiceConfig(
        data_dir=config.data_dir,
        database_url=config.database_url,
        base_url=config.base_url,
        limits=read_limits(config),
        retention=read_retention(config),
    )
    return Service(store, tokens, JournalWitness())


def read_retention(config: Config) -> Policy:
    """What `[retention]` of lakou.toml says. Raises BadRequest."""
    from lakou.sensorthings.store.retention import Keep, Policy

    table = dict(config.table("retention"))
    applies = table.pop("apply", False)
    kept: dict[str, int] = {}
    for name, text in table.items():
        place = f"retention.{name}"
        if name not in Keep.__struct_fields__ or not isinstance(text, str):
            raise BadRequest(
                f"There is no retention {name!r}" if name not in Keep.__struct_fields__ else f"{place} is no duration",
                place=place,
                hint='raw, hourly and daily are durations such as "P730D"; apply is true or false',
                code="configuration",
            )
        kept[name] = parse_duration(text)
        if kept[name] < DAY_US:
            raise BadRequest(f"{place} is shorter than a day", place=place, code="configuration")
    if not isinstance(applies, bool):
        raise BadRequest("retention.apply is true or false", place="retention.apply", code="configuration")
    return Policy(Keep(**kept), applies)


def read_limits(config: Config) -> Limits:
    """The bounds of the data plane, with what `[limits]` of lakou.toml changes. Raises BadRequest."""
    table = dict(config.table("limits"))
    if unknown := set(table) - set(Limits.__struct_fields__):
        raise BadRequest(
            f"There is no limit {min(unknown)!r}",
            place=f"limits.{min(unknown)}",
            hint="known ones: " + ", ".join(Limits.__struct_fields__),
            code="configuration",
        )
    try:
        limits = msgspec.convert(table, Limits)
    except msgspec.ValidationError as error:
        raise BadRequest(
            f"A limit cannot be used: {error}",
            place="limits",
            hint="see docs/reference/configuration.md",
            code="configuration",
        ) from None
    for name in table:
        value = getattr(limits, name)
        # Only rates know 0: it turns them off. Written so that NaN, which TOML can say, is refused too.
        if not (value > 0 or (value == 0 and name.startswith("rate_"))):
            raise BadRequest(
                f"The limit {name} must be above 0",
                place=f"limits.{name}",
                hint="leave it out for the default",
                code="configuration",
            )
    return limits


def migrate(config: Config) -> list[str]:
    """Bring both databases to this version's shape, one process at a time. Gives what was done, in words.

    Raises Unavailable when a database cannot be reached or has no PostGIS.
    """
    migrate_civic(config)
    with databases.migration_lock(config):
        make_service(config).migrate()
    return ["The civic data and the observations have the shape of this version."]


def migrate_civic(config: Config) -> None:
    """Load Django and bring its database to this version's shape: all that commands on tokens need."""
    from django.core.management import call_command
    from django.db import OperationalError, connection

    load_django(config)
    with databases.migration_lock(config):
        if config.database_url is not None:
            databases.make_civic_schema(config.database_url)
        try:
            call_command("migrate", interactive=False, verbosity=0)
        except OperationalError as error:
            raise Unavailable(
                "The civic database cannot be used", place="LAKOU_DATA", hint="lakou doctor tells more"
            ) from error
        finally:
            connection.close()


@contextlib.asynccontextmanager
async def passing_token(name: str, role: str) -> AsyncIterator[str]:
    """A token that is revoked at the end, for a command that asks the running server."""
    from lakou.identity import actions

    made = await asyncio.to_thread(actions.create_token, name=name, role=role)
    try:
        yield made.text
    finally:
        await asyncio.to_thread(actions.revoke_token, name=name)


def create() -> Dispatcher:
    """The application factory that uvicorn calls in each process."""
    config = configuration.current()
    sys.setswitchinterval(SWITCH_S)
    logs.set_up(config)
    load_django(config)
    if config.database_url is not None:
        databases.share_connections()
    service = make_service(config)

    from lakou.identity import authority
    from lakou.server.asgi import Dispatcher

    return Dispatcher(config, service, authority.current())
