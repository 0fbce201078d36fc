"""Mail through a real server, from the product as it runs: STARTTLS, a log-in, and a server that is away."""

from __future__ import annotations

import re
import smtplib
from collections.abc import Iterator
from typing import NamedTuple

import httpx
import pytest

from lakou.identity.mail import Delivery, delivery_of
from tests.harness import make
from tests.harness.server import Server, running
from tests.harness.smtp import EXIM, MailServer, mail_server
from tests.identity.conftest import PASSWORD
from tests.identity.test_on_the_product import EMAIL, Person, lakou, target

NEW = "une autre longue phrase"
BASE = "http://lakou.example.org"


class Site(NamedTuple):
    """The product with a mail server, and its administrator's browser."""

    server: Server
    mail: MailServer
    administrator: Person
    organisation: str

    def browser(self) -> Person:
        return Person(base_url=self.server.origin)

    def link(self, to: str) -> str:
        """The path of the link in the next mail to this address."""
        message = self.mail.next_message(to)
        assert message["From"] == "lakou@lakou.example.org"
        body = message.get_body()
        assert body is not None
        found = re.search(rf"^{BASE}(/\S+)$", body.get_content(), re.MULTILINE)
        assert found, body.get_content()
        return found[1]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    if EXIM is None:
        pytest.skip("exim4 is not installed: no mail goes through a real server")
    with mail_server() as mail, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(mail.certificate))  # whom the product trusts
        settings = f'smtp_url = "{mail.url}"\nbase_url = "{BASE}"\n'
        with running("sqlite", settings=settings) as server, Person(base_url=server.origin) as browser:
            words = ["--role", "administrator", "--organisation", "CTM", "--kind", "ctm"]
            steps = (["user", "create", EMAIL, *words], PASSWORD + "\n"), (["user", "break-glass", EMAIL], "")
            code = re.search(r"\d\. ([0-9A-Z-]{34})", lakou(server, *steps))
            assert code
            browser.submit("/secours/", email=EMAIL, password=PASSWORD, code=code[1])
            page = browser.get("/administration/personnes/inviter/").text
            number = re.search(r'<option value="(\d+)"[^>]*>CTM', page)
            assert number, page
            yield Site(server, mail, browser, number[1])


@pytest.fixture
def guest(site: Site) -> str:
    """The address of somebody who has joined."""
    email = f"{make.unique('guest')}@example.org"
    answer = invited(site, email)
    assert "Il est parti par courrier" in answer.text
    joined(site, site.link(email))
    return email


def invited(site: Site, email: str) -> httpx.Response:
    given = {"email": email, "organisation": site.organisation, "role": "observer", "territory": ""}
    return site.administrator.submit("/administration/personnes/inviter/", **given)


def joined(site: Site, path: str) -> None:
    with site.browser() as browser:
        assert target(browser.get(path)) == "/invitation/"
        answer = browser.submit("/invitation/", name="Jo Marie", password1=PASSWORD, password2=PASSWORD)
        assert target(answer) == "/compte/connexion/"


def may_log_in(site: Site, email: str, password: str) -> bool:
    with site.browser() as browser:
        answer = browser.submit("/compte/connexion/", login=email, password=password)
        return answer.status_code == 302 and target(answer) == "/compte/"


def test_an_invitation_arrives_and_its_link_opens_an_account(site: Site, guest: str) -> None:
    assert may_log_in(site, guest, PASSWORD)


def test_a_forgotten_password_is_replaced_by_the_link_in_a_mail(site: Site, guest: str) -> None:
    with site.browser() as browser:
        assert target(browser.submit("/compte/mot-de-passe/oublie/", email=guest)).endswith("/envoye/")
        path = target(browser.get(site.link(guest)))  # the key leaves the address
        assert target(browser.submit(path, password1=NEW, password2=NEW)).endswith("/fait/")
    assert may_log_in(site, guest, NEW)
    assert not may_log_in(site, guest, PASSWORD)


def test_another_address_is_confirmed_by_mail_and_the_old_one_is_told(site: Site, guest: str) -> None:
    new = f"new-{guest}"
    with site.browser() as browser:
        browser.submit("/compte/connexion/", login=guest, password=PASSWORD)
        assert target(browser.submit("/compte/adresse/", address=new)) == "/compte/adresse/"
        assert target(browser.submit(site.link(new))) == "/compte/"
    body = site.mail.next_message(guest).get_body()
    assert body is not None
    assert f"{new} prend la place de {guest}" in body.get_content()
    assert may_log_in(site, new, PASSWORD)


def test_an_address_that_the_server_refuses_is_told_and_an_invitation_to_it_handed_over(site: Site) -> None:
    with site.browser() as browser:
        answer = browser.submit("/compte/mot-de-passe/oublie/", email="refused@example.org")
    assert answer.status_code == 422
    assert "refuse cette adresse" in answer.text
    assert "remettez-le vous-même" in invited(site, "refused@example.org").text


def test_while_the_server_is_away_it_is_said_nothing_is_lost_and_later_it_works(site: Site, guest: str) -> None:
    other = f"{make.unique('guest')}@example.org"
    site.mail.stop()
    try:
        with site.browser() as browser:
            answer = browser.submit("/compte/mot-de-passe/oublie/", email=guest)
            assert answer.status_code == 503
            assert "Rien n’est perdu" in answer.text
        page = invited(site, other).text
        assert "remettez-le vous-même" in page
        found = re.search(rf"{BASE}(/invitation/[\w-]+/)", page)
        assert found
        joined(site, found[1])
    finally:
        site.mail.start()
    with site.browser() as browser:
        assert browser.submit("/compte/mot-de-passe/oublie/", email=guest).status_code == 302
    assert "/compte/mot-de-passe/nouveau/" in site.link(guest)
    assert may_log_in(site, other, PASSWORD)
    log = site.server.tail(100_000)
    assert "mail was not sent" in log
    assert guest not in log


def test_only_a_refusal_for_good_of_the_address_is_one() -> None:
    refused = smtplib.SMTPRecipientsRefused({"a@example.org": (550, b"no such mailbox")})
    later = smtplib.SMTPRecipientsRefused({"a@example.org": (450, b"try again")})
    assert delivery_of(refused) is Delivery.REFUSED
    wrong = smtplib.SMTPAuthenticationError(535, b"no")
    assert [delivery_of(error) for error in (later, wrong, ConnectionRefusedError())] == [Delivery.AWAY] * 3
