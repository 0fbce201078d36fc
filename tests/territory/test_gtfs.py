"""GTFS stops are read alone or from a ZIP; a ZIP that was made to harm is refused before it is unpacked."""

from __future__ import annotations

import io
import zipfile

import pytest

from lakou.kernel.errors import BadRequest, TooLarge
from lakou.territory import gtfs
from lakou.territory.bounds import Surroundings
from lakou.territory.gtfs import read_stop, read_stops

MARTINIQUE = Surroundings("Martinique", (-61.3, 14.35, -60.75, 14.95))
STOPS = (
    "stop_id,stop_name,stop_desc,stop_lat,stop_lon,location_type,parent_station,wheelchair_boarding\n"
    "S,Gare,,14.6,-61.0,1,,\nA,Quai A,au nord,14.6001,-61.0,0,S,1\n"
)


def zipped(*members: tuple[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return out.getvalue()


def codes(line: str, head: str = "stop_id,stop_name,stop_lat,stop_lon,location_type") -> list[tuple[str, str]]:
    (row,) = read_stops(f"{head}\n{line}\n".encode()).rows
    return [(finding.column, finding.code) for finding in read_stop(row, MARTINIQUE)[1]]


@pytest.mark.parametrize(
    "data",
    [
        STOPS.encode(),
        b"\xef\xbb\xbf" + STOPS.encode(),
        zipped(("stops.txt", STOPS.encode()), ("agency.txt", b"")),
        zipped(("gtfs/stops.txt", STOPS.encode())),
    ],
)
def test_stops_are_read_alone_or_from_a_feed(data: bytes) -> None:
    drafts = [read_stop(row, MARTINIQUE)[0] for row in read_stops(data).rows]
    assert [(draft.source_id, draft.name, draft.latitude) for draft in drafts if draft] == [
        ("S", "Gare", 14.6),
        ("A", "Quai A", 14.6001),
    ]
    assert drafts[1]
    assert drafts[1].properties == {"location_type": "0", "parent_station": "S", "wheelchair_boarding": "1"}
    assert (drafts[1].kind, drafts[1].description) == ("bus-stop", "au nord")


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("a,A,14.6,-61,", []),
        (",A,14.6,-61,", [("stop_id", "missing")]),
        ("a,,14.6,-61,", [("stop_name", "missing")]),
        ("a,,14.6,-61,3", []),
        ("a,A,14.6,-61,7", [("location_type", "enumeration")]),
        ("a,A,x,-61,", [("stop_lat", "number")]),
        ("a,A,inf,-61,", [("stop_lat", "number")]),
        ("a,A,95,-61,", [("stop_lat", "range")]),
        ("a,A,0,0,", [("stop_lat", "null_island")]),
        ("a,A,,,", [("stop_lon", "no_position"), ("stop_lat", "no_position")]),
        ("a,A,-61,14.6,", [("stop_lat", "swapped")]),
        ("a,A,48.8,2.3,", [("stop_lat", "outside")]),
        ("a,A", [("", "row")]),
    ],
)
def test_each_kind_of_mistake_is_named_with_its_column(line: str, found: list[tuple[str, str]]) -> None:
    assert codes(line) == found


def test_harmful_archives_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TooLarge, match="unpacks"):
        read_stops(zipped(("stops.txt", b"\0" * 10_000_000)))
    with pytest.raises(TooLarge, match="members"):
        read_stops(zipped(*((f"{number}.txt", b"") for number in range(1001))))
    with pytest.raises(BadRequest, match="0 stops"):
        read_stops(zipped(("agency.txt", b"x")))
    with pytest.raises(BadRequest, match="2 stops"):
        read_stops(zipped(("a/stops.txt", b"x"), ("b/stops.txt", b"x")))
    with pytest.raises(BadRequest, match="cannot be read"):
        read_stops(b"PK\3\4 and no more")
    monkeypatch.setattr(gtfs, "MAX_BYTES", 100)
    with pytest.raises(TooLarge):
        read_stops(zipped(("stops.txt", STOPS.encode()), compression=zipfile.ZIP_STORED))


def test_a_directory_that_lies_about_sizes_is_found_out() -> None:
    data = bytearray(zipped(("stops.txt", STOPS.encode() * 50)))
    place = data.rindex(b"PK\1\2") + 24
    data[place : place + 4] = (10).to_bytes(4, "little")
    with pytest.raises(BadRequest):
        read_stops(bytes(data))


def test_a_file_that_is_no_stops_is_refused() -> None:
    with pytest.raises(BadRequest, match="no stop_id"):
        read_stops(b"agency_id,agency_name\n1,x\n")
