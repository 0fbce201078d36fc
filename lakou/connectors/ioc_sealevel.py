"""IOC Sea Level Station Monitoring Facility: tide gauges of the world, read from its JSON and HTML answers.

Levels are relative to each station's own zero, which the service does not give. Errors come with HTTP status 200.
Rows with the same time and value are one Observation; two values at one time are both kept, as received.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import parse_qs, urlencode, urlsplit

from lakou.connectors.guard import Get, fetch_each
from lakou.connectors.reading import (
    NO_OPTIONS,
    UNKNOWN_UNIT,
    Datastream,
    Json,
    Location,
    Meta,
    Observation,
    ObservedProperty,
    Options,
    Reading,
    Sensor,
    Thing,
    Unit,
    is_number,
)
from lakou.kernel.errors import BadRequest, LakouError
from lakou.kernel.jsontext import decode
from lakou.kernel.time import HOUR, format_instant, now, parse_instant

SERVICE = "https://www.ioc-sealevelmonitoring.org/service.php"

META = Meta(
    name="ioc_sealevel",
    title="IOC Sea Level Station Monitoring Facility (VLIZ)",
    licence="Real-time data without quality control; terms to be checked with the service and the station's "
    "operator before republishing; credit IOC/VLIZ",
    period_s=300,
    region="World, one station code each",
    grade="silver",
    home="https://www.ioc-sealevelmonitoring.org/",
    formats=("JSON (`service.php?query=data`)", "HTML (`bgraph.php?output=tab`)"),
    options={
        "stations": "codes, or tables with `code` and optional `name`, `longitude`, `latitude`",
        "window_h": "hours asked for at each run, 1 to 720 (default 3)",
    },
)

METRE = Unit("metre", "m", "http://www.opengis.net/def/uom/UCUM/m")
_UNITS = {
    "m": METRE,
    "V": Unit("volt", "V", "http://www.opengis.net/def/uom/UCUM/V"),
    "min": Unit("minute", "min", "http://www.opengis.net/def/uom/UCUM/min"),
}
# Sensor codes of the service that measure the level of the sea, in metres, with the words for people.
_LEVEL = {
    "aqu": "capteur acoustique",
    "bub": "capteur à bulles",
    "bwl": "capteur à bulles de secours",
    "ecs": "capteur acoustique à ultrasons",
    "enb": "codeur de secours",
    "enc": "codeur",
    "flt": "flotteur",
    "pr1": "capteur de pression 1",
    "pr2": "capteur de pression 2",
    "prs": "capteur de pression",
    "pwl": "capteur principal",
    "ra2": "radar 2",
    "ra3": "radar 3",
    "rad": "radar",
    "ras": "radar",
    "stp": "capteur à pas",
    "wls": "capteur de niveau",
}
_OTHER_UNITS = {"bat": "V", "sw1": "min", "sw2": "min"}
_STATION = re.compile(r"[a-z0-9]{3,8}")
_SENSOR = re.compile(r"[a-z0-9]{2,8}")
_FILE_NAME = re.compile(r"_([a-z0-9]{3,8})_\d{8}(?:\.[a-z]+)?$")
_SEA_LEVEL = ObservedProperty(
    key="ioc:sea-level",
    name="Niveau de la mer",
    definition="http://vocab.nerc.ac.uk/standard_name/sea_surface_height_above_reference_datum/",
    description="Hauteur de la surface de la mer au-dessus du zéro propre à la station, non rattaché.",
)


@dataclass(frozen=True, slots=True)
class _Row:
    sensor: str
    time: int
    level: float
    unit: str | None


async def fetch(get: Get, options: Options) -> tuple[tuple[str, bytes | LakouError], ...]:
    """One JSON document for each configured station, or the error in its place."""
    window = options.get("window_h", 3)
    if not is_number(window) or not 1 <= window <= 720:
        raise BadRequest("The window is not a number of hours.", place="window_h", hint="Give 1 to 720 hours.")
    stop = now()
    return await fetch_each(get, [_address(code, stop - round(window * HOUR), stop) for code in _stations(options)])


def read(data: bytes, origin: str = "", options: Options = NO_OPTIONS) -> Reading:
    """The levels in one answer of the service, JSON or HTML.

    The station's code is `code=` in the URL, or `_CODE_YYYYMMDD.json` in a file name: the answer does not hold it.
    """
    code = _station_code(origin)
    text = data.lstrip()
    rows, title, notes = _read_html(text) if text[:1] == b"<" else _read_json(text)
    if not rows:
        return Reading(notes=(*notes, f"station {code}: no level in this answer"))
    known = _stations(options).get(code, {}) if options.get("stations") else {}
    thing = _thing(code, str(known.get("name") or title or code), known, rows)
    unique = {(row.sensor, row.time, row.level): row for row in rows}
    if len(unique) < len(rows):
        notes = (*notes, f"station {code}: {len(rows) - len(unique)} rows repeat another one")
    observations = tuple(
        Observation(datastream=f"ioc:{code}:{row.sensor}", phenomenon_time=row.time, result=row.level)
        for row in unique.values()
    )
    return Reading(things=(thing,), observations=observations, notes=notes)


def _address(code: str, start: int, stop: int) -> str:
    stamps = {"timestart": format_instant(start)[:19], "timestop": format_instant(stop)[:19]}
    return f"{SERVICE}?{urlencode({'query': 'data', 'code': code, **stamps})}"


def _stations(options: Options) -> dict[str, Mapping[str, Json]]:
    """Configured stations by code. Raises BadRequest when there is none or one cannot be read."""
    listed = options.get("stations")
    if not isinstance(listed, (list, tuple)) or not listed:
        raise BadRequest("No station is configured.", place="stations", hint='Set stations = ["ftfr"].')
    out: dict[str, Mapping[str, Json]] = {}
    for index, entry in enumerate(listed):
        table = entry if isinstance(entry, Mapping) else {"code": entry}
        code = str(table.get("code", "")).lower()
        if not _STATION.fullmatch(code):
            raise BadRequest("This is not a station code.", place=f"stations/{index}", hint="A code such as ftfr.")
        out[code] = table
    return out


def _station_code(origin: str) -> str:
    codes = parse_qs(urlsplit(origin).query).get("code")
    named = _FILE_NAME.search(origin.lower())
    code = codes[0].lower() if codes else named[1] if named else ""
    if not _STATION.fullmatch(code):
        raise BadRequest(
            "The station of this document is not known.",
            place="origin",
            hint="Name the file …_CODE_YYYYMMDD.json, for example ioc_ftfr_20261101.json.",
        )
    return code


def _read_json(text: bytes) -> tuple[list[_Row], str, tuple[str, ...]]:
    listed = decode(text)
    if not isinstance(listed, list):
        raise BadRequest("A list of levels is expected.", place="/", code="source_form")
    rows, left_out = [], 0
    for index, entry in enumerate(listed):
        if isinstance(entry, dict) and "error" in entry:
            raise BadRequest(
                f"The source answers: {str(entry['error'])[:120]}",
                place=f"/{index}/error",
                hint="Check the station code.",
                code="source_error",
            )
        row = _json_row(entry)
        if row is None:
            left_out += 1
        else:
            rows.append(row)
    return rows, "", _left_out(left_out)


def _json_row(entry: Json) -> _Row | None:
    """None when the sensor, the time or the level is missing or no number: a gap, not a zero."""
    if not isinstance(entry, dict):
        return None
    sensor = str(entry.get("sensor", "")).strip().lower()
    time = _time(str(entry.get("stime", "")))
    level = entry.get("slevel")
    if time is None or not is_number(level) or not _SENSOR.fullmatch(sensor):
        return None
    return _Row(sensor, time, level, "m" if sensor in _LEVEL else _OTHER_UNITS.get(sensor))


class _Table(HTMLParser):
    """Cells of the one table of `bgraph.php`, row by row, and its title."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.title = ""
        self._in: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in = tag
        if tag == "tr":
            self.rows.append([])
        elif tag == "td" and self.rows:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self._in = None

    def handle_data(self, data: str) -> None:
        if self._in == "th":
            self.title += data
        elif self._in == "td" and self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


