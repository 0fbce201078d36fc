"""Event ids: places in the order of commits, as texts and back."""

from __future__ import annotations

import pytest

from lakou.sensorthings.store.changes import Cursor
from lakou.sensorthings.store.position import Position, after, position


@pytest.mark.parametrize("place", [Position(Cursor(0, 5), 9), Position(Cursor(77, 5), 9), after(Cursor(0, 1))])
def test_a_place_is_read_back(place: Position) -> None:
    assert position(place.text()) == place


def test_the_order_is_transaction_then_sequence_then_observation() -> None:
    ordered = [
        Position(Cursor(*c), id_) for c, id_ in (((1, 9), 9), ((2, 1), 5), ((2, 1), 6), ((2, 3), 1), ((10, 0), 0))
    ]
    backwards = list(reversed(ordered))
    assert sorted(backwards) == ordered
    assert Position(Cursor(2, 1), 10**15) < after(Cursor(2, 1)) < Position(Cursor(2, 2), 0)


@pytest.mark.parametrize(
    "text", ["", "5", "a.b", "1.2.3.4", "-1.2", "1.", "\u0661.2", "9" * 19 + ".1", "1" * 30 + ".1"]
)
def test_other_texts_name_no_place(text: str) -> None:
    assert position(text) is None
