"""A GeoPackage is read with SQLite alone, in three systems; a file that was made to harm is refused."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import struct
from pathlib import Path

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from lakou.kernel.errors import BadRequest, NotFound, TooLarge
from lakou.territory.layers import geopackage
from lakou.territory.layers.geopackage import read_geopackage, wkb_of

SQUARE = shapely.box(715000, 1616000, 716000, 1617000)


def blob(shape: shapely.Geometry, epsg: int, *, flags: int = 1, envelope: bytes = b"") -> bytes:
    return b"GP\0" + bytes([flags]) + struct.pack("<i", epsg) + envelope + shapely.to_wkb(shape)


def make(path: Path, epsg: int, blobs: list[bytes | None], *, name: str = "zones", organization: str = "EPSG") -> Path:
    connection = sqlite3.connect(path)
    connection.executescript(
        "create table gpkg_spatial_ref_sys (srs_name text, srs_id integer primary key, organization text,"
        " organization_coordsys_id integer, definition text);"
        "create table gpkg_contents (table_name text primary key, data_type text, srs_id integer);"
        "create table gpkg_geometry_columns (table_name text, column_name text, geometry_type_name text,"
        " srs_id integer, z tinyint, m tinyint);"
    )
    connection.execute("insert into gpkg_spatial_ref_sys values ('x', ?, ?, ?, '')", (epsg, organization, epsg))
    _add(connection, epsg, blobs, name)
    connection.commit()
    connection.close()
    return path


def _add(connection: sqlite3.Connection, epsg: int, blobs: list[bytes | None], name: str) -> None:
    connection.execute("insert into gpkg_contents values (?, 'features', ?)", (name, epsg))
    connection.execute("insert into gpkg_geometry_columns values (?, 'geom', 'POLYGON', ?, 0, 0)", (name, epsg))
    quoted = '"' + name.replace('"', '""') + '"'
    connection.execute(
        f"create table {quoted} (fid integer primary key, nom text, hauteur real, photo blob, geom blob)"
    )
    for index, one in enumerate(blobs, 1):
        row = (index * 10, f"zone {index}", 2.5, b"\x89PNG", one)
        connection.execute(f"insert into {quoted} values (?, ?, ?, ?, ?)", row)  # noqa: S608 – our own name


def test_a_table_in_metres_comes_out_in_degrees_with_its_fields(tmp_path: Path) -> None:
    found = list(read_geopackage(make(tmp_path / "a.gpkg", 5490, [blob(SQUARE, 5490), None])))
    assert [(one.number, one.own_id, one.fields) for one in found] == [
        (1, "10", {"nom": "zone 1", "hauteur": 2.5}),
        (2, "20", {"nom": "zone 2", "hauteur": 2.5}),
    ]
    centre = shapely.from_geojson(json.dumps(found[0].geometry)).centroid
    assert (centre.x, centre.y) == pytest.approx((-60.99940, 14.61322), abs=1e-4)
    assert found[1].geometry is None


def test_degrees_and_lambert_93_are_read_too(tmp_path: Path) -> None:
    (one,) = read_geopackage(make(tmp_path / "a.gpkg", 4326, [blob(shapely.Point(-61, 14.6), 4326)]))
    assert one.geometry == {"type": "Point", "coordinates": [-61.0, 14.6]}
    (one,) = read_geopackage(make(tmp_path / "b.gpkg", 2154, [blob(shapely.Point(700000, 6600000), 2154)]))
    assert one.geometry == {"type": "Point", "coordinates": [3.0, 46.5]}


def test_heights_are_dropped_and_an_envelope_is_skipped(tmp_path: Path) -> None:
    shape = shapely.from_wkt("POINT Z (-61 14.6 -1000)")
    data = blob(shape, 4326, flags=0b11, envelope=struct.pack("<4d", -61, -61, 14.6, 14.6))
    (one,) = read_geopackage(make(tmp_path / "a.gpkg", 4326, [data]))
    assert one.geometry == {"type": "Point", "coordinates": [-61.0, 14.6]}


@pytest.mark.parametrize(("epsg", "organization"), [(4559, "EPSG"), (3857, "EPSG"), (5490, "NONE")])
def test_another_system_is_refused_with_the_way_out(tmp_path: Path, epsg: int, organization: str) -> None:
    path = make(tmp_path / "a.gpkg", epsg, [blob(SQUARE, epsg)], organization=organization)
    with pytest.raises(BadRequest) as caught:
        list(read_geopackage(path))
    assert caught.value.error_code == "other_system"
    assert "ogr2ogr -t_srs EPSG:4326" in (caught.value.hint or "")


def test_with_several_tables_one_has_to_be_named(tmp_path: Path) -> None:
    path = make(tmp_path / "a.gpkg", 4326, [blob(shapely.Point(-61, 14.6), 4326)])
    with sqlite3.connect(path) as connection:
        _add(connection, 4326, [], 'autre "table"')
    connection.close()
    with pytest.raises(BadRequest, match="2 tables"):
        list(read_geopackage(path))
    assert len(list(read_geopackage(path, "zones"))) == 1
    assert list(read_geopackage(path, 'autre "table"')) == []
    with pytest.raises(NotFound):
        list(read_geopackage(path, "nothing"))


def test_a_view_in_place_of_the_table_is_not_run(tmp_path: Path) -> None:
    path = make(tmp_path / "a.gpkg", 4326, [])
    with sqlite3.connect(path) as connection:
        connection.execute("drop table zones")
        endless = "with recursive n(i) as (select 1 union all select i from n) select * from n"
        connection.execute(f"create view zones as {endless}")
    connection.close()
    with pytest.raises(BadRequest, match="no table"):
        list(read_geopackage(path))


def test_a_virtual_table_in_its_place_is_not_read(tmp_path: Path) -> None:
    path = make(tmp_path / "a.gpkg", 4326, [])
    with sqlite3.connect(path) as connection:
        connection.execute("drop table zones")
        connection.execute("create virtual table zones using fts5(geom)")
    connection.close()
    with pytest.raises(BadRequest, match="no table"):
        list(read_geopackage(path))


def test_deep_nesting_is_told_and_the_other_features_are_read(tmp_path: Path) -> None:
    header = b"GP\0\1" + struct.pack("<i", 4326)
    deep = header + (b"\1" + struct.pack("<II", 7, 1)) * 100_000 + shapely.to_wkb(shapely.Point(0, 0))
    good = blob(shapely.Point(-61, 14.6), 4326)
    found = list(read_geopackage(make(tmp_path / "a.gpkg", 4326, [deep, good])))
    assert "nested" in found[0].fault
    assert found[1].geometry == {"type": "Point", "coordinates": [-61.0, 14.6]}


def test_curves_are_told_one_by_one(tmp_path: Path) -> None:
    curve = b"GP\0\1" + struct.pack("<i", 4326) + b"\1" + struct.pack("<I", 8) + struct.pack("<I", 0)
    (one,) = read_geopackage(make(tmp_path / "a.gpkg", 4326, [curve]))
    assert one.geometry is None
    assert "CONVERT_TO_LINEAR" in one.fault or "illisible" in one.fault


def test_other_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = tmp_path / "plain.db"
    sqlite3.connect(plain).execute("create table t (a)").connection.close()
    with pytest.raises(BadRequest, match="no GeoPackage"):
        list(read_geopackage(plain))
    text = tmp_path / "text.gpkg"
    text.write_text("SQLite format 3")
    with pytest.raises(BadRequest):
        list(read_geopackage(text))
    broken = make(tmp_path / "cut.gpkg", 4326, [blob(SQUARE, 4326)] * 200)
    broken.write_bytes(broken.read_bytes()[:5000])
    with pytest.raises(BadRequest):
        list(read_geopackage(broken))
    monkeypatch.setattr(geopackage, "MAX_BYTES", 10)
    with pytest.raises(TooLarge):
        list(read_geopackage(plain))


@given(st.binary(max_size=80))
def test_any_bytes_as_a_geometry_give_wkb_or_a_value_error(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(wkb_of(data), bytes)
    geometry, fault = geopackage._geometry(b"GP\0\1\0\0\0\0" + data, 4326)
    assert (geometry is None) == bool(fault)