def _read_html(text: bytes) -> tuple[list[_Row], str, tuple[str, ...]]:
    table = _Table()
    table.feed(text.decode("utf-8", "replace"))
    table.close()
    columns: list[tuple[str, str | None] | None] = []
    rows, left_out = [], 0
    for cells in table.rows:
        if cells and cells[0].strip().lower().startswith("time"):
            columns = [_column(cell) for cell in cells[1:]]
            continue
        time = _time(cells[0]) if cells else None
        for column, cell in zip(columns, cells[1:], strict=False):
            level = _number(cell)
            if column is None or not cell.strip():
                continue
            if time is None or level is None:
                left_out += 1
                continue
            rows.append(_Row(column[0], time, level, column[1]))
    if not columns:
        raise BadRequest("No table of levels is found in this page.", place="/", code="source_form")
    return rows, table.title.strip()[:200], _left_out(left_out)


def _column(cell: str) -> tuple[str, str | None] | None:
    """Sensor and unit of a heading such as `rad(m)`."""
    found = re.fullmatch(r"\s*([A-Za-z0-9]{2,8})\s*(?:\(([^)]*)\))?\s*", cell)
    return (found[1].lower(), found[2]) if found else None


def _time(text: str) -> int | None:
    """`2022-08-31 21:36:45 ` (UTC, a trailing blank occurs) in microseconds."""
    try:
        return parse_instant(text.strip().replace(" ", "T") + "Z")
    except BadRequest:
        return None


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if is_number(value) else None


