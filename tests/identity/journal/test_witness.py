"""Acts of the data plane in the journal: under the right name, each once, with a chain that holds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from lakou.identity.actions import create_token
from lakou.identity.actions.organisations import create_organisation
from lakou.identity.journal import export, queries, witness
from lakou.identity.journal.acts import ACTS
from lakou.identity.journal.gathering import Gathering
from lakou.identity.journal.witness import JournalWitness
from lakou.identity.models import Token
from lakou.identity.policy import Actor, owner_of_person
from lakou.kernel.errors import Forbidden, NotFound, Unauthorized
from lakou.sensorthings import witness as acts
from lakou.sensorthings.access import ADMIN, ANONYMOUS, Principal
from lakou.sensorthings.witness import act_of

AT = 1_764_000_000_123_456
GAUGE = Principal(id=7, name="gauge", role="device")


@pytest.fixture
def bearing(any_civic: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[JournalWitness]:
    """A witness that has noted nothing yet, on each database."""
    monkeypatch.setattr(witness, "_gathering", Gathering())
    return JournalWitness()


def last(count: int = 1) -> list[Any]:
    """The last rows, oldest first."""
    return list(queries.rows().order_by("-seq")[:count])[::-1]


def test_an_act_stands_there_with_who_when_and_whose(bearing: JournalWitness) -> None:
    organisation = create_organisation(name="Ducos", kind="commune")
    made = create_token(name="gauge", role="device", organisation=organisation)
    gauge = msgspec.structs.replace(GAUGE, id=Token.objects.get(name="gauge").pk)
    detail = {"before": "public", "after": "restricted:5"}
    told = act_of("visibility.changed", gauge, at=AT, subject="Things(7)", detail=detail, counts={"datastreams": 2})
    bearing.tell([msgspec.structs.replace(told, address="192.0.2.9")])
    (row,) = last()
    assert (row.act, row.actor_kind, row.actor_id, row.actor_name) == ("visibility.changed", "token", gauge.id, "gauge")
    assert (row.at_us, row.subject, row.address, row.organisation) == (AT, "Things(7)", "192.0.2.9", organisation.pk)
    assert json.loads(row.detail) == {**detail, "datastreams": 2, "key": told.key}
    assert "Changement de visibilité" in export.ecs(row)
    assert made.text not in row.detail


def test_an_act_that_is_told_again_is_written_once(bearing: JournalWitness) -> None:
    first, second = (act_of("device.claimed", GAUGE, at=AT + n, subject=f"Things({n})") for n in (1, 2))
    before = queries.head().rows
    bearing.tell([first])
    bearing.tell([first, second])
    bearing.tell([first, second])
    assert queries.head().rows == before + 2
    assert queries.verify()[1] is None


def test_people_the_product_and_strangers_are_named_as_elsewhere(bearing: JournalWitness) -> None:
    person = Principal(id=owner_of_person(12), name="Ada", role="person")
    bearing.tell([act_of("data.deleted", who, at=AT + n) for n, who in enumerate((person, ADMIN, ANONYMOUS))])
    found = [(row.actor_kind, row.actor_id, row.actor_name) for row in last(3)]
    assert found == [("person", 12, "person:12"), ("system", 0, "lakou"), ("anonymous", 0, "anonymous")]


def test_many_subjects_are_counted_in_the_row_and_named_in_its_detail(bearing: JournalWitness) -> None:
    names = ("Datastreams(9)", *(f"Things({n})" for n in range(49)))
    bearing.tell([msgspec.structs.replace(act_of("device.claimed", GAUGE, at=AT), subjects=names)])
    (row,) = last()
    assert row.subject == "Datastreams(9), Things(0), Things(1), … (50)"
    detail = json.loads(row.detail)
    assert (detail["Datastreams"], detail["Things"]) == ([9], list(range(49)))


def test_every_act_of_the_data_plane_has_words() -> None:
    names = (acts.CLAIMED, acts.VISIBILITY, acts.RETENTION, acts.EXPIRED, acts.DELETED, acts.TAKEN, witness.REFUSED)
    assert set(names) <= set(ACTS)


def test_refusals_are_one_row_a_kind_and_none_for_who_shows_nothing(bearing: JournalWitness) -> None:
    forged = Unauthorized("no such token")
    forged.token = 7
    for n in range(50):
        bearing.note_refusal(None, forged, f"192.0.2.{n % 2}", "sensorthings")
    bearing.note_refusal(GAUGE, Forbidden("not yours"), "192.0.2.9", "mqtt")
    bearing.note_refusal(GAUGE, NotFound("nothing there"), "192.0.2.9", "mqtt")
    bearing.note_refusal(ANONYMOUS, Unauthorized("a token is needed"), "192.0.2.9", "sensorthings")
    witness.note_refusal(Actor(), Forbidden("no"), None, "pages")
    before = queries.head().rows
    assert bearing.is_due()
    bearing.settle()
    bearing.settle()
    assert queries.head().rows == before + 2
    stranger, gauge = last(2)
    assert (stranger.act, stranger.outcome, stranger.actor_kind) == ("access.refused", "failure", "anonymous")
    assert json.loads(stranger.detail) == {
        "addresses": ["192.0.2.0", "192.0.2.1"], "attempts": 50, "tokens": [7], "why": "unauthorized",
    }  # fmt: skip
    assert (gauge.actor_kind, gauge.actor_id, gauge.subject, gauge.address) == ("token", 7, "mqtt", "192.0.2.9")


def test_files_that_were_taken_are_one_row_with_their_number_and_size(bearing: JournalWitness) -> None:
    for _ in range(3):
        bearing.note_taken(GAUGE, "CSV", 1_000, "192.0.2.9")
    bearing.settle(last=True)
    (row,) = last()
    assert (row.act, row.outcome, row.actor_kind, row.actor_id) == ("data.exported", "success", "token", 7)
    assert json.loads(row.detail) == {"bytes": 3_000, "files": 3, "form": "CSV"}


def test_a_journal_that_cannot_be_written_loses_nothing(
    bearing: JournalWitness, monkeypatch: pytest.MonkeyPatch
) -> None:
    bearing.note_refusal(GAUGE, Forbidden("not yours"), None, "mqtt")
    with monkeypatch.context() as patch:
        patch.setattr(witness, "_append_gathered", _fail)
        with pytest.raises(OSError, match="no room"):
            bearing.settle()
    bearing.settle()
    (row,) = last()
    assert (row.act, json.loads(row.detail)["attempts"]) == ("access.refused", 1)


def _fail(one: object) -> None:
    raise OSError("no room")
