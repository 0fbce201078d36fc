"""`python -m bench`: what it does without measuring."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import __main__ as command
from bench import dataset, filling, tables
from bench.promises import SQLITE, Measured
from bench.report import Machine
from bench.session import Settings


def test_the_tables_of_a_kept_run_go_into_a_page(tmp_path: Path) -> None:
    kept = Machine().report(Settings(), [Measured("single_rate", SQLITE, 9_000)], [], [], failed=False).write(tmp_path)
    page = tmp_path / "page.md"
    page.write_text(f"{tables.BEGIN}\n{tables.END}\n", encoding="utf-8")

    assert command.main(["--table-into", str(page), "--from", str(kept)]) == 0
    assert "| durable single POST, 64 connections | ≥ 8,000 /s | 9,000 /s | met |" in page.read_text(encoding="utf-8")
    assert kept.name.endswith("-1000000-sqlite.json")


def test_the_page_on_performance_has_a_place_for_the_tables() -> None:
    page = (Path(__file__).parents[2] / "docs/explanation/performance.md").read_text(encoding="utf-8")

    assert page.count(tables.BEGIN) == page.count(tables.END) == 1


@pytest.mark.parametrize(
    ("environ", "sizes"),
    [
        ({}, [1_000_000]),
        ({"N": "10000000"}, [1_000_000, 10_000_000]),
        ({"BIG": "1"}, [1_000_000, 10_000_000, 100_000_000]),
        ({"BIG": "1", "N": "2000"}, [20, 200, 2000]),
    ],
)
def test_how_much_is_measured(environ: dict[str, str], sizes: list[int]) -> None:
    assert command.asked(environ).sizes == sizes


@pytest.mark.parametrize("text", ["1e8", "-5", "0", "many"])
def test_a_number_that_is_none_is_explained(text: str) -> None:
    with pytest.raises(SystemExit, match="N is a number of Observations"):
        command.asked({"N": text})


def test_the_shape_of_a_hundred_million() -> None:
    """Exactly so many rows; every Datastream has a whole day of minutes, and no id or time comes twice."""
    settings = command.asked({"BIG": "1"})
    streams = settings.things * settings.datastreams_each
    shape = dataset._shares(streams, 7, settings.rows)
    assert shape.rows == settings.rows
    assert shape.rows_each >= dataset.DAY_ROWS
    slices = filling._slices(shape, 1)
    assert sum((high - low + 1) * rows for low, high, rows, _, _ in slices) == settings.rows
    last = [
        first + (rows - 1) * gap + high - (low if low == high else shape.first)
        for low, high, rows, first, gap in slices
    ]
    assert max(last) < 2**31
    assert filling.END_US - shape.dense_rows * filling.MINUTE_US > 0


def test_a_peer_without_a_name_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["--peer", "http://127.0.0.1/v1.1"])

    assert ended.value.code == 2
    assert "NAME=http://host:port/path is expected" in capsys.readouterr().err
