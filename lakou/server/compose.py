"""Puts the parts of one process together: configuration → Django, tokens, service, dispatcher."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lakou.server import config as configuration
from lakou.server import databases, logs, secretfile

if TYPE_CHECKING:
    from lakou.sensorthings.service import Service
    from lakou.server.asgi import Dispatcher
    from lakou.server.config import Config

SETTINGS = "lakou.server.settings"


def load_django(config: Config) -> None:
    """Make the data folder and its secrets, and load Django with this configuration. Safe to call again."""
    import django  # noqa: PLC0415

    configuration.install(config)
    secretfile.ensure(config.data_dir)
    os.environ["DJANGO_SETTINGS_MODULE"] = SETTINGS
    django.setup()


def make_service(config: Config) -> Service:
    """The SensorThings service over this configuration's store, asking the tokens for rights. Needs Django loaded."""
    from lakou.identity import authority  # noqa: PLC0415
    from lakou.sensorthings.service import Service, ServiceConfig  # noqa: PLC0415

    tokens = authority.TokenAuthority()
    authority.install(tokens)
    store = ServiceConfig(data_dir=config.data_dir, database_url=config.database_url, base_url=config.base_url)
    return Service(store, tokens)


def migrate(config: Config) -> list[str]:
    """Bring both databases to this version's shape, one process at a time. Gives what was done, in words.

    Raises Unavailable when a database cannot be reached or has no PostGIS.
    """
    from django.core.management import call_command  # noqa: PLC0415
    from django.db import connection  # noqa: PLC0415

    load_django(config)
    with databases.migration_lock(config):
        if config.database_url is not None:
            databases.make_civic_schema(config.database_url)
        call_command("migrate", interactive=False, verbosity=0)
        connection.close()
        make_service(config).migrate()
    where = "PostgreSQL" if config.is_postgres else str(config.data_dir)
    return [f"civic data and observations are up to date in {where}"]


def create() -> Dispatcher:
    """The application factory that uvicorn calls in each process."""
    config = configuration.current()
    logs.set_up(config)
    load_django(config)
    service = make_service(config)

    from lakou.identity import authority  # noqa: PLC0415
    from lakou.server.asgi import Dispatcher  # noqa: PLC0415

    return Dispatcher(config, service, authority.current())
