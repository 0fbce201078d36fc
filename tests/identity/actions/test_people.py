"""Making people, granting and ending roles."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from lakou.identity import queries
from lakou.identity.actions import break_glass, people
from lakou.identity.journal import queries as journal
from lakou.identity.models import PersonRole, RoleGrant
from lakou.kernel.errors import BadRequest, Conflict, NotFound, Unauthorized
from tests.identity.conftest import PASSWORD, make_organisation, make_person

pytestmark = pytest.mark.usefixtures("people")

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def test_an_address_is_kept_in_lower_case_and_taken_once() -> None:
    assert make_person("Anne@Example.ORG").email == "anne@example.org"
    with pytest.raises(Conflict):
        make_person("ANNE@example.org")


@pytest.mark.parametrize("email", ["", "anne", "anne@", "a" * 250 + "@example.org", "anne@example.org\nbcc: x"])
def test_what_is_no_address_is_refused(email: str) -> None:
    with pytest.raises(BadRequest) as caught:
        make_person(email)
    assert caught.value.place == "email"


@pytest.mark.parametrize("password", ["onze lettre", "password1234", "anne.dupont@example.org", "qwerty123456"])
def test_short_usual_or_own_words_are_no_password(password: str) -> None:
    with pytest.raises(BadRequest) as caught:
        people.create_person(email="anne.dupont@example.org", name="Anne Dupont", password=password)
    assert caught.value.place == "password"


def test_twelve_small_letters_are_a_password() -> None:
    people.create_person(email="a@example.org", password="mvqzkyhrtpwb")


def test_passwords_are_stored_by_argon2id() -> None:
    assert make_person().password.startswith("argon2$argon2id$")


def test_a_role_holds_from_its_grant_to_its_end() -> None:
    person, where = make_person(), make_organisation()
    people.grant_role(person=person, organisation=where, role="approver", territory="le-lamentin", now=NOW)
    held = frozenset({queries.ActiveRole(where.pk, "le-lamentin", PersonRole.APPROVER)})
    assert queries.active_roles(person, NOW - timedelta(seconds=1)) == frozenset()
    assert queries.active_roles(person, NOW) == held
    people.end_role(grant=RoleGrant.objects.get(), now=NOW + timedelta(hours=1))
    assert queries.active_roles(person, NOW + timedelta(minutes=59)) == held
    assert queries.active_roles(person, NOW + timedelta(hours=1)) == frozenset()


def test_granting_what_is_held_changes_nothing_and_ending_twice_keeps_the_first_time() -> None:
    person, where = make_person(), make_organisation()
    first = people.grant_role(person=person, organisation=where, role="observer", now=NOW)
    assert people.grant_role(person=person, organisation=where, role="observer").pk == first.pk
    ended = people.end_role(grant=first, now=NOW + timedelta(days=1))
    assert people.end_role(grant=first).ended_at == ended.ended_at
    assert people.grant_role(person=person, organisation=where, role="observer").pk != first.pk


def test_who_is_closed_holds_no_role() -> None:
    person = make_person(role="administrator")
    person.is_active = False
    person.save()
    assert queries.active_roles(person) == frozenset()


def test_the_last_administrator_of_the_host_stays() -> None:
    person = make_person(role="administrator")
    only = RoleGrant.objects.get()
    with pytest.raises(Conflict):
        people.end_role(grant=only)
    make_person("b@example.org", "administrator")
    assert people.end_role(grant=only, by=person).ended_by == person


def test_an_unknown_role_or_person_is_refused() -> None:
    with pytest.raises(BadRequest):
        people.grant_role(person=make_person(), organisation=make_organisation(), role="king")
    with pytest.raises(NotFound):
        people.named_person("nobody@example.org")


def test_every_act_is_noted_without_address_or_secret(told: list[tuple[str, dict[str, Any]]]) -> None:
    person = make_person(role="observer", name="Anne Dupont")
    people.set_password(person=person, password="une autre longue phrase", by=person)
    people.end_role(grant=RoleGrant.objects.get(), by=person)
    assert [act for act, _ in told] == [
        "person.created",
        "organisation.created",
        "role.granted",
        "password.changed",
        "role.ended",
    ]
    assert told[-1][1]["actor"] == told[-1][1]["subject"] == f"person:{person.pk}"
    assert told[0][1]["actor"] == "command-line"
    for word in ("example.org", "Anne", PASSWORD, "phrase"):
        assert word not in repr(told)


def test_a_closed_account_holds_no_role_and_a_reopened_one_its_roles_but_no_codes() -> None:
    make_person("host@example.org", "administrator")
    anne = make_person(role="observer")
    codes = break_glass.print_sheet(person=anne)
    people.close_account(person=anne)
    assert queries.active_roles(anne) == frozenset()
    people.reopen_account(person=anne)
    assert [role.role for role in queries.active_roles(anne)] == ["observer"]
    with pytest.raises(Unauthorized):
        break_glass.use_code(email=anne.email, password=PASSWORD, code=codes[0])


def test_the_last_administrators_account_stays_open() -> None:
    person = make_person(role="administrator")
    with pytest.raises(Conflict):
        people.close_account(person=person)
    person.refresh_from_db()
    assert person.is_active


def test_another_address_is_taken_once_and_links_follow() -> None:
    anne, bo = make_person(), make_person("bo@example.org")
    people.ask_for_address(person=anne, email="first@example.org")
    people.ask_for_address(person=anne, email="New@example.org")
    assert [one.email for one in queries.asked_addresses(anne)] == ["new@example.org"]
    people.change_address(person=bo, email="new@example.org")
    with pytest.raises(Conflict):
        people.change_address(person=anne, email="NEW@example.org")
    with pytest.raises(BadRequest):
        people.change_address(person=anne, email="new@")
    anne.refresh_from_db()
    assert anne.email == "anne@example.org"
    people.change_address(person=anne, email="anne@example.org")  # no change, no row
    assert [row.subject for row in journal.rows(act="person.changed").order_by("-seq")[:1]] == [f"person:{bo.pk}"]


def test_of_two_administrators_who_end_each_other_at_once_one_stays() -> None:
    make_person("a@example.org", "administrator")
    make_person("b@example.org", "administrator")
    start = threading.Barrier(2)

    def end(grant: RoleGrant) -> None:
        start.wait()
        try:
            people.end_role(grant=grant)
        except Conflict:
            pass
        finally:
            connection.close()

    threads = [threading.Thread(target=end, args=(grant,)) for grant in RoleGrant.objects.all()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert RoleGrant.objects.filter(ended_at__isnull=True).count() == 1
