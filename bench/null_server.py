"""`python -m bench.null_server --port P --mqtt-port Q --data DIR`: `lakou serve` on the null database.

Only the observation store is another one; dispatcher, guard, tokens, uvicorn's settings are the product's own.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from unittest.mock import patch

from bench.null_database import NullDatabase
from lakou.sensorthings.access import Authority
from lakou.sensorthings.service import Service, ServiceConfig
from lakou.sensorthings.store.sqlite import SQLiteDatabase
from lakou.server import compose, config
from lakou.server.commands import serve


class NullService(Service):
    """The service without a store."""

    def __init__(self, config: ServiceConfig, authority: Authority) -> None:
        super().__init__(config, authority)
        assert isinstance(self._database, SQLiteDatabase)  # noqa: S101  the only one it can be without a URL
        self._database = NullDatabase(self._database.path)

    def migrate(self) -> None:
        """Nothing: the file comes from a template."""


def make_service(configuration: config.Config) -> Service:
    """In place of `compose.make_service`."""
    from lakou.identity import authority

    tokens = authority.TokenAuthority()
    authority.install(tokens)
    return NullService(ServiceConfig(data_dir=configuration.data_dir, base_url=configuration.base_url), tokens)


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description="The server without a database")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--mqtt-port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True)
    given = parser.parse_args()
    with patch.object(compose, "make_service", make_service):
        ports = {"port": given.port, "mqtt_port": given.mqtt_port}
        serve.start(config.load(ports | {"data_dir": given.data}, environ={}))


if __name__ == "__main__":
    main()
