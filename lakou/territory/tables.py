"""Tables of text in: the bytes of a CSV or JSON file to rows that keep their text as given. Pure.

CSV may be UTF-8 (with or without mark), UTF-16 with mark or Windows-1252, with commas, semicolons or tabs; JSON is an
array of objects, or an object with one such array. Every row keeps its own text, so that it can be written back
unchanged. Sources: RFC 4180, RFC 8259.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from lakou.kernel import jsontext
from lakou.kernel.errors import BadRequest, LakouError, TooLarge

MAX_BYTES = 64 * 2**20
MAX_ROWS = 200_000
MAX_COLUMNS = 500
MAX_FIELD = 131_072  # the csv module's own bound
DELIMITERS = (",", ";", "\t")

Shape = Literal["csv", "json"]


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its line in a CSV file, or its place in a JSON array from 1; its text; its cells by column.

    `numbers` are the columns whose value was a JSON number: leading zeros of codes are lost there. `fault` says why the
    row could not be read into cells; then `cells` holds what could be.
    """

    number: int
    text: str
    cells: dict[str, str]
    numbers: frozenset[str] = frozenset()
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A file that was read. `encoding` is Python's name of it."""

    shape: Shape
    columns: tuple[str, ...]
    rows: list[Row]
    encoding: str = "utf-8"
    delimiter: str = ","
    notes: list[str] = field(default_factory=list)


def read_table(data: bytes) -> Table:
    """The rows of a CSV or JSON file. Raises TooLarge above the bounds, BadRequest `file_invalid` with the line."""
    if len(data) > MAX_BYTES:
        raise TooLarge(f"The file is above {MAX_BYTES // 2**20} MiB", hint="split it")
    head = data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    return _read_json(data) if head in (b"[", b"{") else _read_csv(data)


def read_cells(text: str, columns: tuple[str, ...], delimiter: str = ",") -> dict[str, str]:
    """The cells of one CSV record as text."""
    record = next(csv.reader([text], delimiter=delimiter, strict=True), [])
    return dict(zip(columns, record, strict=False))


# ── CSV ──


class _Lines:
    """The lines of a text, remembering those that the reader took since it was last asked."""

    def __init__(self, text: str) -> None:
        self._lines = io.StringIO(text, newline="")
        self.taken: list[str] = []

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.taken.append(line)
            yield line

    def take(self) -> str:
        text = "".join(self.taken)
        self.taken.clear()
        return text.removesuffix("\n").removesuffix("\r")


def _read_csv(data: bytes) -> Table:
    text, encoding = _decode(data)
    delimiter = _delimiter(text)
    lines = _Lines(text)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    rows: list[Row] = []
    columns: tuple[str, ...] = ()
    start = 1
    try:
        for record in reader:
            record_text, line, start = lines.take(), start, reader.line_num + 1
            if not any(cell.strip() for cell in record):
                continue
            if not columns:
                columns = _header(record)
            elif len(rows) >= MAX_ROWS:
                raise TooLarge(f"The file has more than {MAX_ROWS} rows", hint="split it")
            else:
                rows.append(_csv_row(line, record_text, columns, record))
    except csv.Error as error:
        raise _refuse(f"the CSV text is malformed: {error}", f"line {start}", "check the quotes of this row") from None
    if not columns:
        raise _refuse("the file has no header", "line 1", "the first line names the columns")
    notes = [] if encoding.startswith("utf-8") else [f"encoding {encoding}"]
    return Table("csv", columns, rows, encoding, delimiter, notes)


def _decode(data: bytes) -> tuple[str, str]:
    tried = ["utf-16"] if data.startswith((b"\xff\xfe", b"\xfe\xff")) else ["utf-8-sig", "cp1252"]
    for encoding in tried:
        try:
            return data.decode(encoding), encoding
        except UnicodeDecodeError:
            continue
    raise _refuse("the text is in no known encoding", None, "save it as UTF-8")


