"""Invitations: once, for seven days, and never stored as they are."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection

from lakou.identity import queries
from lakou.identity.actions import invitations
from lakou.identity.models import Invitation, Person
from lakou.kernel.errors import BadRequest, Conflict, LakouError, NotFound
from tests.identity.conftest import PASSWORD, make_organisation, make_person

pytestmark = pytest.mark.usefixtures("people")

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
NEW = "une autre longue phrase"


def invite(email: str = "jo@example.org", now: datetime = NOW) -> invitations.NewInvitation:
    where = queries.host() or make_organisation()
    return invitations.invite(email=email, organisation=where, role="duty_officer", territory="le-lamentin", now=now)


def accept(secret: str, now: datetime = NOW) -> Person:
    return invitations.accept(secret=secret, name="Jo Marie", password=NEW, now=now)


def test_who_accepts_is_a_person_with_the_role_and_a_verified_address() -> None:
    person = accept(invite().secret)
    assert (person.email, person.name) == ("jo@example.org", "Jo Marie")
    assert [(role.territory, role.role) for role in queries.active_roles(person, NOW)] == [
        ("le-lamentin", "duty_officer")
    ]
    assert person.emailaddress_set.get().verified  # type: ignore[attr-defined]


def test_it_works_once() -> None:
    secret = invite().secret
    accept(secret)
    with pytest.raises(NotFound):
        accept(secret)


def test_it_works_for_seven_days() -> None:
    invitations.find(invite().secret, now=NOW + timedelta(days=7, seconds=-1))
    with pytest.raises(NotFound):
        invitations.find(invite().secret, now=NOW + timedelta(days=7))


def test_a_newer_one_to_the_same_takes_the_place_of_the_older() -> None:
    first, second = invite().secret, invite().secret
    with pytest.raises(NotFound):
        invitations.find(first, now=NOW)
    accept(second)


def test_one_that_is_withdrawn_does_not_work() -> None:
    made = invite()
    invitations.withdraw(invitation=made.invitation, now=NOW)
    with pytest.raises(NotFound):
        accept(made.secret)


def test_a_weak_password_uses_nothing_up() -> None:
    secret = invite().secret
    with pytest.raises(BadRequest):
        invitations.accept(secret=secret, name="Jo", password="password1234", now=NOW)
    accept(secret)


def test_an_address_that_is_somebodys_is_not_given_away_again() -> None:
    anne = make_person()
    secret = invite("anne@example.org").secret
    with pytest.raises(Conflict):
        accept(secret)
    assert anne.check_password(PASSWORD)
    with pytest.raises(NotFound):
        invitations.accept_as(secret=secret, person=make_person("b@example.org"), now=NOW)
    invitations.accept_as(secret=secret, person=anne, now=NOW)
    assert queries.active_roles(anne, NOW)


def test_only_its_digest_is_stored(civic_database: Path, each_database: str) -> None:
    made = invite()
    assert made.secret not in repr(Invitation.objects.values_list().get())
    if each_database == "sqlite":
        files = [civic_database, civic_database.with_name("civic.db-wal")]
        assert not any(made.secret.encode() in file.read_bytes() for file in files if file.exists())


def test_a_password_link_sets_a_password_once_and_gives_no_role() -> None:
    anne = make_person()
    old, new = (invitations.make_password_link(person=anne, now=NOW) for _ in range(2))
    with pytest.raises(NotFound):
        accept(old.secret)
    assert accept(new.secret).check_password(NEW)
    with pytest.raises(NotFound):
        accept(new.secret)
    assert not queries.active_roles(anne)


def test_of_two_that_accept_at_once_one_does() -> None:
    secret = invite().secret
    outcomes: list[str] = []
    start = threading.Barrier(2)

    def run() -> None:
        start.wait()
        try:
            accept(secret)
            outcomes.append("in")
        except LakouError as error:
            outcomes.append(type(error).__name__)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["NotFound", "in"]
    assert Person.objects.count() == 1
