"""People and organisations, administered."""

from __future__ import annotations

import re
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from django.test import override_settings

from lakou.identity import queries
from lakou.identity.actions import people as actions
from lakou.identity.models import Invitation, Organisation, RoleGrant
from tests.identity.conftest import Visitor, make_organisation, make_person, target

pytestmark = pytest.mark.usefixtures("pages")

PEOPLE = "/administration/personnes/"


def test_an_invitation_is_shown_once_as_a_link_that_works(administrator: Any, visitor: Visitor) -> None:
    where = administrator.grants.get().organisation
    given = {"email": "Jo@example.org", "organisation": where.pk, "role": "approver", "territory": ""}
    page = visitor.post(PEOPLE + "inviter/", given).content.decode()
    found = re.search(r"http://testserver(/invitation/[\w-]+/)", page)
    assert found
    assert "jo@example.org" in visitor.get(PEOPLE).content.decode()
    assert found[1] not in visitor.get(PEOPLE).content.decode()
    assert Visitor().get(found[1]).status_code == 302


@override_settings(
    LAKOU_HAS_MAIL=True,
    LAKOU_BASE_URL="https://lakou.example.org",
    EMAIL_BACKEND="django.core.mail.backends.locmem.EmailBackend",
)
def test_where_there_is_mail_the_link_is_sent_too(administrator: Any, visitor: Visitor) -> None:
    where = administrator.grants.get().organisation
    mail.outbox = []
    given = {"email": "jo@example.org", "organisation": where.pk, "role": "approver"}
    page = visitor.post(PEOPLE + "inviter/", given).content.decode()
    assert "Il est parti par courrier" in page
    (sent,) = mail.outbox
    link = next(word for word in str(sent.body).split() if "/invitation/" in word)
    assert link.startswith("https://lakou.example.org/invitation/")
    assert link in page
    assert sent.to == ["jo@example.org"]


