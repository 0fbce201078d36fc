"""The actor of a session: roles as grants, what is read, whose tokens count, and what no session costs."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.http import HttpRequest
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext

from lakou.identity import authority
from lakou.identity.actions import create_token, people
from lakou.identity.policy import ANONYMOUS, ActorKind, Grant, Role
from lakou.identity.policy.requests import actor_of_request
from lakou.identity.policy.sessions import actor_of
from tests.identity.conftest import Visitor, make_organisation, make_person

pytestmark = pytest.mark.usefixtures("people")


def test_roles_in_the_host_organisation_hold_everywhere_others_in_theirs() -> None:
    host, other = make_organisation("CTM"), make_organisation("Ducos", "commune")
    person = make_person(role="observer", organisation=host)
    people.grant_role(person=person, organisation=other, role="approver", territory="ducos")
    actor = actor_of(person, mfa=True)
    assert actor.grants == {Grant(Role.OBSERVER), Grant(Role.APPROVER, other.pk, "ducos")}
    assert (actor.kind, actor.id, actor.mfa) == (ActorKind.PERSON, person.pk, True)
    assert actor.name == f"person:{person.pk}"


def test_a_person_reads_what_their_organisations_and_the_tokens_of_these_restrict() -> None:
    host, other = make_organisation("CTM"), make_organisation("Ducos", "commune")
    of_host = create_token(name="h", role="device").token
    of_other = create_token(name="o", role="device", organisation=other).token
    inside = actor_of(make_person("a@example.org", "data_steward", other), mfa=False)
    assert inside.reads == frozenset({0, other.scope_id, of_other.home_id})
    assert inside.owners == {of_other.pk}
    observer = actor_of(make_person("b@example.org", "observer", host), mfa=False)
    assert (observer.reads, observer.owners) == (frozenset({0, host.scope_id, of_host.home_id}), frozenset())
    assert actor_of(make_person("c@example.org", "citizen", other), mfa=False).reads == frozenset({0})


def test_a_role_on_a_part_of_the_territory_opens_nothing_restricted() -> None:
    where = make_organisation("CACEM", "epci")
    create_token(name="h", role="device")
    person = make_person()
    people.grant_role(person=person, organisation=where, role="device_owner", territory="ducos")
    actor = actor_of(person, mfa=True)
    assert (actor.reads, actor.owners) == (frozenset({0}), frozenset())


def test_a_closed_account_has_no_rights() -> None:
    make_person("admin@example.org", "administrator")
    person = make_person(role="approver")
    people.close_account(person=person)
    assert actor_of(person, mfa=True).grants == frozenset()


# ── requests ──


@pytest.fixture
def browser(people: None) -> Visitor:
    return Visitor()


def asked(browser: Visitor, **headers: str) -> Any:
    """The actor of a page that this browser opens."""
    found: list[Any] = []

    def view(request: HttpRequest) -> Any:
        from django.http import HttpResponse

        found.append(actor_of_request(request))
        return HttpResponse()

    from lakou.identity.middleware import Visitors

    request = RequestFactory().get("/", headers=headers)
    request.COOKIES.update({name: morsel.value for name, morsel in browser.cookies.items()})
    Visitors(view)(request)
    return found[0]


def test_who_is_signed_in_is_a_person_and_strong_after_the_second_factor(browser: Visitor) -> None:
    person = make_person(role="administrator")
    assert asked(browser) == ANONYMOUS
    browser.log_in("anne@example.org")
    assert (asked(browser).id, asked(browser).mfa) == (person.pk, False)
    browser.enrol()
    assert asked(browser).mfa is True


def test_a_session_wins_over_a_header_and_a_bad_header_beside_it_does_no_harm(
    browser: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As in a process that has just started: it reads the tokens of this database.
    monkeypatch.setattr(authority, "_current", None)
    person = make_person(role="observer")
    token = create_token(name="a", role="admin")
    bearer = {"Authorization": f"Bearer {token.text}"}
    assert asked(browser, **bearer).kind is ActorKind.TOKEN
    browser.log_in("anne@example.org")
    assert asked(browser, **bearer).id == person.pk
    assert asked(browser, Authorization="Bearer lk_1_x").id == person.pk
    browser.cookies["sessionid"] = "forged"
    assert asked(browser, **bearer).kind is ActorKind.TOKEN


def test_without_a_cookie_no_table_is_read() -> None:
    with CaptureQueriesContext(connection) as asked_of:
        assert asked(Visitor()) == ANONYMOUS
    assert asked_of.captured_queries == []


# ── the pages of tokens and of the journal, with a real log-in ──

TOKENS, JOURNAL = "/administration/jetons/", "/administration/journal/"


def entered(browser: Visitor, email: str, role: str, organisation: Any = None) -> Visitor:
    make_person(email, role, organisation)
    browser.log_in(email)
    browser.enrol()
    return browser


def test_an_administrator_makes_a_token_and_reads_of_it_in_the_journal(browser: Visitor) -> None:
    entered(browser, "admin@example.org", "administrator")
    menu = browser.get("/compte/").content.decode()
    assert (f'href="{TOKENS}"' in menu, f'href="{JOURNAL}"' in menu) == (True, True)
    made = browser.post(TOKENS, {"name": "limni-1", "role": "device"}).content.decode()
    assert "lk_" in made
    shown = browser.get(JOURNAL).content.decode()
    assert "limni-1" in shown
    assert "admin@example.org" not in shown.partition("<main")[2]


def test_people_of_another_organisation_make_and_see_their_own_tokens_only(browser: Visitor) -> None:
    make_organisation("CTM")
    create_token(name="of-the-host", role="device")
    other = make_organisation("Ducos", "commune")
    entered(browser, "steward@example.org", "data_steward", other)
    assert browser.post(TOKENS, {"name": "theirs", "role": "device"}).status_code == 200
    shown = browser.get(TOKENS).content.decode()
    assert ("theirs" in shown, "of-the-host" in shown) == (True, False)
    assert browser.post(TOKENS, {"name": "more", "role": "agent"}).status_code == 422
    assert browser.get(JOURNAL).status_code == 403
    assert f'href="{JOURNAL}"' not in browser.get("/compte/").content.decode()
    foreign = entered(Visitor(), "admin@example.org", "administrator", make_organisation("Le Robert", "commune"))
    assert "theirs" not in foreign.get(TOKENS).content.decode()
    assert foreign.get(JOURNAL).status_code == 403


def test_who_holds_no_such_role_gets_in_nowhere(browser: Visitor) -> None:
    make_organisation("CTM")
    entered(browser, "anne@example.org", "observer")
    assert [browser.get(page).status_code for page in (TOKENS, JOURNAL)] == [403, 403]
    menu = browser.get("/compte/").content.decode()
    assert "/administration/" not in menu