def _left_out(count: int) -> tuple[str, ...]:
    return (f"{count} rows without a readable time, sensor or level are left out",) if count else ()


def _thing(code: str, name: str, known: Mapping[str, Json], rows: Iterable[_Row]) -> Thing:
    units = {row.sensor: row.unit for row in rows}
    longitude, latitude = known.get("longitude"), known.get("latitude")
    location = None
    if is_number(longitude) and is_number(latitude):
        location = Location(name, "Position donnée par la configuration.", _point(longitude, latitude))
    return Thing(
        key=f"ioc:{code}",
        name=name,
        description="Marégraphe suivi par le réseau mondial de la COI (UNESCO), données temps réel non validées.",
        datastreams=tuple(_datastream(code, name, sensor, unit) for sensor, unit in sorted(units.items())),
        location=location,
        properties={"ioc_code": code, "source": META.home, "licence": META.licence},
    )


def _point(longitude: float, latitude: float) -> Mapping[str, Json]:
    return {"type": "Point", "coordinates": [longitude, latitude]}


def _datastream(code: str, station: str, sensor: str, unit: str | None) -> Datastream:
    level = sensor in _LEVEL
    words = _LEVEL.get(sensor, f"capteur {sensor}")
    measured = _SEA_LEVEL if level else _other(sensor)
    return Datastream(
        key=f"ioc:{code}:{sensor}",
        name=f"{measured.name} ({words})",
        description=f"{station}, {words} ; zéro de la station, données non validées."
        if level
        else f"{station}, {words}.",
        observed_property=measured,
        sensor=Sensor(f"ioc:{code}:{sensor}", f"{station}, {words}", "Capteur d'un marégraphe.", META.home),
        unit=_UNITS.get(unit or "", UNKNOWN_UNIT),
    )


def _other(sensor: str) -> ObservedProperty:
    return ObservedProperty(
        key=f"ioc:{sensor}",
        name=f"Voie « {sensor} »",
        definition=META.home,
        description="Voie auxiliaire d'un marégraphe, telle que la source la nomme.",
    )
