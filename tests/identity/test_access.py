"""Who may do what: the table, and what it means across organisations."""

from __future__ import annotations

import pytest

from lakou.identity import access
from lakou.identity.actions import people
from lakou.identity.models import PersonRole
from tests.identity.conftest import make_organisation, make_person

pytestmark = pytest.mark.usefixtures("people")


def test_each_role_may_do_what_the_table_says_in_its_own_organisation_only() -> None:
    make_organisation("hôte")
    own, other = make_organisation("Le Lamentin", "commune"), make_organisation("Ducos", "commune")
    for number, role in enumerate(PersonRole):
        person = make_person(f"p{number}@example.org", role, own)
        for action, roles in access.ALLOWED.items():
            assert access.may(person, action, own) == (role in roles), (role, action)
            assert not access.may(person, action, other), (role, action)


def test_an_administrator_of_the_host_may_act_everywhere() -> None:
    person = make_person(role="administrator")
    other = make_organisation("Ducos", "commune")
    assert all(access.may(person, action, other) and access.may(person, action) for action in access.ALLOWED)


def test_what_is_not_in_the_table_is_nobodys() -> None:
    assert not access.may(make_person(role="administrator"), "world.end")


def test_only_the_host_makes_organisations() -> None:
    make_organisation("hôte")
    where = make_organisation("Le Lamentin", "commune")
    person = make_person(role="administrator", organisation=where)
    assert access.may(person, "organisations.see")
    assert not access.may(person, "organisations.change")


def test_an_account_is_opened_only_by_who_administers_all_its_organisations() -> None:
    make_organisation("hôte")
    first, second = make_organisation("Le Lamentin", "commune"), make_organisation("Ducos", "commune")
    administrator = make_person("admin@example.org", "administrator", first)
    member = make_person("member@example.org", "observer", first)
    assert access.may_on_person(administrator, "people.reset", member)
    people.grant_role(person=member, organisation=second, role="approver")
    assert not access.may_on_person(administrator, "people.reset", member)
    assert access.may_on_person(make_person("host@example.org", "administrator"), "people.reset", member)


def test_somebody_without_a_role_is_the_hosts_business() -> None:
    make_organisation("hôte")
    administrator = make_person("admin@example.org", "administrator", make_organisation("Ducos", "commune"))
    assert not access.may_on_person(administrator, "people.reset", make_person("x@example.org"))
