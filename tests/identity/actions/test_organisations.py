"""Organisations and the scope that each of them has."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.db import connection

from lakou.identity import actions as tokens
from lakou.identity import queries, scopes
from lakou.identity.actions import organisations, people
from lakou.identity.journal import queries as journal
from lakou.identity.models import Organisation, Scope, Token
from lakou.identity.policy.sessions import actor_of
from lakou.kernel.errors import BadRequest, Conflict
from tests.identity.conftest import make_organisation, make_person

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


# ── handing the site on ──


@pytest.fixture
def sites() -> tuple[Any, Any]:
    """The host and another organisation, an administrator in each; that of the other has a second factor."""
    host, other = make_organisation(), make_organisation("Ducos", "commune")
    make_person("host@example.org", "administrator", host)
    mayor = make_person("maire@example.org", "administrator", other)
    Authenticator.objects.create(user=mayor, type="totp", data={"secret": "x"})
    return host, other


def hosts() -> list[str]:
    return [one.name for one in Organisation.objects.filter(is_host=True)]


def test_the_site_is_handed_on_and_the_rights_with_it(sites: tuple[Any, Any]) -> None:
    host, other = sites
    tokens.create_token(name="gauge", role="device")
    tokens.create_token(name="backup", role="agent")
    by = queries.person_by_email("host@example.org")
    assert by is not None
    organisations.hand_on_host(organisation=other, by=by)
    assert hosts() == ["Ducos"]
    mayor = queries.person_by_email("maire@example.org")
    assert mayor is not None
    assert [grant.organisation for grant in actor_of(mayor, mfa=True).grants] == [None]
    assert [grant.organisation for grant in actor_of(by, mfa=True).grants] == [host.pk]
    # The gauge stays with whom it served; the program goes with the site.
    assert {one.name: one.organisation for one in Token.objects.all()} == {"gauge": host, "backup": None}
    row = journal.rows().last()
    assert row is not None
    assert (row.act, row.actor_name, row.subject) == (
        "organisation.made_host", f"person:{by.pk}", f"organisation:{other.pk}",
    )  # fmt: skip
    assert row.detail == f'{{"before":{host.pk},"devices":1}}'


def test_doing_so_again_changes_nothing(sites: tuple[Any, Any]) -> None:
    organisations.hand_on_host(organisation=sites[1])
    before = journal.head()
    organisations.hand_on_host(organisation=sites[1])
    assert (hosts(), journal.head()) == (["Ducos"], before)


@pytest.mark.parametrize("flaw", ["nobody", "no factor", "a part", "closed"])
def test_never_to_where_nobody_can_act(sites: tuple[Any, Any], flaw: str) -> None:
    mayor: Any = queries.person_by_email("maire@example.org")
    if flaw == "no factor":
        Authenticator.objects.all().delete()
    elif flaw == "closed":
        people.close_account(person=mayor)
    else:
        people.end_role(grant=mayor.grants.get())
    if flaw == "a part":
        people.grant_role(person=mayor, organisation=sites[1], role="administrator", territory="ducos")
    with pytest.raises(Conflict) as caught:
        organisations.hand_on_host(organisation=sites[1])
    assert caught.value.place == "host"
    assert hosts() == ["CTM"]


def test_of_handing_on_and_ending_the_last_role_there_at_once_one_happens(sites: tuple[Any, Any]) -> None:
    mayor: Any = queries.person_by_email("maire@example.org")
    start = threading.Barrier(2)

    def at_once(work: Callable[[], object]) -> None:
        start.wait()
        try:
            work()
        except Conflict:
            pass
        finally:
            connection.close()

    works = (
        lambda: organisations.hand_on_host(organisation=sites[1]),
        lambda: people.end_role(grant=mayor.grants.get()),
    )
    threads = [threading.Thread(target=at_once, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    host = queries.host()
    assert host is not None
    assert queries.administrators_of_whole(host).exists()
