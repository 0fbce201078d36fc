"""One's own account."""

from __future__ import annotations

import re

import pytest
from allauth.usersessions.models import UserSession

from lakou.identity import queries
from lakou.identity.actions import break_glass
from tests.identity.conftest import PASSWORD, Visitor, make_person, target

pytestmark = pytest.mark.usefixtures("pages")


def test_each_page_of_an_account_sends_strangers_to_the_door(visitor: Visitor) -> None:
    for path in ("/compte/", "/compte/sessions/", "/compte/secours/", "/administration/personnes/"):
        assert visitor.get(path)["Location"] == f"/compte/connexion/?next={path}"


def test_what_is_shown_is_kept_by_no_cache(visitor: Visitor) -> None:
    make_person()
    visitor.log_in("anne@example.org")
    for path in ("/compte/", "/compte/sessions/", "/compte/second-facteur/", "/compte/mot-de-passe/changer/"):
        assert "no-store" in visitor.get(path)["Cache-Control"]


def test_a_session_that_is_ended_elsewhere_is_over_at_once(visitor: Visitor) -> None:
    make_person()
    other = Visitor(HTTP_USER_AGENT="Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
    for each in (visitor, other):
        each.log_in("anne@example.org")
    page = visitor.get("/compte/sessions/").content.decode()
    assert "Firefox, Linux" in page
    number = UserSession.objects.get(user_agent__contains="Firefox").pk
    assert f'value="{number}"' in page
    visitor.post("/compte/sessions/", {"which": number})
    assert target(other.get("/compte/")) == "/compte/connexion/"
    assert visitor.get("/compte/").status_code == 200


def test_all_others_end_together_and_ones_own_can_end_too(visitor: Visitor) -> None:
    make_person()
    others = [Visitor(), Visitor()]
    for each in (visitor, *others):
        each.log_in("anne@example.org")
    visitor.post("/compte/sessions/", {"which": "others"})
    assert [each.get("/compte/").status_code for each in (visitor, *others)] == [200, 302, 302]
    assert target(visitor.post("/compte/sessions/", {"which": UserSession.objects.get().pk})) == "/compte/connexion/"
    assert not visitor.is_in()


@pytest.mark.parametrize("which", ["", "0", "x", "٣", "99999999999999999999"])
def test_anothers_session_or_none_cannot_be_ended(visitor: Visitor, which: str) -> None:
    make_person()
    make_person("b@example.org")
    other = Visitor()
    other.log_in("b@example.org")
    visitor.log_in("anne@example.org")
    theirs = UserSession.objects.get(user__email="b@example.org").pk
    for wanted in (which, theirs):
        assert visitor.post("/compte/sessions/", {"which": wanted}).status_code == 404
    assert other.get("/compte/").status_code == 200


def test_a_sheet_is_shown_once(visitor: Visitor) -> None:
    anne = make_person(role="duty_officer")
    visitor.log_in("anne@example.org")
    # A printed code counts as a second factor: a password alone gives none.
    assert target(visitor.post("/compte/secours/")) == "/compte/second-facteur/"
    assert queries.codes_left(anne).count() == 0
    visitor.enrol()
    codes = re.findall(r"<code>([0-9A-Z-]{34})</code>", visitor.post("/compte/secours/").content.decode())
    assert len(codes) == 10
    assert codes[0] not in visitor.get("/compte/secours/").content.decode()
    assert break_glass.use_code(email=anne.email, password=PASSWORD, code=codes[0]) == anne
    assert queries.codes_left(anne).count() == 9


def test_a_sheet_is_for_who_is_on_duty(visitor: Visitor) -> None:
    make_person(role="citizen")
    visitor.log_in("anne@example.org")
    assert visitor.get("/compte/secours/").status_code == 403
    assert visitor.post("/compte/secours/").status_code == 403


def test_the_header_leads_in_or_to_the_account(visitor: Visitor) -> None:
    make_person()
    assert ">Se connecter</a>" in visitor.get("/secours/").content.decode()
    visitor.log_in("anne@example.org")
    assert ">Mon compte</a>" in visitor.get("/secours/").content.decode()
