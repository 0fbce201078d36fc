"""GeoPackage to features, with Python's own SQLite: one table of features in a system that we can turn into degrees.

The file is not trusted: opened read only and immutable, no view is run, blobs, time and nesting are bounded.
Source: OGC 12-128r19 (gpkg_contents, gpkg_geometry_columns, §2.1.3 GeoPackageBinary).
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
import shapely
from shapely.errors import ShapelyError

from lakou.kernel.errors import BadRequest, NotFound, TooLarge
from lakou.territory.layers.features import RawFeature
from lakou.territory.layers.projection import SYSTEMS, to_degrees
from lakou.territory.layers.wkb import check_wkb

MAX_BYTES = 2 * 2**30
MAX_BLOB = 32 * 2**20
MAX_SECONDS = 300.0
MAGIC = b"SQLite format 3\0"
_ENVELOPES = {0: 0, 1: 32, 2: 48, 3: 48, 4: 64}


def read_geopackage(path: Path, table: str = "") -> Iterator[RawFeature]:
    """The features of a GeoPackage's table of that name, or of its only one. Raises BadRequest, NotFound, TooLarge."""
    if path.stat().st_size > MAX_BYTES:
        raise TooLarge("The file is above 2 GiB", hint="cut it to the territory first: ogr2ogr -spat")
    with contextlib.closing(_open(path)) as connection:
        try:
            name, column, epsg = _table(connection, table)
            yield from _rows(connection, name, column, epsg)
        except sqlite3.Error as error:
            raise _refuse(f"the GeoPackage cannot be read: {error}"[:200]) from None


def _open(path: Path) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(path.absolute().as_uri() + "?mode=ro&immutable=1", uri=True)
        connection.execute("pragma trusted_schema = off")
        connection.execute("pragma query_only = on")
    except sqlite3.Error as error:
        raise _refuse(f"the file cannot be opened: {error}"[:200]) from None
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_BLOB)
    until = time.monotonic() + MAX_SECONDS
    connection.set_progress_handler(lambda: time.monotonic() > until, 100_000)
    return connection


def _table(connection: sqlite3.Connection, wanted: str) -> tuple[str, str, int]:
    """Name, geometry column and EPSG code of the table to read."""
    if not connection.execute("select 1 from sqlite_master where name = 'gpkg_contents' and type = 'table'").fetchone():
        raise _refuse("this SQLite file is no GeoPackage: it has no gpkg_contents")
    found = connection.execute(
        "select g.table_name, g.column_name, s.organization, s.organization_coordsys_id"
        " from gpkg_contents c join gpkg_geometry_columns g on g.table_name = c.table_name"
        " join gpkg_spatial_ref_sys s on s.srs_id = g.srs_id where c.data_type = 'features' order by 1"
    ).fetchall()
    names = [str(row[0]) for row in found]
    if wanted and wanted not in names:
        raise NotFound(f"The GeoPackage has no table {wanted}", place="--table", hint=_few(names))
    if not wanted and len(found) != 1:
        raise BadRequest(
            f"The GeoPackage has {len(found)} tables of features", code="which_table", place="--table", hint=_few(names)
        )
    name, column, organization, code = found[names.index(wanted) if wanted else 0]
    # A view would run what the file's author wrote, a virtual table code over data that the author made.
    made = connection.execute("select type, sql from sqlite_master where name = ?", (name,)).fetchone()
    if made is None or made[0] != "table" or "virtual" in str(made[1]).lower().split()[:2]:
        raise _refuse(f"{name} is no table")
    if str(organization).upper() != "EPSG" or code not in SYSTEMS:
        known = ", ".join(f"EPSG:{known}" for known in SYSTEMS)
        raise BadRequest(
            f"The table {name} is in the system {organization}:{code}, which is not read here",
            code="other_system",
            place=name,
            hint=f"read are {known}. ogr2ogr -t_srs EPSG:4326 new.gpkg old.gpkg {name}",
        )
    return str(name), str(column), int(code)


def _few(names: list[str]) -> str:
    return "--table one of: " + ", ".join(names[:20]) if names else "it holds no table of features"


def _rows(connection: sqlite3.Connection, name: str, column: str, epsg: int) -> Iterator[RawFeature]:
    quoted = '"' + name.replace('"', '""') + '"'
    columns = connection.execute(f"pragma table_info({quoted})").fetchall()
    primary = next((row[1] for row in columns if row[5] == 1), None)
    cursor = connection.execute(f"select * from {quoted}")  # noqa: S608 – the name is quoted
    heads = [head[0] for head in cursor.description]
    for number, row in enumerate(cursor, 1):
        cells = dict(zip(heads, row, strict=True))
        blob = cells.pop(column, None)
        own_id = cells.pop(primary, None) if primary else None
        geometry, fault = _geometry(blob, epsg)
        fields = {key: _plain(value) for key, value in cells.items() if not isinstance(value, bytes)}
        yield RawFeature(number, "" if own_id is None else str(own_id), fields, geometry, fault)


def _plain(value: Any) -> Any:
    """A cell as JSON can hold it: no infinite number, no null character."""
    if isinstance(value, float) and not numpy.isfinite(value):
        return None
    return value.replace("\0", "") if isinstance(value, str) else value


def _geometry(blob: object, epsg: int) -> tuple[dict[str, Any] | None, str]:
    """GeoJSON of a GeoPackageBinary value, and why there is none."""
    if blob is None:
        return None, "pas de géométrie"
    try:
        wkb = wkb_of(blob)
        check_wkb(wkb)
        shape = shapely.from_wkb(wkb)
        shape = to_degrees(shapely.force_2d(shape), epsg)
        if not numpy.isfinite(shapely.get_coordinates(shape)).all():
            return None, "une coordonnée n'est pas un nombre fini"
        found: dict[str, Any] = json.loads(shapely.to_geojson(shape))
    except NotImplementedError:
        return None, "les courbes ne sont pas lues : ogr2ogr -nlt CONVERT_TO_LINEAR"
    except (ShapelyError, ValueError, TypeError, struct.error) as error:
        return None, f"géométrie illisible : {error}"[:200]
    return found, ""


def wkb_of(blob: object) -> bytes:
    """The WKB inside a GeoPackageBinary value. Raises ValueError."""
    if not isinstance(blob, bytes) or len(blob) < 8 or blob[:2] != b"GP":
        raise ValueError("no GeoPackageBinary")
    version, flags = blob[2], blob[3]
    envelope = _ENVELOPES.get((flags >> 1) & 0b111)
    if version != 0 or envelope is None or flags & 0b100000:
        raise ValueError("an unknown version of GeoPackageBinary")
    return blob[8 + envelope :]


def _refuse(message: str) -> BadRequest:
    return BadRequest(message, code="file_invalid", hint="see docs/how-to/import-layers.md")
