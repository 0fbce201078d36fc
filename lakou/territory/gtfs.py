"""GTFS `stops.txt`, alone or inside its ZIP, to drafts of bus stops. Pure.

A ZIP is not trusted: its members are counted, their sizes read from the directory, and bytes are counted while they
are unpacked (trust R13). `location_type`, `parent_station`, `wheelchair_boarding` are kept as given. Source: GTFS.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Callable

from lakou.kernel.errors import BadRequest, TooLarge
from lakou.territory.bounds import Surroundings
from lakou.territory.drafts import Draft
from lakou.territory.findings import Finding
from lakou.territory.tables import MAX_BYTES, Row, Table, read_table

STOPS = "stops.txt"
MAX_MEMBERS = 1_000
MAX_RATIO = 100
KIND = "bus-stop"
LOCATION_TYPES = ("", "0", "1", "2", "3", "4")
_KEPT = (
    "stop_code", "zone_id", "stop_url", "location_type", "parent_station", "stop_timezone", "wheelchair_boarding",
    "level_id", "platform_code", "tts_stop_name",
)  # fmt: skip


def read_stops(data: bytes) -> Table:
    """The table of stops of a feed (ZIP) or of a bare `stops.txt`. Raises BadRequest, TooLarge."""
    table = read_table(_unpack(data) if data[:2] == b"PK" else data)
    if "stop_id" not in table.columns:
        raise BadRequest(
            "This is no stops.txt: it has no stop_id", code="file_invalid", place="header", hint="see GTFS"
        )
    return table


def _unpack(data: bytes) -> bytes:
    if len(data) > MAX_BYTES:
        raise TooLarge(f"The feed is above {MAX_BYTES // 2**20} MiB", hint="give its stops.txt alone")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            if len(members) > MAX_MEMBERS:
                raise TooLarge(f"The ZIP has more than {MAX_MEMBERS} members")
            # Some feeds put everything into one folder: that is told by validators, and read here.
            found = [one for one in members if one.filename.rpartition("/")[2] == STOPS]
            if len(found) != 1:
                raise BadRequest(f"The ZIP holds {len(found)} {STOPS}, one is needed", code="file_invalid")
            if found[0].file_size > MAX_BYTES or found[0].file_size > max(found[0].compress_size, 1) * MAX_RATIO:
                raise TooLarge(f"{STOPS} unpacks to too much", hint="give it alone, unpacked")
            with archive.open(found[0]) as member:
                # The directory may lie about the size: never more than the bound is taken.
                stops = member.read(MAX_BYTES + 1)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError) as error:
        raise BadRequest(f"The ZIP cannot be read: {error}"[:200], code="file_invalid") from None
    if len(stops) > MAX_BYTES:
        raise TooLarge(f"{STOPS} unpacks to too much", hint="give it alone, unpacked")
    return stops


def read_stop(source: Row, around: Surroundings | None = None) -> tuple[Draft | None, list[Finding]]:
    """One stop as a draft, None when an error keeps it out."""
    found: list[Finding] = []

    def tell(column: str, code: str, value: str = "", hint: str = "") -> None:
        found.append(Finding(source.number, column, code, value[:200], hint))

    if source.fault:
        tell("", "row", source.fault)
        return None, found
    cells = {name: value.strip() for name, value in source.cells.items()}
    stop_id, name, kind = (cells.get(key, "") for key in ("stop_id", "stop_name", "location_type"))
    if not stop_id:
        tell("stop_id", "missing")
    elif len(stop_id) > 200:
        tell("stop_id", "too_long", stop_id)
    if kind not in LOCATION_TYPES:
        tell("location_type", "enumeration", kind, "de 0 à 4")
    # GTFS wants a name and a position of stops, stations and entrances only.
    is_named = kind in ("", "0", "1", "2")
    if not name and is_named:
        tell("stop_name", "missing")
    elif len(name) > 300:
        tell("stop_name", "too_long", name)
    position = _position(cells, tell, wanted=is_named)
    if position and around is not None and not around.holds(*position):
        longitude, latitude = position
        code = "swapped" if around.holds(latitude, longitude) else "outside"
        tell("stop_lat", code, f"{latitude}, {longitude}", f"le territoire : {around.name}")
    if any(finding.severity == "error" for finding in found):
        return None, found
    draft = Draft(
        kind=KIND,
        name=name or stop_id,
        source_id=stop_id,
        longitude=position[0] if position else None,
        latitude=position[1] if position else None,
        description=cells.get("stop_desc", ""),
        properties={key: cells[key] for key in _KEPT if cells.get(key)},
        raw={"form": "gtfs", "cells": source.cells},
    )
    return draft, found


def _position(cells: dict[str, str], tell: Callable[..., None], *, wanted: bool) -> tuple[float, float] | None:
    """Longitude and latitude, None when missing or wrong; what is wrong is told."""
    numbers: list[float] = []
    for column, bound in (("stop_lon", 180), ("stop_lat", 90)):
        text = cells.get(column, "")
        try:
            number = float(text) if text else math.nan
        except ValueError:
            number = math.inf
        if text and not math.isfinite(number):
            tell(column, "number", text)
        elif text and abs(number) > bound:
            tell(column, "range", text, f"entre −{bound} et {bound}")
        elif text:
            numbers.append(number)
        elif wanted:
            tell(column, "no_position")
    if bool(cells.get("stop_lon")) != bool(cells.get("stop_lat")):
        tell("stop_lat", "half_position")
    if len(numbers) == 2 and numbers != [0.0, 0.0]:
        return numbers[0], numbers[1]
    if numbers == [0.0, 0.0]:
        tell("stop_lat", "null_island")
    return None
