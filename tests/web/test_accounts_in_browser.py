"""Accounts in a real browser: a passkey from first to last, and every page accessible, narrow and within its policy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import override_settings
from playwright.sync_api import Browser, BrowserContext, Page, expect

from lakou.identity.actions import break_glass
from tests import civic as civic_part
from tests.identity.conftest import PASSWORD, make_person, totp
from tests.web.conftest import serving
from tests.web.double import lamentin

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# Looked at by axe: one page of each make. The others hold nothing else; they are visited for their width and policy.
MADE = [
    "/secours/",
    "/compte/effacer/",
    "/compte/sessions/",
    "/compte/mot-de-passe/changer/",
    "/administration/personnes/inviter/",
]
PLAIN = [
    "/compte/",
    "/compte/nom/",
    "/compte/adresse/",
    "/compte/donnees/",
    "/compte/secours/",
    "/compte/second-facteur/",
    "/compte/second-facteur/cles/",
    "/compte/second-facteur/cles/ajouter/",
    "/compte/mot-de-passe/oublie/",
    "/compte/deconnexion/",
    "/administration/personnes/",
    "/administration/organisations/",
    "/administration/organisations/ajouter/",
]

pytestmark = pytest.mark.slow


def aside(work: Callable[[], Any]) -> Any:
    """Work on the database, for which Playwright's event loop leaves no room in this thread."""

    def run() -> Any:
        try:
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(run).result()


@pytest.fixture
def base(civic_database: Path) -> Iterator[str]:
    """The running pages, by the only name without TLS to which a browser gives passkeys."""
    with serving(lamentin()) as site, override_settings(PASSWORD_HASHERS=["tests.identity.conftest.QuickArgon2"]):
        aside(civic_part.empty)
        yield site.base.replace("127.0.0.1", "localhost")


class Seen:
    """A page, and what the browser complained of on it."""

    def __init__(self, context: BrowserContext) -> None:
        self.page: Page = context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(f"{self.page.url}: {message.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(f"{self.page.url}: {error}"))


def log_in(page: Page, base: str) -> None:
    page.goto(f"{base}/compte/connexion/")
    page.get_by_label("Adresse e-mail").fill("anne@example.org")
    page.get_by_label("Mot de passe", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")


def _as_five_minutes_later() -> None:
    """So that a sensitive act asks again."""
    for row in Session.objects.all():
        session = SessionStore(row.session_key)
        for record in session["account_authentication_methods"]:
            record["at"] -= 301
        session.modified = True
        session.save()


def test_a_passkey_is_the_second_factor_and_opens_the_account_without_password(browser: Browser, base: str) -> None:
    aside(lambda: make_person(role="administrator"))
    context = browser.new_context()
    seen = Seen(context)
    page = seen.page
    devtools = context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    made = devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    log_in(page, base)
    expect(page.get_by_role("alert")).to_contain_text("Il en faut un maintenant")
    page.get_by_role("link", name="Ajouter une clé").click()
    page.get_by_label("Passkey").check()
    page.get_by_role("button", name="Ajouter").click()
    expect(page.get_by_role("heading", name="Codes de récupération")).to_be_visible()
    page.goto(f"{base}/compte/deconnexion/")
    page.get_by_role("main").get_by_role("button", name="Se déconnecter").click()
    page.goto(f"{base}/compte/connexion/")
    page.get_by_role("button", name="Utiliser un passkey").click()
    expect(page.get_by_role("heading", name="Mon compte")).to_be_visible()
    page.goto(f"{base}/administration/personnes/")
    expect(page.get_by_role("heading", name="Personnes")).to_be_visible()

    aside(_as_five_minutes_later)
    page.goto(f"{base}/administration/personnes/inviter/")
    expect(page.get_by_role("heading", name="Confirmer que c’est vous")).to_be_visible()
    page.get_by_role("button", name="Utiliser ma clé").click()
    expect(page.get_by_role("heading", name="Inviter quelqu’un")).to_be_visible()

    page.goto(f"{base}/compte/deconnexion/")
    page.get_by_role("main").get_by_role("button", name="Se déconnecter").click()
    log_in(page, base)
    page.get_by_role("button", name="Utiliser ma clé").click()
    expect(page.get_by_role("heading", name="Mon compte")).to_be_visible()
    page.goto(f"{base}/administration/personnes/")
    expect(page.get_by_role("heading", name="Personnes")).to_be_visible()
    assert not seen.complaints

    page.goto(f"{base}/compte/deconnexion/")
    page.get_by_role("main").get_by_role("button", name="Se déconnecter").click()
    devtools.send("WebAuthn.setUserVerified", {"authenticatorId": made["authenticatorId"], "isUserVerified": False})
    page.goto(f"{base}/compte/connexion/")
    page.get_by_role("button", name="Utiliser un passkey").click()
    expect(page.locator("[data-webauthn-error]")).to_contain_text("Rien n’a été confirmé")
    context.close()


@pytest.mark.parametrize(("scheme", "width"), [("light", 320), ("dark", 1440)])
def test_every_page_is_accessible_narrow_and_within_its_policy(
    browser: Browser, base: str, axe: str, scheme: Any, width: int
) -> None:
    aside(lambda: make_person(role="administrator", name="Anne Dupont"))
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})
    seen = Seen(context)
    page, found = seen.page, []

    def look(heading: str = "") -> None:
        if heading:
            expect(page.get_by_role("heading", level=1)).to_have_text(heading)
        # axe is put in from outside: the page's own policy would refuse it.
        page.evaluate(axe)
        answer = page.evaluate("tags => axe.run({runOnly: tags})", TAGS)
        found.extend((page.url, v["id"], [n["html"][:120] for n in v["nodes"]]) for v in answer["violations"])
        measure()

    def measure() -> None:
        if page.evaluate("document.documentElement.scrollWidth") > width:
            found.append((page.url, "too wide", []))

    page.goto(f"{base}/compte/connexion/")
    page.get_by_label("Adresse e-mail").fill("anne@example.org")
    page.get_by_label("Mot de passe", exact=True).fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").first).to_contain_text("Cela n’a pas marché")
    look()
    log_in(page, base)
    look("Second facteur")
    page.get_by_role("link", name="Ajouter une application").click()
    look("Ajouter une application")
    page.get_by_label("Code que montre").fill(totp(page.locator(".key-text").text_content() or ""))
    page.get_by_role("button", name="Activer").click()
    look("Codes de récupération")
    # By night only the colours differ: what was seen so far has them all.
    for path in MADE if scheme == "light" else ():
        page.goto(base + path)
        look()
    for path in PLAIN if scheme == "light" else ():
        page.goto(base + path)
        measure()
    page.goto(f"{base}/administration/personnes/")
    page.get_by_role("link", name="Anne Dupont").click()
    look("Anne Dupont")
    page.goto(f"{base}/compte/secours/")
    page.get_by_role("button", name="Faire une nouvelle feuille").click()
    look("Codes de secours, Le Lamentin")
    context.close()
    assert (found, seen.complaints) == ([], [])


