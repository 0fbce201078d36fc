"""`python -m bench`: what it does without measuring."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import __main__ as command
from bench import tables
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


def test_a_peer_without_a_name_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["--peer", "http://127.0.0.1/v1.1"])

    assert ended.value.code == 2
    assert "NAME=http://host:port/path is expected" in capsys.readouterr().err
