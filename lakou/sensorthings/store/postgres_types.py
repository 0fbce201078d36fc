"""How PostgreSQL values travel: timestamptz as integer micros both ways, binary."""

from __future__ import annotations

import struct
from typing import Any

import psycopg
from psycopg.adapt import Buffer, Dumper, Loader
from psycopg.pq import Format

from lakou.sensorthings.sql.dialect import Micros
from lakou.sensorthings.store.postgres_copy import EPOCH_2000

_TIMESTAMPTZ = 1184
_pack = struct.Struct(">q").pack
_unpack = struct.Struct(">q").unpack


class _MicrosDumper(Dumper):
    oid = _TIMESTAMPTZ
    format = Format.BINARY

    def dump(self, obj: Any) -> Buffer:
        return _pack(obj - EPOCH_2000)


class _MicrosLoader(Loader):
    format = Format.BINARY

    def load(self, data: Buffer) -> int:
        found: int = _unpack(data)[0] + EPOCH_2000
        return found


def register(connection: psycopg.Connection[Any]) -> None:
    """Make a connection send `Micros` and give micros."""
    connection.adapters.register_dumper(Micros, _MicrosDumper)
    connection.adapters.register_loader(_TIMESTAMPTZ, _MicrosLoader)
