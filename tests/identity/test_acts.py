"""The one place of traces."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lakou.identity import acts


def test_what_anybody_can_cause_without_end_is_gathered(
    told: list[tuple[str, dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(acts, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(acts, "_gathered", {})
    for _ in range(50):
        acts.note_gathered("login.refused")
    acts.note_gathered("login.locked_out", subject="person:7")
    now[0] += acts.GATHER_S
    acts.note_gathered("login.refused")
    assert [(act, more["subject"], more["detail"]["attempts"]) for act, more in told] == [
        ("login.refused", "", 1),
        ("login.locked_out", "person:7", 1),
        ("login.refused", "", 50),
    ]


def test_what_is_remembered_for_it_stays_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acts, "_gathered", {})
    for number in range(acts.MOST_GATHERED * 2):
        acts.note_gathered("login.locked_out", subject=f"person:{number}")
    assert len(acts._gathered) <= acts.MOST_GATHERED


def test_a_person_is_named_by_number_only() -> None:
    assert (acts.person(7), acts.person(None)) == ("person:7", "anonymous")
