"""Filled stores hold what they say, and are made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import dataset, filling
from bench.places import Folders


def test_a_filled_store_is_made_once_and_kept(tmp_path: Path) -> None:
    said: list[str] = []
    first = dataset.prepare(Folders(tmp_path / "a", tmp_path / "cache"), 4, 2, 1_000, said.append)
    again = dataset.prepare(Folders(tmp_path / "b", tmp_path / "cache"), 4, 2, 1_000, said.append)

    assert first == again
    assert len(said) == 2
    shape = again[1].shape
    assert again[1].rows == shape.dense_rows + 7 * shape.rows_each == 1_000
    assert again[1].loaded_bytes > 1_000 * 20


def test_a_kept_store_is_not_used_again_once_the_way_of_filling_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = dataset.key(4, 2, 1_000)
    changed = tmp_path / "filling.py"
    changed.write_bytes(Path(filling.__file__).read_bytes() + b"\n")
    monkeypatch.setattr(filling, "__file__", str(changed))

    assert dataset.key(4, 2, 1_000) != before
