"""Tables are read in the forms that stewards send, each row with its own text and line."""

from __future__ import annotations

import json

import pytest

from lakou.kernel.errors import BadRequest, TooLarge
from lakou.territory import tables
from lakou.territory.tables import read_table


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_encodings_and_delimiters_are_found_out(encoding: str, delimiter: str) -> None:
    text = delimiter.join(("id", "nom", "adresse")) + "\r\n" + delimiter.join(("1", "Éloïse – café", "rue")) + "\r\n"
    table = read_table(text.encode(encoding))
    assert table.rows[0].cells == {"id": "1", "nom": "Éloïse – café", "adresse": "rue"}
    assert table.delimiter == delimiter


def test_a_row_keeps_its_text_and_the_line_on_which_it_starts() -> None:
    table = read_table(b'id,nom\n\n1,"two\r\nlines"\r\n2,x\n')
    assert [(row.number, row.text) for row in table.rows] == [(3, '1,"two\r\nlines"'), (5, "2,x")]


def test_a_row_with_too_few_or_too_many_cells_is_told_and_kept_whole() -> None:
    table = read_table(b"id,nom,ville\n1,a\n2,b,c,d\n3,e,f,,\n")
    assert [bool(row.fault) for row in table.rows] == [True, True, False]
    assert table.rows[1].cells["colonne 4"] == "d"


def test_json_rows_keep_their_text_numbers_and_inner_objects() -> None:
    data = b'[ {"id": 1, "geo": {"lat": 14.5, "lon": -61}, "tags": ["a", "b"], "x": null, "y": true} ]'
    (row,) = read_table(data).rows
    assert row.cells == {"id": "1", "geo.lat": "14.5", "geo.lon": "-61", "tags": "a|b", "x": "", "y": "true"}
    assert row.numbers == {"id", "geo.lat", "geo.lon"}
    assert row.text == data.decode()[2:-2]


def test_a_whole_number_written_with_a_point_is_the_whole_number() -> None:
    (row,) = read_table(b'[{"cp": 97232.0, "siret": 3.5600000063516e13, "lat": 14.5}]').rows
    assert row.cells == {"cp": "97232", "siret": "35600000063516", "lat": "14.5"}


def test_an_object_with_one_array_is_read_as_that_array() -> None:
    table = read_table(b'{"total": 2, "results": [{"id": "a"}, 7]}')
    assert [bool(row.fault) for row in table.rows] == [False, True]


@pytest.mark.parametrize(
    "data",
    [b"", b"\n\n", b'id,nom\n1,"open', b'id,nom\n1,"a"b\n', b"id,id\n1,2\n", b"[1", b"{}", b'{"a":[],"b":[]}',
     b"[" * 999, b"id\n\x81\x8d\n", b"\xff\xfe\x00"],
)  # fmt: skip
def test_what_cannot_be_read_is_refused(data: bytes) -> None:
    with pytest.raises(BadRequest) as caught:
        read_table(data)
    assert caught.value.error_code == "file_invalid"


def test_a_malformed_row_is_refused_with_its_line() -> None:
    with pytest.raises(BadRequest) as caught:
        read_table(b'id,nom\n1,a\n2,"open\n')
    assert caught.value.place == "line 3"


def test_a_null_character_keeps_a_row_out() -> None:
    assert read_table(b"id,nom\n1,a\0b\n2,c\n").rows[0].fault
    assert read_table(b'[{"id":"a\\u0000"}]').rows[0].fault


def test_bounds_on_bytes_rows_and_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MAX_ROWS", 2)
    with pytest.raises(TooLarge):
        read_table(b"id\n1\n2\n3\n")
    with pytest.raises(TooLarge):
        read_table(b"[{},{},{}]")
    with pytest.raises(TooLarge):
        read_table((",".join(f"c{index}" for index in range(501)) + "\n").encode())
    with pytest.raises(TooLarge):
        read_table(json.dumps([{f"c{index}": 1 for index in range(501)}]).encode())
    monkeypatch.setattr(tables, "MAX_BYTES", 5)
    with pytest.raises(TooLarge):
        read_table(b"id,nom\n")
