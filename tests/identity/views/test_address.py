"""Changing one's name and address: confirmed first, told to the old one, and nothing half done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.test import override_settings

from lakou.identity import queries
from lakou.identity.actions import invitations
from lakou.identity.journal import queries as journal
from lakou.identity.models import Invitation, Person
from tests.identity.conftest import PASSWORD, Visitor, make_person, target
from tests.identity.test_adapters import _forget_asking

SITE = "https://lakou.example.org"
NEW = "anne.new@example.org"


@pytest.fixture(autouse=True)
def sent(pages: None) -> Iterator[list[Any]]:
    """What a site with a mail server has sent."""
    with override_settings(
        LAKOU_HAS_MAIL=True,
        LAKOU_BASE_URL=SITE,
        EMAIL_BACKEND="django.core.mail.backends.locmem.EmailBackend",
    ):
        mail.outbox = []
        yield mail.outbox


@pytest.fixture
def anne(visitor: Visitor) -> Any:
    person = make_person()
    visitor.log_in("anne@example.org")
    return person


def link(message: Any) -> str:
    found = next(word for word in str(message.body).split() if word.startswith(SITE))
    return found.removeprefix(SITE)


def asked(visitor: Visitor) -> str:
    """Ask for the new address; the path of the link that it was sent."""
    assert target(visitor.post("/compte/adresse/", {"address": NEW.upper()})) == "/compte/adresse/"
    (message,) = mail.outbox
    assert message.to == [NEW]
    return link(message)


def test_an_address_changes_when_it_is_confirmed_and_the_old_one_is_told(
    anne: Any, visitor: Visitor, sent: list[Any]
) -> None:
    path = asked(visitor)
    assert "En attente" in visitor.get("/compte/adresse/").content.decode()
    assert "prend la place de" in visitor.get(path).content.decode()
    anne.refresh_from_db()
    assert anne.email == "anne@example.org"
    assert target(visitor.post(path)) == "/compte/"
    anne.refresh_from_db()
    assert anne.email == NEW
    assert list(EmailAddress.objects.values_list("email", "verified", "primary")) == [(NEW, True, True)]
    assert sent[1].to == ["anne@example.org"]
    assert NEW in str(sent[1].body)
    row = journal.rows().last()
    assert row is not None
    assert (row.act, row.subject, row.detail) == ("person.changed", f"person:{anne.pk}", '{"what":"email"}')
    assert target(Visitor().log_in(NEW)) == "/compte/"
    assert not Visitor().log_in("anne@example.org").has_header("Location")
    assert "ne fonctionne pas" in visitor.get(path).content.decode()


def test_only_its_person_confirms_it(anne: Any, visitor: Visitor) -> None:
    path = asked(visitor)
    make_person("bo@example.org")
    stranger, other = Visitor(), Visitor()
    other.log_in("bo@example.org")
    for method in ("get", "post"):
        assert getattr(stranger, method)(path)["Location"] == f"/compte/connexion/?{urlencode({'next': path})}"
        assert getattr(other, method)(path).status_code == 403
    anne.refresh_from_db()
    assert anne.email == "anne@example.org"


def test_it_is_asked_again_who_is_there_before(anne: Any, visitor: Visitor) -> None:
    _forget_asking(visitor)
    assert target(visitor.post("/compte/adresse/", {"address": NEW})) == "/compte/confirmer/"
    assert not mail.outbox


@pytest.mark.parametrize("address", ["", "anne", "anne@example.org", "Anne@Example.org"])
def test_what_is_no_other_address_is_refused(anne: Any, visitor: Visitor, address: str) -> None:
    assert visitor.post("/compte/adresse/", {"address": address}).status_code == 400
    assert not mail.outbox


def test_an_address_that_somebody_else_has_is_never_taken(anne: Any, visitor: Visitor) -> None:
    make_person(NEW)
    path = asked(visitor)
    assert target(visitor.post(path)) == "/compte/adresse/"
    assert len(mail.outbox) == 1  # the old address is not told of what does not happen
    assert "déjà un compte" in visitor.get("/compte/adresse/").content.decode()
    assert Person.objects.get(pk=anne.pk).email == "anne@example.org"


def test_one_that_was_asked_for_can_be_dropped_or_sent_again_but_not_at_once(anne: Any, visitor: Visitor) -> None:
    path = asked(visitor)
    visitor.post("/compte/adresse/", {"which": "again"})
    assert "Attendez trois minutes" in visitor.get("/compte/adresse/").content.decode()
    assert len(mail.outbox) == 1
    visitor.post("/compte/adresse/", {"which": "none"})
    assert not queries.asked_addresses(anne).exists()
    assert "ne fonctionne pas" in visitor.get(path).content.decode()
    assert EmailAddress.objects.get(user=anne).primary


def test_links_for_a_new_password_to_the_old_address_stop(anne: Any, visitor: Visitor) -> None:
    path = asked(visitor)
    secret = invitations.make_password_link(person=anne).secret
    visitor.post(path)
    assert Invitation.objects.get().withdrawn is not None
    assert Visitor().get(f"/invitation/{secret}/").status_code == 404


AWAY = override_settings(EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend", EMAIL_PORT=9)


def test_while_the_mail_server_is_away_nothing_changes_and_the_link_stays_good(anne: Any, visitor: Visitor) -> None:
    with AWAY:
        answer = visitor.post("/compte/adresse/", {"address": NEW})
        assert answer.status_code == 503
        assert "Le courrier n’est pas parti" in answer.content.decode()
    visitor.post("/compte/adresse/", {"which": "again"})  # at once: what did not leave does not count
    path = link(mail.outbox[0])
    with AWAY:
        assert visitor.post(path).status_code == 503
    assert Person.objects.get(pk=anne.pk).email == "anne@example.org"
    assert target(visitor.post(path)) == "/compte/"
    assert Person.objects.get(pk=anne.pk).email == NEW


def test_a_site_without_mail_says_who_changes_it(anne: Any, visitor: Visitor, tmp_path: Path) -> None:
    with override_settings(LAKOU_HAS_MAIL=False):
        assert "lakou user change" in visitor.get("/compte/adresse/").content.decode()
        assert visitor.post("/compte/adresse/", {"address": NEW}).status_code == 409
    assert not EmailAddress.objects.filter(email=NEW).exists()


def test_a_name_is_changed_and_noted_without_it(anne: Any, visitor: Visitor) -> None:
    assert target(visitor.post("/compte/nom/", {"name": "  Anne   Dupont "})) == "/compte/"
    assert "Anne Dupont" in visitor.get("/compte/").content.decode()
    visitor.post("/compte/nom/", {"name": "Anne Dupont"})
    rows = journal.rows(act="person.changed").filter(subject=f"person:{anne.pk}")
    assert [row.detail for row in rows] == ['{"what":"name"}']
    assert visitor.post("/compte/nom/", {"name": "x" * 121}).status_code == 400


def test_the_password_is_still_the_same(anne: Any, visitor: Visitor) -> None:
    visitor.post(asked(visitor))
    anne.refresh_from_db()
    assert anne.check_password(PASSWORD)
    assert visitor.get("/compte/").status_code == 200
