"""Invitations and break-glass, as pages."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session

from lakou.identity import queries
from lakou.identity.actions import break_glass, invitations
from lakou.identity.models import Invitation, Person
from tests.identity.conftest import PASSWORD, Visitor, make_organisation, make_person, target

pytestmark = pytest.mark.usefixtures("pages")

NEW = {"name": "Jo Marie", "password1": "une autre longue phrase", "password2": "une autre longue phrase"}


def link(email: str = "jo@example.org", role: str = "duty_officer", now: datetime | None = None) -> str:
    where = queries.host() or make_organisation()
    return f"/invitation/{invitations.invite(email=email, organisation=where, role=role, now=now).secret}/"


def test_looking_uses_nothing_up_and_the_secret_leaves_the_address(visitor: Visitor) -> None:
    path = link()
    for _ in range(3):
        answer = visitor.get(path)
        assert answer["Location"] == "/invitation/"
    page = visitor.get("/invitation/").content.decode()
    assert "agent d’astreinte" in page
    assert path.split("/")[2] not in page


def test_an_invitation_makes_a_person_once(visitor: Visitor) -> None:
    path = link()
    visitor.get(path)
    assert target(visitor.post("/invitation/", NEW)) == "/compte/connexion/"
    assert target(visitor.log_in("jo@example.org", NEW["password1"])) == "/compte/"
    other = Visitor()
    other.get(path)
    answer = other.post("/invitation/", NEW)
    assert answer.status_code == 404
    assert "ne fonctionne pas" in answer.content.decode()
    assert Person.objects.count() == 1


def test_after_seven_days_it_is_over(visitor: Visitor) -> None:
    visitor.get(link(now=datetime.now(UTC) - timedelta(days=7, minutes=1)))
    assert visitor.get("/invitation/").status_code == 404


def test_what_is_wrong_is_said_at_its_field_and_the_link_still_works(visitor: Visitor) -> None:
    visitor.get(link())
    page = visitor.post("/invitation/", {**NEW, "password2": "different"}).content.decode()
    assert "ne sont pas les mêmes" in page
    page = visitor.post("/invitation/", {**NEW, "password1": "password1234", "password2": "password1234"})
    assert "trop courant" in page.content.decode()
    assert target(visitor.post("/invitation/", NEW)) == "/compte/connexion/"


def test_who_has_an_account_logs_in_and_accepts(visitor: Visitor) -> None:
    anne = make_person()
    visitor.get(link("anne@example.org"))
    answer = visitor.get("/invitation/")
    assert answer["Location"] == "/compte/connexion/?next=%2Finvitation%2F"
    answer = visitor.post(answer["Location"], {"login": "anne@example.org", "password": PASSWORD})
    assert target(answer) == "/invitation/"
    assert target(visitor.post("/invitation/")) == "/compte/"
    assert [role.role for role in queries.active_roles(anne)] == ["duty_officer"]


def test_who_is_somebody_else_cannot_take_it(visitor: Visitor) -> None:
    make_person()
    other = make_person("b@example.org")
    visitor.log_in("b@example.org")
    visitor.get(link("anne@example.org"))
    assert "quelqu’un d’autre" in visitor.post("/invitation/").content.decode()
    assert not queries.active_roles(other)
    assert Invitation.objects.get().used is None


def test_a_password_link_ends_the_sessions_that_are_open(visitor: Visitor) -> None:
    anne = make_person()
    visitor.log_in("anne@example.org")
    other = Visitor()
    other.get(f"/invitation/{invitations.make_password_link(person=anne).secret}/")
    assert target(other.post("/invitation/", NEW)) == "/compte/connexion/"
    assert target(visitor.get("/compte/")) == "/compte/connexion/"
    assert other.log_in("anne@example.org", NEW["password1"]).status_code == 302


def test_a_wrong_link_leaves_no_session_behind(visitor: Visitor) -> None:
    assert visitor.get("/invitation/wrong/").status_code == 404
    assert not Session.objects.exists()


def test_without_a_link_there_is_no_invitation(visitor: Visitor) -> None:
    assert visitor.get("/invitation/").status_code == 404


def test_break_glass_counts_as_the_second_factor(visitor: Visitor) -> None:
    codes = break_glass.print_sheet(person=make_person(role="administrator"))
    given = {"email": "anne@example.org", "password": PASSWORD, "code": codes[0]}
    assert target(visitor.post("/secours/", given)) == "/compte/"
    page = visitor.get("/compte/").content.decode()
    assert "Session de secours" in page
    assert "il en reste 9" in page
    assert visitor.get("/administration/personnes/").status_code == 200
    assert Visitor().post("/secours/", given).status_code == 401


def test_break_glass_asks_for_the_password_too(visitor: Visitor) -> None:
    codes = break_glass.print_sheet(person=make_person())
    answer = visitor.post("/secours/", {"email": "anne@example.org", "password": "wrong", "code": codes[0]})
    assert answer.status_code == 401
    assert "ne vont pas ensemble" in answer.content.decode()
    assert "wrong" not in answer.content.decode()
    assert not visitor.is_in()


def test_break_glass_needs_nobody_else(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch, told: list[tuple[str, dict[str, Any]]]
) -> None:
    codes = break_glass.print_sheet(person=make_person(role="approver"))

    def no_network(*args: object, **kwargs: object) -> None:
        raise OSError("the network is away")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    visitor.post("/secours/", {"email": "anne@example.org", "password": PASSWORD, "code": codes[0]})
    assert visitor.is_in()
    assert [act for act, _ in told][-2:] == ["break_glass.used", "login"]


def test_after_break_glass_the_password_is_enough_for_a_sensitive_act(visitor: Visitor) -> None:
    make_person(role="administrator")
    visitor.log_in("anne@example.org")
    visitor.enrol()
    codes = break_glass.print_sheet(person=Person.objects.get())
    other = Visitor()
    other.post("/secours/", {"email": "anne@example.org", "password": PASSWORD, "code": codes[0]})
    assert other.get("/administration/personnes/inviter/").status_code == 200
    assert other.get("/compte/confirmer/").status_code == 200


def test_without_its_csrf_token_no_form_is_taken(visitor: Visitor) -> None:
    codes = break_glass.print_sheet(person=make_person())
    strict = Visitor(enforce_csrf_checks=True)
    for path, given in (
        ("/secours/", {"email": "anne@example.org", "password": PASSWORD, "code": codes[0]}),
        ("/compte/connexion/", {"login": "anne@example.org", "password": PASSWORD}),
        ("/invitation/", NEW),
    ):
        answer = strict.post(path, given)
        assert answer.status_code == 403
        assert "Rien n’a été enregistré" in answer.content.decode()
    assert not strict.is_in()
