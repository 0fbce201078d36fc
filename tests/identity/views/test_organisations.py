"""Handing the site on to another organisation."""

from __future__ import annotations

from typing import Any

import pytest

from lakou.identity import queries
from lakou.identity.models import Organisation
from tests.identity.conftest import Visitor, make_organisation, make_person, target
from tests.identity.test_adapters import _forget_asking

pytestmark = pytest.mark.usefixtures("pages")


def path_of(organisation: Organisation) -> str:
    return f"/administration/organisations/{organisation.pk}/hote/"


@pytest.fixture
def ducos(administrator: Any) -> Any:
    """An organisation whose administrator has a second factor."""
    made = make_organisation("Ducos", "commune")
    make_person("maire@example.org", "administrator", made, name="Maire Ducos")
    mayor = Visitor()
    mayor.log_in("maire@example.org")
    mayor.enrol()
    return made


def test_it_is_handed_on_knowingly_and_who_handed_it_on_has_it_no_more(visitor: Visitor, ducos: Any) -> None:
    assert path_of(ducos) in visitor.get("/administration/organisations/").content.decode()
    assert "Maire Ducos" in visitor.get(path_of(ducos)).content.decode()
    assert visitor.post(path_of(ducos)).status_code == 400
    assert queries.host() != ducos
    assert target(visitor.post(path_of(ducos), {"understood": "on"})) == "/compte/"
    assert queries.host() == ducos
    assert visitor.get("/administration/journal/").status_code == 403
    assert visitor.get("/administration/organisations/ajouter/").status_code == 403
    back = Organisation.objects.get(name="CTM")
    assert visitor.post(path_of(back), {"understood": "on"}).status_code == 403
    assert "Lui confier" not in visitor.get("/administration/organisations/").content.decode()


def test_it_is_asked_again_who_is_there_before(visitor: Visitor, ducos: Any) -> None:
    _forget_asking(visitor)
    assert target(visitor.post(path_of(ducos), {"understood": "on"})) == "/compte/second-facteur/confirmer/"
    assert queries.host() != ducos


def test_without_somebody_who_can_act_there_it_is_refused_in_words(administrator: Any, visitor: Visitor) -> None:
    empty = make_organisation("Ducos", "commune")
    assert "Pas encore" in visitor.get(path_of(empty)).content.decode()
    answer = visitor.post(path_of(empty), {"understood": "on"})
    assert answer.status_code == 400
    assert queries.host() != empty


def test_the_host_has_it_already_and_nobody_else_is_there(administrator: Any, visitor: Visitor) -> None:
    host = queries.host()
    assert host is not None
    assert "tient déjà ce site" in visitor.get(path_of(host)).content.decode()
    assert visitor.post(path_of(host)).status_code == 400
    assert visitor.get("/administration/organisations/999/hote/").status_code == 404