def _delimiter(text: str) -> str:
    first = next((line for line in io.StringIO(text, newline="") if line.strip()), "")
    outside, quoted = [], False
    for char in first:
        quoted ^= char == '"'
        if not quoted:
            outside.append(char)
    return max(DELIMITERS, key=outside.count)


def _header(record: list[str]) -> tuple[str, ...]:
    names = tuple(" ".join(cell.split()) or f"colonne {index}" for index, cell in enumerate(record, 1))
    if len(names) > MAX_COLUMNS:
        raise TooLarge(f"The file has more than {MAX_COLUMNS} columns")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise _refuse(f"the column {twice!r} stands twice in the header", "line 1", "give each column its own name")
    return names


def _csv_row(line: int, text: str, columns: tuple[str, ...], record: list[str]) -> Row:
    cells = dict(zip(columns, record, strict=False))
    fault = ""
    if len(record) < len(columns) or any(cell.strip() for cell in record[len(columns) :]):
        fault = f"{len(record)} cellules pour {len(columns)} colonnes"
        cells |= {f"colonne {index}": cell for index, cell in enumerate(record[len(columns) :], len(columns) + 1)}
    if "\0" in text:  # no database keeps it
        return Row(line, text.replace("\0", "␀"), {}, fault="la ligne contient le caractère nul")
    return Row(line, text, cells, fault=fault)


# ── JSON ──


def _read_json(data: bytes) -> Table:
    text, encoding = _decode(data)
    raws = _array(text.encode())
    if len(raws) > MAX_ROWS:
        raise TooLarge(f"The file has more than {MAX_ROWS} rows", hint="split it")
    rows = [_json_row(number, bytes(raw)) for number, raw in enumerate(raws, 1)]
    columns = tuple(dict.fromkeys(name for row in rows for name in row.cells))
    if len(columns) > MAX_COLUMNS:
        raise TooLarge(f"The file has more than {MAX_COLUMNS} columns")
    return Table("json", columns, rows, encoding)


def _array(data: bytes) -> list[msgspec.Raw]:
    try:
        if data.lstrip()[:1] == b"[":
            return msgspec.json.decode(data, type=list[msgspec.Raw])
        members = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        arrays = [bytes(raw) for raw in members.values() if bytes(raw)[:1] == b"["]
        if len(arrays) == 1:
            return msgspec.json.decode(arrays[0], type=list[msgspec.Raw])
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise _refuse(f"the JSON text is malformed: {error}"[:200], None, "an array of objects is needed") from None
    raise _refuse("the JSON text holds no single array of rows", None, "an array of objects is needed")


def _json_row(number: int, raw: bytes) -> Row:
    text = raw.decode()
    try:
        value = jsontext.decode(raw)
    except LakouError as error:
        return Row(number, text, {}, fault=error.message)
    if not isinstance(value, dict):
        return Row(number, text, {}, fault="la ligne n'est pas un objet JSON")
    cells: dict[str, str] = {}
    numbers: set[str] = set()
    _flatten(value, "", cells, numbers)
    return Row(number, text, cells, frozenset(numbers))


def _flatten(value: dict[str, Any], prefix: str, cells: dict[str, str], numbers: set[str]) -> None:
    """Objects in objects become columns such as `geolocalisation.lat`; lists of plain values are joined by `|`."""
    for name, member in value.items():
        key = prefix + name
        match member:
            case dict():
                _flatten(member, key + ".", cells, numbers)
            case list() if all(isinstance(item, str | int | float) for item in member):
                cells[key] = "|".join(_plain(item) for item in member)
            case list():
                cells[key] = jsontext.encode(member).decode()
            case bool() | str() | None:
                cells[key] = _plain(member)
            case _:
                cells[key] = _plain(member)
                numbers.add(key)


def _plain(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer() and abs(value) < 1e15:  # a code that went through a spreadsheet: 97232.0
            return str(int(value))
        case float():
            return repr(value)
    return str(value)


def _refuse(message: str, place: str | None, hint: str) -> BadRequest:
    return BadRequest(message, code="file_invalid", place=place, hint=hint)
