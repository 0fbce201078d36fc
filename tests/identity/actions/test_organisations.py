"""Organisations and the scope that each of them has."""

import pytest

from lakou.identity import scopes
from lakou.identity.actions import organisations
from lakou.identity.models import Scope
from lakou.kernel.errors import BadRequest, Conflict
from tests.identity.conftest import make_organisation

pytestmark = pytest.mark.usefixtures("people")


def test_the_first_one_runs_the_site_and_each_has_a_scope_of_its_own() -> None:
    first, second = make_organisation("CTM"), make_organisation("Le Lamentin", "commune")
    assert (first.is_host, second.is_host) == (True, False)
    assert len({first.scope_id, second.scope_id, scopes.PUBLIC, scopes.UNCLAIMED}) == 4


def test_name_and_siret_are_taken_once() -> None:
    create = organisations.create_organisation
    create(name=" Le  Lamentin ", kind="commune", siret_text="732 829 320 00074", territory="le-lamentin")
    with pytest.raises(Conflict) as caught:
        create(name="Le Lamentin", kind="commune")
    assert caught.value.place == "name"
    with pytest.raises(Conflict) as caught:
        create(name="Autre", kind="company", siret_text="73282932000074")
    assert caught.value.place == "siret"


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 121}, "name"),
        ({"kind": "kingdom"}, "kind"),
        ({"siret_text": "73282932000075"}, "siret"),
        ({"territory": "x" * 61}, "territory"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_no_scope(given: dict[str, str], place: str) -> None:
    before = Scope.objects.count()
    with pytest.raises(BadRequest) as caught:
        organisations.create_organisation(**{"name": "A", "kind": "commune", **given})
    assert caught.value.place == place
    assert Scope.objects.count() == before


def test_a_correction_keeps_the_scope() -> None:
    made = make_organisation("Le Lamantin", "commune")
    changed = organisations.change_organisation(organisation=made, name="Le Lamentin", kind="commune")
    assert (changed.name, changed.scope_id) == ("Le Lamentin", made.scope_id)
