"""How connections to PostgreSQL are opened: signs of life, time-outs, and a short rest after a failure.

A server that vanishes (power, network) is noticed within seconds, also in the middle of an answer: keep-alives find
one that is silent, `tcp_user_timeout` one that does not take what is sent. What the URL says comes first.
"""

from __future__ import annotations

import threading
import time
from typing import Any

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from lakou.sensorthings.store import postgres_types

SCHEMA = "observations"
BROKEN = (errors.OperationalError, errors.InterfaceError)
"""What a connection raises that is lost, or whose server cannot answer now."""
REST_S = 0.25
"""After an attempt that failed nobody tries again for so long: those who wait are told at once."""
_LIFE = {
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 3,
    "keepalives_interval": 2,
    "keepalives_count": 2,
    "tcp_user_timeout": 7_000,
}
_SETTINGS = (f"search_path={SCHEMA},public", "timezone=UTC", "jit=off")


class Connector:
    """Opens connections to one database; any thread may ask."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._rest_until = 0.0

    def open(self, *settings: str) -> psycopg.Connection[Any]:
        """A connection in autocommit with these settings. Raises OperationalError, at once while resting."""
        if time.monotonic() < self._rest_until:
            raise errors.OperationalError("PostgreSQL could not be reached a moment ago")
        given: dict[str, Any] = {**_LIFE, **conninfo_to_dict(self._url)}
        given["options"] = " ".join(
            [str(given.pop("options", "")), *(f"-c {s}" for s in (*_SETTINGS, *settings))]
        ).strip()
        try:
            connection = psycopg.connect(make_conninfo("", **given), autocommit=True)
        except errors.OperationalError:
            with self._lock:
                self._rest_until = time.monotonic() + REST_S
            raise
        postgres_types.register(connection)
        return connection
