"""What the policy says about people and their roles, with rows of people in the civic database."""

from __future__ import annotations

from typing import Any

import pytest

from lakou.identity import policy
from lakou.identity.actions import people
from lakou.identity.models import PersonRole
from lakou.identity.policy import Action, Kind, Object
from lakou.identity.policy.people import may_open_account, role_in
from lakou.identity.policy.sessions import actor_of
from tests.identity.conftest import make_organisation, make_person

pytestmark = pytest.mark.usefixtures("people")


def strong(person: Any) -> policy.Actor:
    return actor_of(person, mfa=True)


def test_only_administrators_give_roles_and_only_in_their_own_organisation() -> None:
    make_organisation("hôte")
    own, other = make_organisation("Le Lamentin", "commune"), make_organisation("Ducos", "commune")
    for number, role in enumerate(PersonRole):
        actor = strong(make_person(f"p{number}@example.org", role, own))
        is_administrator = role == PersonRole.ADMINISTRATOR
        for action in (Action.GRANT, Action.WITHDRAW):
            assert policy.may(actor, action, role_in(own)) is is_administrator, role
            assert not policy.may(actor, action, role_in(other)), role
        assert policy.may_somewhere(actor, Action.READ, Kind.PERSON) is is_administrator


def test_an_administrator_of_the_host_acts_everywhere_and_with_a_second_factor_only() -> None:
    person = make_person(role="administrator")
    other = make_organisation("Ducos", "commune")
    for obj in (role_in(other), role_in(None), role_in(other, "ducos")):
        assert policy.may(strong(person), Action.GRANT, obj)
        assert not policy.may(actor_of(person, mfa=False), Action.GRANT, obj)


def test_only_the_host_makes_organisations() -> None:
    make_organisation("hôte")
    where = make_organisation("Le Lamentin", "commune")
    actor = strong(make_person(role="administrator", organisation=where))
    assert policy.may(actor, Action.CHANGE, Object(Kind.ORGANISATION, where.pk))
    assert not policy.may(actor, Action.CREATE, Object(Kind.ORGANISATION))
    assert policy.may(
        strong(make_person("host@example.org", "administrator")), Action.CREATE, Object(Kind.ORGANISATION)
    )


def test_who_administers_a_part_of_the_territory_gives_roles_there_only_and_opens_no_account() -> None:
    make_organisation("hôte")
    where = make_organisation("CACEM", "epci")
    person, member = make_person(), make_person("member@example.org", "observer", where)
    people.grant_role(person=person, organisation=where, role="administrator", territory="ducos")
    actor = strong(person)
    assert policy.may(actor, Action.GRANT, role_in(where, "ducos"))
    assert not policy.may(actor, Action.GRANT, role_in(where))
    assert not policy.may(actor, Action.GRANT, role_in(where, "le-lamentin"))
    assert not may_open_account(actor, member)


def test_an_account_is_opened_only_by_who_administers_all_its_organisations() -> None:
    make_organisation("hôte")
    first, second = make_organisation("Le Lamentin", "commune"), make_organisation("Ducos", "commune")
    administrator = strong(make_person("admin@example.org", "administrator", first))
    member = make_person("member@example.org", "observer", first)
    assert may_open_account(administrator, member)
    people.grant_role(person=member, organisation=second, role="approver")
    assert not may_open_account(administrator, member)
    host = make_person("host@example.org", "administrator")
    assert may_open_account(strong(host), member)
    assert not may_open_account(strong(host), host)


def test_somebody_without_a_role_is_the_hosts_business() -> None:
    make_organisation("hôte")
    administrator = strong(make_person("admin@example.org", "administrator", make_organisation("Ducos", "commune")))
    assert not may_open_account(administrator, make_person("x@example.org"))
    assert may_open_account(strong(make_person("host@example.org", "administrator")), make_person("y@example.org"))


def test_a_sheet_of_codes_is_printed_for_oneself_after_a_second_factor() -> None:
    for number, role in enumerate(PersonRole):
        person = make_person(f"p{number}@example.org", role)
        own, others = Object(Kind.BREAK_GLASS, person=person.pk), Object(Kind.BREAK_GLASS, person=0)
        on_duty = role in ("duty_officer", "approver", "administrator")
        assert policy.may(strong(person), Action.CREATE, own) is on_duty
        assert not policy.may(actor_of(person, mfa=False), Action.CREATE, own)
        assert not policy.may(strong(person), Action.CREATE, others)
