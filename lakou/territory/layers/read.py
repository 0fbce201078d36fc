"""One file of zones to checked features, by what its first bytes say it is. Reading is all the input done here."""

from __future__ import annotations

import hashlib
from pathlib import Path

from lakou.kernel.errors import BadRequest, NotFound, TooLarge
from lakou.territory.bounds import Surroundings
from lakou.territory.layers import geojson, geopackage
from lakou.territory.layers.features import Checked, FieldNames, check_features

CHUNK = 2**20


def read_layer(
    path: Path, names: FieldNames, *, table: str = "", around: Surroundings | None = None
) -> tuple[Checked, str]:
    """The features of a GeoJSON or GeoPackage file, and the SHA-256 of its bytes.

    Raises NotFound when it is not there, BadRequest and TooLarge when it cannot be read at all.
    """
    try:
        if path.exists() and not path.is_file():  # a pipe or a device has no end
            raise NotFound(f"{path} is no file", place="FILE", hint="give a file")
        with path.open("rb") as file:
            head = file.read(len(geopackage.MAGIC))
        digest = _digest(path)
        if head == geopackage.MAGIC:
            return check_features(geopackage.read_geopackage(path, table), names, around), digest
        if path.stat().st_size > geojson.MAX_BYTES:
            raise TooLarge(f"The file is above {geojson.MAX_BYTES // 2**20} MiB", hint="make a GeoPackage of it")
        data = path.read_bytes()
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror}", place="FILE", hint="check the path") from None
    if data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] != b"{":
        hint = "a shapefile or another form: ogr2ogr -t_srs EPSG:4326 new.gpkg old.shp"
        raise BadRequest("This is neither GeoJSON nor a GeoPackage", code="file_invalid", place="FILE", hint=hint)
    return check_features(geojson.read_geojson(data), names, around), digest


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(CHUNK):
            digest.update(piece)
    return digest.hexdigest()
