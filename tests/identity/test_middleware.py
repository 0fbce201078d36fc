"""Sessions that cost nothing where nobody is logged in, and the second factor before anything else."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import AsyncClient
from django.test.utils import CaptureQueriesContext

from lakou.identity.actions import people as actions
from tests.identity.conftest import Visitor, make_person, target, totp

pytestmark = pytest.mark.usefixtures("pages")


@pytest.mark.parametrize("path", ["/compte/connexion/", "/secours/", "/nulle-part"])
def test_who_has_no_session_touches_no_table(visitor: Visitor, path: str) -> None:
    with CaptureQueriesContext(
        connection,
    ) as asked:
        visitor.get(path)
    assert [query["sql"] for query in asked.captured_queries] == []
    assert "sessionid" not in visitor.cookies


def test_the_same_holds_in_a_running_server() -> None:
    async def ask() -> Any:
        return await AsyncClient().get("/nulle-part")

    with CaptureQueriesContext(connection) as asked:
        answer = asyncio.run(ask())
    assert answer.status_code == 404
    assert not asked.captured_queries
    assert not answer.cookies


def test_public_pages_keep_their_caching_and_set_no_cookie(visitor: Visitor) -> None:
    answer = visitor.get("/")
    assert answer["Cache-Control"] == "no-store"
    assert not answer.cookies


@pytest.mark.parametrize("role", ["approver", "administrator"])
def test_who_approves_or_administers_first_sets_up_a_second_factor(visitor: Visitor, role: str) -> None:
    make_person(role=role)
    visitor.log_in("anne@example.org")
    for path in ("/", "/compte/", "/administration/personnes/", "/compte/mot-de-passe/changer/", "/nulle-part"):
        assert target(visitor.get(path)) == "/compte/second-facteur/"
    assert "Il en faut un maintenant" in visitor.get("/compte/second-facteur/").content.decode()
    visitor.enrol()
    assert visitor.get("/compte/").status_code == 200


@pytest.mark.parametrize("role", ["citizen", "observer", "device_owner", "data_steward", "duty_officer"])
def test_others_may_do_without(visitor: Visitor, role: str) -> None:
    make_person(role=role)
    visitor.log_in("anne@example.org")
    assert visitor.get("/compte/").status_code == 200


def test_a_role_that_is_given_later_asks_at_the_next_page(visitor: Visitor) -> None:
    anne = make_person(role="observer")
    visitor.log_in("anne@example.org")
    assert visitor.get("/compte/").status_code == 200
    actions.grant_role(person=anne, organisation=anne.grants.get().organisation, role="approver")
    assert target(visitor.get("/compte/")) == "/compte/second-facteur/"


def test_a_session_from_before_the_factor_must_show_it(visitor: Visitor) -> None:
    make_person(role="administrator")
    other = Visitor()
    other.log_in("anne@example.org")
    visitor.log_in("anne@example.org")
    secret = visitor.enrol()
    answer = other.get("/compte/sessions/")
    assert answer["Location"] == "/compte/second-facteur/confirmer/?next=%2Fcompte%2Fsessions%2F"
    answer = other.post(answer["Location"], {"code": totp(secret, 1)})
    assert target(answer) == "/compte/sessions/"
    assert other.get("/compte/sessions/").status_code == 200


def test_who_takes_the_last_factor_away_is_led_to_set_up_another(visitor: Visitor) -> None:
    make_person(role="administrator")
    visitor.log_in("anne@example.org")
    visitor.enrol()
    visitor.post("/compte/second-facteur/application/retirer/")
    assert target(visitor.get("/compte/")) == "/compte/second-facteur/"


def test_a_form_is_not_sent_on_blindly(visitor: Visitor) -> None:
    make_person(role="administrator")
    other = Visitor()
    other.log_in("anne@example.org")
    visitor.log_in("anne@example.org")
    visitor.enrol()
    assert other.post("/compte/sessions/", {"which": "others"})["Location"].endswith("next=%2Fcompte%2F")
    assert visitor.get("/compte/").status_code == 200


def test_who_is_asked_may_still_leave(visitor: Visitor) -> None:
    make_person(role="administrator")
    visitor.log_in("anne@example.org")
    visitor.post("/compte/deconnexion/")
    assert not visitor.is_in()


def test_a_cookie_of_no_session_is_taken_back(visitor: Visitor) -> None:
    visitor.cookies["sessionid"] = "x" * 32
    answer = visitor.get("/compte/connexion/")
    assert answer.status_code == 200
    assert answer.cookies["sessionid"]["max-age"] == 0
    assert not Session.objects.exists()
