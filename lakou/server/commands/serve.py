"""`lakou serve`, `lakou migrate`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from rich.console import Console

from lakou.server import compose, databases, processes
from lakou.server.commands import options
from lakou.server.config import Config
from lakou.territory.profile import load_profile

err = Console(stderr=True, highlight=False)


def serve(
    host: options.Host = None,
    port: options.Port = None,
    mqtt_port: options.MqttPort = None,
    data: options.Data = None,
    database_url: options.DatabaseUrl = None,
    workers: options.Workers = None,
    role: options.Role = None,
    log_format: options.LogFormat = None,
    trusted_proxy: options.TrustedProxy = None,
    config: options.ConfigFile = None,
) -> None:
    """Serve pages and the SensorThings API until stopped (Ctrl-C, or SIGTERM)."""
    found = options.read(
        config,
        host=host,
        port=port,
        mqtt_port=mqtt_port,
        data_dir=data,
        database_url=database_url,
        workers=workers,
        role=role,
        log_format=log_format,
        trusted_proxies=trusted_proxy or None,
    )
    start(found)


def start(config: Config, beside: Callable[[], AbstractContextManager[None]] = nullcontext) -> None:
    """Take the ports and the data folder, migrate, serve. The ports come first: a taken one is known at once.

    `beside` is entered once all that is sure, and left when the server has stopped.
    """
    load_profile(config.territory)  # every page needs it: a wrong one is told now
    with processes.bind(config.host, config.port) as listener:
        processes.check_mqtt_port(config)
        compose.load_django(config)
        with databases.only_server(config, processes.address(config)):
            compose.migrate(config)
            with beside():
                processes.run(config, listener)


def migrate(
    data: options.Data = None, database_url: options.DatabaseUrl = None, config: options.ConfigFile = None
) -> None:
    """Bring both databases to this version's shape (serve and demo do it by themselves)."""
    found = options.read(config, data_dir=data, database_url=database_url)
    with err.status("Migrating"):
        done = compose.migrate(found)
    for line in done:
        err.print(line, markup=False)
