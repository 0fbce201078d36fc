"""Parts of a measurement stand alone, and figures are medians of rounds."""

from __future__ import annotations

from pathlib import Path

from bench.loading import LoadError, Outcome
from bench.places import Folders
from bench.promises import SQLITE
from bench.session import Load, Session, Settings, ratio, strained


def _load(requests: int, loader_share: float = 0.2) -> Load:
    return Load(Outcome(requests, requests, 1.0, 1.0, 2.0, 3.0, {201: requests}, "", loader_share), 100.0)


def _session(tmp_path: Path, settings: Settings) -> Session:
    return Session(Folders(tmp_path, None), SQLITE, settings, tmp_path, None, lambda text: None)


def test_a_part_that_fails_is_told_and_the_next_one_runs(tmp_path: Path) -> None:
    session = _session(tmp_path, Settings())
    with session.part("first"):
        raise LoadError("answered 503")
    with session.part("second"):
        raise KeyError("mean")
    with session.part("third"):
        session.note("single_rate", 1.0)

    assert session.left_out == ["SQLite, first: answered 503", "SQLite, second: KeyError: 'mean'"]
    assert [m.key for m in session.found] == ["single_rate"]


def test_rounds_alternate_and_no_side_always_follows_the_same_one(tmp_path: Path) -> None:
    order: list[str] = []

    def side(name: str) -> Load:
        order.append(name)
        return _load(1)

    done = _session(tmp_path, Settings(rounds=3)).alternate(*(lambda name=n: side(name) for n in "abc"))

    assert order == ["a", "b", "c", "a", "c", "b", "c", "a", "b"]
    assert [len(loads) for loads in done] == [3, 3, 3]


def test_a_ratio_is_the_median_of_the_ratios_of_the_rounds() -> None:
    assert ratio([_load(50), _load(90), _load(10)], [_load(100), _load(100), _load(100)]) == 0.5


def test_a_loader_at_its_limit_is_told() -> None:
    assert strained([_load(1, 0.5), _load(1, 0.97)]) == "the loader used 97% of a core and may be the limit"
    assert strained([_load(1, 0.5)]) == ""


def test_growth_is_shown_at_a_million_at_ten_million_and_at_n() -> None:
    assert Settings(rows=20_000).sizes == [20_000]
    assert Settings(rows=1_000_000).sizes == [1_000_000]
    assert Settings(rows=10_000_000).sizes == [1_000_000, 10_000_000]
    assert Settings(rows=100_000_000).sizes == [1_000_000, 10_000_000, 100_000_000]