@override_settings(LAKOU_HAS_MAIL=True, EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend", EMAIL_PORT=9)
def test_when_the_mail_server_is_away_the_link_is_handed_over(administrator: Any, visitor: Visitor) -> None:
    where = administrator.grants.get().organisation
    given = {"email": "jo@example.org", "organisation": where.pk, "role": "approver"}
    assert "remettez-le vous-même" in visitor.post(PEOPLE + "inviter/", given).content.decode()


def test_an_open_invitation_can_be_withdrawn(administrator: Any, visitor: Visitor) -> None:
    where = administrator.grants.get().organisation
    visitor.post(PEOPLE + "inviter/", {"email": "jo@example.org", "organisation": where.pk, "role": "observer"})
    visitor.post(f"/administration/invitations/{Invitation.objects.get().pk}/retirer/")
    assert Invitation.objects.get().withdrawn is not None
    assert "jo@example.org" not in visitor.get(PEOPLE).content.decode()


def test_roles_are_granted_and_ended_and_stay_as_history(administrator: Any, visitor: Visitor) -> None:
    person = make_person("b@example.org", "observer", name="Bo")
    where = administrator.grants.get().organisation
    visitor.post(f"{PEOPLE}{person.pk}/roles/", {"organisation": where.pk, "role": "approver"})
    assert {role.role for role in queries.active_roles(person)} == {"observer", "approver"}
    assert RoleGrant.objects.get(role="approver").granted_by == administrator
    visitor.post(f"{PEOPLE}{person.pk}/roles/{RoleGrant.objects.get(role='approver').pk}/terminer/")
    assert {role.role for role in queries.active_roles(person)} == {"observer"}
    assert "Rôles terminés (1)" in visitor.get(f"{PEOPLE}{person.pk}/").content.decode()


def test_the_last_administrator_is_told_why_the_role_stays(administrator: Any, visitor: Visitor) -> None:
    only = administrator.grants.get()
    visitor.post(f"{PEOPLE}{administrator.pk}/roles/{only.pk}/terminer/")
    assert "dernier administrateur" in visitor.get(PEOPLE).content.decode()
    assert queries.active_roles(administrator)


def test_a_lost_second_factor_is_taken_away_and_sessions_end(administrator: Any, visitor: Visitor) -> None:
    person = make_person("b@example.org", "approver")
    other = Visitor()
    other.log_in("b@example.org")
    other.enrol()
    assert target(visitor.post(f"{PEOPLE}{person.pk}/second-facteur/")) == f"{PEOPLE}{person.pk}/"
    assert not Authenticator.objects.filter(user=person).exists()
    assert target(other.get("/compte/")) == "/compte/connexion/"
    other.log_in("b@example.org")
    assert target(other.get("/compte/")) == "/compte/second-facteur/"


def test_a_link_for_a_new_password_leaves_the_second_factor(administrator: Any, visitor: Visitor) -> None:
    person = make_person("b@example.org", "approver")
    page = visitor.post(f"{PEOPLE}{person.pk}/mot-de-passe/").content.decode()
    found = re.search(r"http://testserver(/invitation/[\w-]+/)", page)
    assert found
    other = Visitor()
    other.get(found[1])
    new = "une autre longue phrase"
    other.post("/invitation/", {"password1": new, "password2": new})
    assert target(other.log_in("b@example.org", new)) == "/compte/"


def test_an_account_is_closed_with_its_sessions_and_opened_again(administrator: Any, visitor: Visitor) -> None:
    person = make_person("b@example.org", "observer")
    other = Visitor()
    other.log_in("b@example.org")
    visitor.post(f"{PEOPLE}{person.pk}/fermer/")
    assert "Le compte est fermé" in visitor.get(f"{PEOPLE}{person.pk}/").content.decode()
    assert target(other.get("/compte/")) == "/compte/connexion/"
    assert target(other.log_in("b@example.org")) == "/compte/inactif/"
    visitor.post(f"{PEOPLE}{person.pk}/fermer/")
    assert target(other.log_in("b@example.org")) == "/compte/"


def test_people_are_found_by_name_or_address(administrator: Any, visitor: Visitor) -> None:
    make_person("b@example.org", "observer", name="Berthe Zéphyr")
    make_person("c@example.org", "observer", name="Corinne Alizé")
    page = visitor.get(PEOPLE, {"q": "zéphyr"}).content.decode()
    assert "Berthe" in page
    assert "Corinne" not in page
    assert "Corinne" in visitor.get(PEOPLE, {"q": "C@EXAMPLE"}).content.decode()


def test_nobody_resets_or_closes_their_own_account_there(administrator: Any, visitor: Visitor) -> None:
    page = visitor.get(f"{PEOPLE}{administrator.pk}/").content.decode()
    assert "Fermer le compte" not in page
    for path in ("fermer/", "second-facteur/", "mot-de-passe/"):
        assert visitor.post(f"{PEOPLE}{administrator.pk}/{path}").status_code == 403
    assert visitor.get("/compte/").status_code == 200


def test_other_roles_have_no_administration(visitor: Visitor) -> None:
    make_person(role="data_steward")
    visitor.log_in("anne@example.org")
    for path in (PEOPLE, PEOPLE + "inviter/", PEOPLE + "1/", "/administration/organisations/"):
        answer = visitor.get(path)
        assert answer.status_code == 403
        assert "pas pour vous" in answer.content.decode()


@pytest.fixture
def of_one(visitor: Visitor) -> Any:
    """An administrator of one commune, on a site that another organisation runs."""
    make_organisation("hôte")
    person = make_person("maire@example.org", "administrator", make_organisation("Ducos", "commune"))
    visitor.log_in("maire@example.org")
    visitor.enrol()
    return person


def test_an_administrator_of_one_sees_and_changes_only_its_own(of_one: Any, visitor: Visitor) -> None:
    other = make_organisation("Le Lamentin", "commune")
    stranger = make_person("s@example.org", "observer", other, name="Stranger")
    grant = stranger.grants.get()
    assert "Stranger" not in visitor.get(PEOPLE).content.decode()
    assert visitor.get(f"{PEOPLE}{stranger.pk}/").status_code == 404
    assert visitor.post(f"{PEOPLE}{stranger.pk}/roles/{grant.pk}/terminer/").status_code == 404
    assert visitor.post(f"{PEOPLE}{stranger.pk}/second-facteur/").status_code == 404
    assert visitor.get(f"/administration/organisations/{other.pk}/").status_code == 404
    assert visitor.get("/administration/organisations/ajouter/").status_code == 403
    given = {"email": "x@example.org", "organisation": other.pk, "role": "administrator"}
    visitor.post(PEOPLE + "inviter/", given)
    assert not Invitation.objects.exists()
    assert queries.active_roles(stranger)


def test_it_cannot_open_the_account_of_who_is_also_elsewhere(of_one: Any, visitor: Visitor) -> None:
    own = of_one.grants.get().organisation
    both = make_person("both@example.org", "observer", own)
    actions.grant_role(person=both, organisation=make_organisation("Rivière", "commune"), role="approver")
    page = visitor.get(f"{PEOPLE}{both.pk}/").content.decode()
    assert "Retirer le second facteur" not in page
    assert "Rivière" not in page
    for path in ("second-facteur/", "mot-de-passe/"):
        assert visitor.post(f"{PEOPLE}{both.pk}/{path}").status_code == 403


def test_it_cannot_give_a_role_elsewhere(of_one: Any, visitor: Visitor) -> None:
    host = Organisation.objects.get(is_host=True)
    answer = visitor.post(f"{PEOPLE}{of_one.pk}/roles/", {"organisation": host.pk, "role": "administrator"})
    assert answer.status_code == 400
    assert len(queries.active_roles(of_one)) == 1


def test_organisations_are_added_and_corrected(administrator: Any, visitor: Visitor) -> None:
    given = {"name": "Le Lamentin", "kind": "commune", "siret_text": "732 829 320 00074", "territory": "le-lamentin"}
    visitor.post("/administration/organisations/ajouter/", given)
    made = Organisation.objects.get(name="Le Lamentin")
    assert (made.siret, made.is_host) == ("73282932000074", False)
    answer = visitor.post(f"/administration/organisations/{made.pk}/", {**given, "siret_text": "73282932000075"})
    assert "clé de contrôle" in answer.content.decode()
    visitor.post(f"/administration/organisations/{made.pk}/", {**given, "name": "Ville du Lamentin"})
    assert "Ville du Lamentin" in visitor.get("/administration/organisations/").content.decode()