def reach(page: Page, selector: str) -> None:
    """Press Tab until the focus is there, and see that it shows."""
    for _ in range(80):
        page.keyboard.press("Tab")
        if (focus := page.locator(f":is({selector}):focus")).count():
            drawn = "e => getComputedStyle(e).outlineStyle == 'none' ? 0 : parseFloat(getComputedStyle(e).outlineWidth)"
            assert focus.evaluate(drawn) >= 2, f"{selector}: the focus does not show"
            return
    raise AssertionError(f"Tab does not come to {selector} on {page.url}")


def follow(page: Page, selector: str, heading: str) -> None:
    """Go somewhere by Tab and Enter."""
    reach(page, selector)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(heading)


def test_an_account_is_kept_without_javascript_by_keyboard_alone(browser: Browser, base: str) -> None:
    aside(lambda: make_person(role="citizen", name="Anne"))
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{base}/compte/connexion/")
    reach(page, "[name=login]")
    page.keyboard.type("anne@example.org")
    reach(page, "[name=password]")
    page.keyboard.type(PASSWORD)
    follow(page, "main button[type=submit]", "Mon compte")
    follow(page, "a[href='/compte/nom/']", "Changer le nom")
    reach(page, "[name=name]")
    page.keyboard.press("Control+A")
    page.keyboard.type("Anne Marie")
    follow(page, "main button[type=submit]", "Mon compte")
    expect(page.locator("main")).to_contain_text("Anne Marie")
    follow(page, "a[href='/compte/mot-de-passe/changer/']", "Changer le mot de passe")
    for name, text in (("oldpassword", PASSWORD), ("password1", "quatre mornes et deux rivieres"), ("password2", "x")):
        reach(page, f"[name={name}]")
        page.keyboard.type(text)
    page.keyboard.press("Enter")
    expect(page.locator(".wrong")).to_have_count(1)
    page.goto(f"{base}/compte/sessions/")
    reach(page, "main button")
    page.goto(f"{base}/compte/")
    follow(page, "a[href='/compte/deconnexion/']", "Se déconnecter")
    reach(page, "main button[type=submit]")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{base}/")
    context.close()


def test_break_glass_works_without_javascript_by_keyboard_alone(browser: Browser, base: str) -> None:
    codes = aside(lambda: break_glass.print_sheet(person=make_person(role="approver")))
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{base}/secours/")
    page.get_by_label("Adresse e-mail").focus()
    for text in ("anne@example.org", PASSWORD, codes[0].lower()):
        page.keyboard.type(text)
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Mon compte")).to_be_visible()
    context.close()


def test_an_administrator_comes_from_the_log_in_to_a_token_and_to_its_row_in_the_journal(
    browser: Browser, base: str, axe: str
) -> None:
    aside(lambda: make_person(role="administrator", name="Anne Marie"))
    context = browser.new_context(viewport={"width": 320, "height": 900}, java_script_enabled=True)
    page = context.new_page()
    page.goto(f"{base}/administration/jetons/")
    page.get_by_role("link", name="Se connecter").last.click()
    page.get_by_label("Adresse e-mail").fill("anne@example.org")
    page.get_by_label("Mot de passe", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/compte/second-facteur/")
    page.goto(f"{base}/compte/second-facteur/application/")
    page.locator("#id_code").fill(totp(page.locator(".key-text").inner_text()))
    page.keyboard.press("Enter")
    page.wait_for_url("**/compte/second-facteur/codes/")
    page.goto(f"{base}/compte/")
    page.get_by_role("link", name="Jetons").click()
    page.get_by_label("Nom").fill("limnimetre-12")
    page.get_by_role("button", name="Créer le jeton").click()
    expect(page.locator(".secret code")).to_contain_text("lk_")
    page.get_by_role("link", name="Journal").click()
    row = page.locator("tbody tr", has_text="limnimetre-12")
    expect(row).to_contain_text("Anne Marie")
    assert "anne@example.org" not in page.locator("main").inner_text()
    page.evaluate(axe)
    found = page.evaluate("tags => axe.run({runOnly: tags})", TAGS)
    assert not [(one["id"], one["nodes"][0]["html"][:200]) for one in found["violations"]]
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    context.close()
