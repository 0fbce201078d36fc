"""All that is held about a person, handed over and erased."""

from __future__ import annotations

import json
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.apps import apps
from django.contrib.sessions.models import Session

from lakou.identity import actions as tokens
from lakou.identity import personal_data, queries
from lakou.identity.actions import break_glass, invitations, people
from lakou.identity.actions import personal_data as actions
from lakou.identity.authority import TokenAuthority
from lakou.identity.journal import queries as journal
from lakou.identity.models import Invitation, Person, RoleGrant, Token
from lakou.identity.policy.sessions import actor_of
from lakou.kernel.errors import Conflict
from tests.identity.conftest import PASSWORD, Visitor, make_person

pytestmark = pytest.mark.usefixtures("people")


@pytest.fixture
def anne() -> Person:
    """Somebody about whom there is a row of every kind; a host's administrator beside them."""
    make_person("host@example.org", "administrator")
    anne: Person = make_person(role="administrator", name="Anne Dupont")
    browser = Visitor(HTTP_USER_AGENT="Firefox of Anne", REMOTE_ADDR="192.0.2.7")
    browser.log_in("anne@example.org")
    browser.enrol()
    where = queries.host()
    assert where is not None
    other = make_person("bo@example.org")
    people.end_role(grant=people.grant_role(person=other, organisation=where, role="observer", by=anne), by=anne)
    invitations.invite(email="friend@example.org", organisation=where, role="observer", by=anne)
    invitations.invite(email="anne@example.org", organisation=where, role="approver")
    invitations.make_password_link(person=anne)
    break_glass.print_sheet(person=anne, by=anne)
    tokens.create_token(name="jauge-annes", role="device", organisation=where, actor=actor_of(anne, mfa=True))
    return anne


def everything() -> str:
    """Every row of the civic database but those of the journal, as one text."""
    kept = [model for model in apps.get_models() if not model.__name__.startswith("Journal")]
    return repr([list(model._base_manager.values()) for model in kept])


def test_the_document_holds_all_and_no_secret(anne: Person) -> None:
    secrets = [
        anne.password,
        *(one.data.get("secret") or one.data.get("seed") for one in Authenticator.objects.filter(user=anne)),
        *anne.break_glass_codes.values_list("sha256", flat=True),
        *Invitation.objects.values_list("sha256", flat=True),
        Session.objects.get().session_key,
    ]
    document = actions.export_person(person=anne, by=anne)
    text = personal_data.as_json(document)
    assert json.loads(text) == document
    assert not [secret for secret in secrets if secret in text]
    # Nobody else's address: those whom Anne invited or gave a role.
    assert not [other for other in ("friend@", "bo@", "host@") if other in text]
    assert document["made"].endswith("Z")
    assert (document["person"]["number"], document["person"]["email"]) == (anne.pk, "anne@example.org")
    assert document["email_addresses"] == [{"email": "anne@example.org", "is_verified": True, "is_primary": True}]
    assert document["memberships"] == ["CTM"]
    assert [one["role"] for one in document["roles"]] == ["administrator"]
    assert [(one["browser"], one["address"]) for one in document["sessions"]] == [("Firefox of Anne", "192.0.2.7")]
    assert {one["kind"] for one in document["second_factors"]} == {"totp", "recovery_codes"}
    assert len(document["break_glass_codes"]) == 10
    assert [one["for"] for one in document["invitations_received"]] == ["role", "password"]
    assert [one["invited_by"] for one in document["invitations_made"]] == [f"person:{anne.pk}"]
    assert [(one["name"], one["organisation"]) for one in document["tokens_made"]] == [("jauge-annes", "CTM")]
    told = {row["act"] for row in document["journal"]}
    assert {"person.created", "login", "second_factor.added", "role.granted", "token.created"} <= told
    row = journal.rows().last()
    assert row is not None
    assert (row.act, row.subject) == ("person.exported", f"person:{anne.pk}")


