"""The one place of traces."""

from __future__ import annotations

import ast
import threading
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core import mail as outgoing
from django.db import transaction
from django.test import override_settings
from structlog.testing import capture_logs

from lakou.identity import acts, mail
from lakou.identity.actions import people
from lakou.identity.journal import queries
from lakou.identity.journal import witness as of_journal
from lakou.identity.journal.acts import ACTS
from lakou.identity.policy import system
from lakou.kernel.errors import Conflict
from lakou.sensorthings import witness as of_data
from tests.harness.server import ROOT


def test_what_anybody_can_cause_without_end_is_gathered(
    civic: Path, told: list[tuple[str, dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
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
    monkeypatch.setattr(acts, "note", lambda act, **more: None)
    monkeypatch.setattr(acts, "_gathered", {})
    for number in range(acts.MOST_GATHERED * 2):
        acts.note_gathered("login.locked_out", subject=f"person:{number}")
    assert len(acts._gathered) <= acts.MOST_GATHERED


def test_a_person_is_named_by_number_only() -> None:
    assert (acts.person(7), acts.person(None)) == ("person:7", "anonymous")


# ── mail to whom an account belongs ──


def posted() -> list[str]:
    """What was sent, once every thread that sends is done."""
    mail.finish()
    return [f"{message.to} {message.subject}\n{message.body}" for message in getattr(outgoing, "outbox", [])]


@override_settings(LAKOU_HAS_MAIL=True, EMAIL_BACKEND="django.core.mail.backends.locmem.EmailBackend")
def test_a_person_is_told_by_mail_of_what_a_stranger_would_do_first(civic: Path) -> None:
    outgoing.outbox = []
    ada = people.create_person(email="ada@example.org", name="Ada", password="trois mornes et une riviere")
    with suppress(ZeroDivisionError), transaction.atomic():
        acts.note("password.changed", actor=acts.person(ada.pk), subject=acts.person(ada.pk))
        raise ZeroDivisionError
    acts.note("logout", actor=acts.person(ada.pk), subject=acts.person(ada.pk))
    assert posted() == []
    for act in sorted(acts.TOLD):
        acts.note(
            act, actor=acts.COMMAND_LINE, subject=acts.person(ada.pk), now=datetime(2026, 9, 1, 16, 5, tzinfo=UTC)
        )
    found = sorted(posted())
    assert len(found) == len(acts.TOLD)
    assert all(text.startswith("['ada@example.org'] Lakou : ") and "1 septembre 2026 à 12:05" in text for text in found)
    assert any("Lakou : changement de mot de passe\n" in text for text in found)


@override_settings(LAKOU_HAS_MAIL=True, EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend", EMAIL_PORT=9)
def test_a_mail_server_that_is_away_holds_nobody_up(civic: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The network is cut, and somebody comes in with a break-glass code."""
    let_go = threading.Event()
    monkeypatch.setattr(mail, "send_mail", lambda *_: let_go.wait(20))
    ada = people.create_person(email="ada@example.org", name="Ada", password="trois mornes et une riviere")
    acts.note("break_glass.used", actor=acts.person(ada.pk), subject=acts.person(ada.pk))
    assert any(thread.name == mail.SENDING for thread in threading.enumerate())
    let_go.set()
    posted()
    monkeypatch.undo()
    with capture_logs() as told:
        acts.note("break_glass.used", actor=acts.person(ada.pk), subject=acts.person(ada.pk))
        posted()
    assert [line["delivery"] for line in told if line["event"] == "mail was not sent"] == ["away"]


# ── the journal ──


def test_an_act_is_a_row_of_the_journal_and_a_loud_one_a_warning_too(
    civic: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    acts.note("logout", actor="person:7", subject="person:7")
    acts.note("break_glass.refused", actor=acts.ANONYMOUS, outcome="failure", detail={"why": "code"})
    quiet, loud = queries.rows().order_by("-seq")[:2][::-1]
    assert (quiet.act, quiet.actor_kind, quiet.actor_id, quiet.actor_name) == ("logout", "person", 7, "person:7")
    assert (loud.act, loud.actor_kind, loud.outcome, loud.detail) == (
        "break_glass.refused", "anonymous", "failure", '{"why":"code"}',
    )  # fmt: skip
    told = capsys.readouterr().out
    assert ("logout" in told, "break_glass.refused" in told) == (False, True)


def test_an_act_that_is_rolled_back_leaves_no_row(civic: Path) -> None:
    before = queries.head()
    with suppress(Conflict), transaction.atomic():
        people.create_person(email="a@example.org")
        people.create_person(email="a@example.org")
    assert queries.head() == before


def test_the_command_line_acts_under_the_name_of_who_called_it(civic: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acts, "_operator", system("ada (ligne de commande)"))
    people.create_person(email="a@example.org")
    row = queries.rows().last()
    assert row is not None
    assert (row.act, row.actor_kind, row.actor_name) == ("person.created", "system", "ada (ligne de commande)")


LATER = {
    "alert.approved", "alert.cancelled", "alert.drafted", "alert.refused", "alert.sent", "crisis.closed",
    "crisis.opened", "rule.changed", "settings.changed",
}  # fmt: skip
"""Acts that have words already and no caller yet: what they tell of is not built."""
WRITERS = {"note", "note_gathered", "record", "_note", "_note_change", "_note_role", "_record", "_factor", "gather"}
CONSTANTS = {
    name: value
    for module in (of_data, of_journal)
    for name, value in vars(module).items()
    if type(value) is str and value in ACTS
}
"""Names by which the data plane and its witness call acts."""


def named_acts() -> set[str]:
    """The act of every call that leaves a trace, as the code writes it."""
    found = set()
    for path in (ROOT / "lakou").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            # The observation store records events too, without a name of an act.
            first = [] if name == "record" else node.args[:1]
            given = [*first, *(word.value for word in node.keywords if word.arg == "act")]
            if name in WRITERS:
                found |= {one.value for one in given if isinstance(one, ast.Constant) and isinstance(one.value, str)}
                called = {one.attr if isinstance(one, ast.Attribute) else getattr(one, "id", "") for one in given}
                found |= {CONSTANTS[one] for one in called & CONSTANTS.keys()}
    return found


def test_every_act_in_the_code_has_words_and_every_act_with_words_a_caller_or_is_for_later() -> None:
    assert named_acts() == set(ACTS) - LATER
