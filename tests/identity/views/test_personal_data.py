"""One's own data as a file, and the account that is erased."""

from __future__ import annotations

from typing import Any

import pytest

from lakou.identity import queries
from lakou.identity.actions import people as actions
from lakou.identity.actions.personal_data import erase_person
from lakou.identity.journal import queries as journal
from lakou.identity.models import Person
from tests.identity.conftest import Visitor, make_organisation, make_person, target
from tests.identity.test_adapters import _forget_asking

pytestmark = pytest.mark.usefixtures("pages")

PEOPLE = "/administration/personnes/"


def test_my_data_come_as_a_file_that_no_cache_keeps(visitor: Visitor) -> None:
    anne = make_person(name="Anne Dupont")
    visitor.log_in("anne@example.org")
    assert "Télécharger le fichier" in visitor.get("/compte/donnees/").content.decode()
    answer = visitor.post("/compte/donnees/")
    assert answer["Content-Type"] == "application/json"
    assert answer["Content-Disposition"] == f'attachment; filename="lakou-personne-{anne.pk}.json"'
    assert "no-store" in answer["Cache-Control"]
    assert answer.json()["person"]["name"] == "Anne Dupont"


def test_who_has_not_shown_lately_that_it_is_them_is_asked_again(visitor: Visitor) -> None:
    make_person()
    visitor.log_in("anne@example.org")
    _forget_asking(visitor)
    for path in ("/compte/donnees/", "/compte/effacer/"):
        assert target(visitor.get(path)) == "/compte/confirmer/"
        assert target(visitor.post(path, {"email": "anne@example.org"})) == "/compte/confirmer/"
    assert Person.objects.exists()


def test_an_account_is_erased_with_its_address_typed_and_the_browser_is_out(visitor: Visitor) -> None:
    make_person("host@example.org", "administrator")
    anne = make_person()
    other = Visitor()
    for each in (visitor, other):
        each.log_in("anne@example.org")
    answer = visitor.post("/compte/effacer/", {"email": "bo@example.org"})
    assert answer.status_code == 400
    assert "Rien n’a été effacé" in answer.content.decode()
    number = anne.pk
    answer = visitor.post("/compte/effacer/", {"email": "Anne@example.org"})
    page = answer.content.decode()
    assert "Compte effacé" in page
    assert ">Se connecter</a>" in page
    assert answer.cookies["sessionid"].value == ""
    assert not Person.objects.filter(pk=number).exists()
    for each in (visitor, other):
        assert target(each.get("/compte/")) == "/compte/connexion/"
    row = journal.rows().last()
    assert row is not None
    assert (row.act, row.actor_name, row.subject) == ("person.erased", f"person:{number}", f"person:{number}")


def test_the_last_administrator_is_told_to_name_another_first(administrator: Any, visitor: Visitor) -> None:
    answer = visitor.post("/compte/effacer/", {"email": "admin@example.org"})
    assert answer.status_code == 400
    assert "Nommez-en d’abord un autre" in answer.content.decode()
    assert queries.active_roles(administrator)


def test_an_administrator_hands_over_and_erases_for_another(administrator: Any, visitor: Visitor) -> None:
    anne = make_person(role="observer")
    page = visitor.get(f"{PEOPLE}{anne.pk}/").content.decode()
    assert f"{PEOPLE}{anne.pk}/donnees/" in page
    assert visitor.post(f"{PEOPLE}{anne.pk}/donnees/").json()["person"]["email"] == "anne@example.org"
    path = f"{PEOPLE}{anne.pk}/effacer/"
    assert visitor.post(path, {"email": ""}).status_code == 400
    assert target(visitor.post(path, {"email": "anne@example.org"})) == PEOPLE
    assert f"personne {anne.pk}" in visitor.get(PEOPLE).content.decode()
    assert visitor.get(path).status_code == 404


def test_of_who_is_also_elsewhere_only_the_host_disposes(visitor: Visitor) -> None:
    make_organisation("hôte")
    own = make_organisation("Ducos", "commune")
    make_person("maire@example.org", "administrator", own)
    visitor.log_in("maire@example.org")
    visitor.enrol()
    both = make_person("both@example.org", "observer", own)
    actions.grant_role(person=both, organisation=make_organisation("Rivière", "commune"), role="approver")
    assert "effacer/" not in visitor.get(f"{PEOPLE}{both.pk}/").content.decode()
    assert visitor.post(f"{PEOPLE}{both.pk}/donnees/").status_code == 403
    assert visitor.post(f"{PEOPLE}{both.pk}/effacer/", {"email": "both@example.org"}).status_code == 403
    assert Person.objects.filter(pk=both.pk).exists()


def test_who_is_erased_half_way_through_a_log_in_stays_out(visitor: Visitor) -> None:
    make_person("host@example.org", "administrator")
    anne = make_person()
    visitor.log_in("anne@example.org")
    visitor.enrol()
    half = Visitor()
    assert target(half.log_in("anne@example.org")) == "/compte/second-facteur/donner/"
    erase_person(person=anne)
    assert target(half.get("/compte/second-facteur/donner/")) == "/compte/connexion/"
    assert target(half.post("/compte/second-facteur/donner/", {"code": "000000"})) == "/compte/connexion/"
    assert not half.is_in()
