"""What is written reads back as the same: any row, both forms; and any bytes are read or refused, never a crash."""

from __future__ import annotations

import json
from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from lakou.kernel.errors import BadRequest
from lakou.territory.drafts import draft_of, row_of
from lakou.territory.mediation.read import read_mediation
from lakou.territory.mediation.standard import COLUMNS, NAMES, Column
from lakou.territory.mediation.write import raw_of, write_csv, write_json
from lakou.territory.tables import read_table

TODAY = date(2026, 11, 26)
TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc"), include_characters='\n\r"'), min_size=1, max_size=30)


def degrees(value: float) -> str:
    """As the register writes them: no minus before zero."""
    return repr(value + 0.0)


def values_of(column: Column) -> st.SearchStrategy[str]:
    """Values that the standard allows in this column."""
    made = {
        "pivot": st.from_regex(r"[a-zA-Z0-9]{9,11}", fullmatch=True),
        "code_postal": st.from_regex(r"97[0-9]{3}", fullmatch=True),
        "code_insee": st.from_regex(r"97[0-9]{3}", fullmatch=True),
        "telephone": st.from_regex(r"\+596[0-9]{9}", fullmatch=True),
        "latitude": st.floats(-90, 90, allow_nan=False).map(degrees),
        "longitude": st.floats(-180, 180, allow_nan=False).map(degrees),
        "date_maj": st.dates(date(2015, 1, 1), TODAY).map(date.isoformat),
    }
    if column.name in made:
        return made[column.name]
    if column.values:
        return st.lists(st.sampled_from(column.values), min_size=1, max_size=4, unique=True).map("|".join)
    plain = TEXT.map(str.strip).filter(bool)
    return plain.map(lambda text: text.replace("|", "/").replace(";", ",")) if column.is_list else plain


ROWS = st.fixed_dictionaries(
    {column.name: values_of(column) | (st.nothing() if column.required else st.just("")) for column in COLUMNS}
)


def texts(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Rows with ids that differ."""
    return [row | {"id": f"{index}"} for index, row in enumerate(rows)]


@settings(max_examples=30)
@given(st.lists(ROWS, min_size=1, max_size=4).map(texts))
def test_rows_are_the_same_after_csv_and_after_json(rows: list[dict[str, str]]) -> None:
    for write in (write_csv, write_json):
        table = read_table("".join(write((row, {}) for row in rows)).encode())
        read = read_mediation(table, today=TODAY)
        assert [one.row for one in read.rows] == rows
        assert not [finding for one in read.rows for finding in one.findings if finding.severity == "error"]


@settings(max_examples=30)
@given(st.lists(ROWS, min_size=1, max_size=3).map(texts))
def test_a_place_made_of_a_row_is_that_row_again_and_its_bytes_come_back(rows: list[dict[str, str]]) -> None:
    for write in (write_csv, write_json):
        given_text = "".join(write((row, {}) for row in rows))
        table = read_table(given_text.encode())
        drafts = [draft_of(one.row, raw_of(table, one.source)) for one in read_mediation(table, today=TODAY).rows]
        back = [(row_of(draft.source_id, draft.values()), draft.raw) for draft in drafts]
        assert [row for row, _ in back] == rows
        assert all("text" in raw for _, raw in back)
        assert "".join(write(back)) == given_text


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for head in (b"", b"id,nom,commune,adresse,pivot\n", b'[{"id":1,"nom":"a"},'):
        try:
            table = read_table(head + data)
            read_mediation(table, today=TODAY)
        except BadRequest as error:
            code = error.error_code
        else:
            code = "file_invalid"
        assert code in ("file_invalid", "columns_unknown")


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
JSON_ROWS = st.lists(st.dictionaries(st.sampled_from(NAMES), SCALARS | st.lists(SCALARS, max_size=3)), max_size=3)


@settings(max_examples=40)
@given(JSON_ROWS)
def test_any_json_values_give_rows_with_findings(rows: list[dict[str, object]]) -> None:
    first = dict.fromkeys(("id", "nom", "commune", "adresse", "pivot"), "x")
    read = read_mediation(read_table(json.dumps([first, *(first | row for row in rows)]).encode()), today=TODAY)
    assert len(read.rows) == len(rows) + 1
    assert all(one.findings for one in read.rows)