def test_what_others_did_to_a_person_comes_without_the_address_of_others(anne: Person) -> None:
    helper = Visitor(REMOTE_ADDR="192.0.2.99")
    helper.log_in("host@example.org")
    helper.enrol()
    helper.post(f"/administration/personnes/{anne.pk}/mot-de-passe/")
    Visitor(REMOTE_ADDR="198.51.100.1").log_in("anne@example.org", "wrong")
    rows = personal_data.held_about(anne)["journal"]
    (made,) = [row for row in rows if row["act"] == "password.link_made" and row["actor"] != "system"]
    assert (made["subject"], made["address"]) == (f"person:{anne.pk}", None)
    (tried,) = [row for row in rows if row["act"] == "login.refused"]
    assert tried["address"] == "198.51.100.1"


def test_nothing_but_the_journal_names_who_was_erased(anne: Person) -> None:
    number, browser = anne.pk, Visitor()
    assert "anne@example.org" in everything()
    assert actions.erase_person(person=anne)
    for word in ("anne@", "Anne Dupont", "192.0.2.7", "Firefox of Anne"):
        assert word not in everything()
    assert not Session.objects.exists()
    assert not UserSession.objects.exists()
    assert not EmailAddress.objects.filter(email="anne@example.org").exists()
    assert not RoleGrant.objects.filter(person=number).exists()
    # What Anne did to others stays done, by nobody in particular.
    assert RoleGrant.objects.get(role="observer").ended_by is None
    assert Invitation.objects.get(email="friend@example.org").invited_by is None
    assert [row.act for row in journal.rows().order_by("-seq")[:3]] == [
        "person.erased", "session.ended", "role.ended",
    ]  # fmt: skip
    assert "example.org" not in repr(list(journal.rows_about(number).values()))
    browser.log_in("anne@example.org", PASSWORD)
    assert not browser.is_in()


def test_a_token_outlives_who_made_it(anne: Person) -> None:
    made = tokens.create_token(
        name="jauge-2", role="device", organisation=queries.host(), actor=actor_of(anne, mfa=True)
    )
    actions.erase_person(person=anne)
    known = TokenAuthority()
    known.refresh()
    assert known.principal(f"Bearer {made.text}").name == "jauge-2"
    assert Token.objects.get(name="jauge-annes").organisation == queries.host()


def test_erasing_again_does_nothing_and_the_number_is_never_given_again(anne: Person) -> None:
    number = anne.pk
    actions.erase_person(person=anne)
    before = journal.head()
    assert not actions.erase_person(person=Person(pk=number))
    assert journal.head() == before
    assert make_person("anne@example.org").pk > number


def test_the_last_administrator_of_the_host_is_not_erased() -> None:
    only = make_person(role="administrator")
    with pytest.raises(Conflict) as caught:
        actions.erase_person(person=only, by=only)
    assert caught.value.error_code == "last_administrator"
    assert queries.active_roles(only)


def test_a_closed_account_is_erased_too() -> None:
    make_person("host@example.org", "administrator")
    anne = make_person(role="administrator")
    people.close_account(person=anne)
    assert actions.erase_person(person=anne)
    assert not Person.objects.filter(email="anne@example.org").exists()


def test_an_address_without_an_account_is_erased_from_invitations() -> None:
    where = make_person(role="administrator").grants.get().organisation
    invitations.invite(email="jo@example.org", organisation=where, role="observer")
    assert actions.erase_address(email="JO@example.org") == 1
    assert actions.erase_address(email="jo@example.org") == 0
    assert actions.erase_address(email="anne@example.org") == 0
    assert "jo@" not in everything()


def test_an_administrator_of_a_part_does_not_stand_in_for_the_last_of_the_whole() -> None:
    only: Any = make_person(role="administrator")
    part = make_person("part@example.org")
    people.grant_role(person=part, organisation=only.grants.get().organisation, role="administrator", territory="ducos")
    with pytest.raises(Conflict):
        people.close_account(person=only)
    people.end_role(grant=part.grants.get())
