"""The administration's pages in a real browser: accessible, narrow, by keyboard, without JavaScript."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from playwright.sync_api import Browser

from lakou.identity import actions
from lakou.identity.models import Token
from lakou.identity.policy import Actor, ActorKind, Grant, Role, requests
from tests.web.conftest import Site
from tests.web.test_pages_in_browser import TAGS, open_page

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("civic_database")]

HEAD = Actor(kind=ActorKind.PERSON, id=1, name="Aline", grants=frozenset({Grant(Role.ADMINISTRATOR)}), mfa=True)


@pytest.fixture(autouse=True)
def head() -> Iterator[None]:
    """The visitor is the site's administrator, and there are tokens to see."""
    before = requests._find_person
    requests.find_people_with(lambda request: HEAD)
    # Not in this thread: while a browser is open Playwright keeps a loop running in it, and Django refuses to work.
    with ThreadPoolExecutor(1) as elsewhere:
        pages[1] = elsewhere.submit(make_tokens).result()
    yield
    requests.find_people_with(before)


def make_tokens() -> str:
    """Two tokens; the address of the page of the first."""
    Token.objects.all().delete()
    given = [12, 13, 1_000_014]
    made = actions.create_token(
        name="limnimetre-de-la-riviere-caleton-12", role="device", datastreams=given, actor=HEAD
    )
    actions.create_token(name="ancien", role="admin", actor=HEAD)
    actions.revoke_token(name="ancien", actor=HEAD)
    connection.close()
    return f"/administration/jetons/{made.token.pk}/"


pages = ["/administration/jetons/", "", "/administration/journal/"]


def test_the_pages_are_accessible_and_fit_a_small_screen(browser: Browser, site: Site, axe: str) -> None:
    looks = [("jour", 320), ("nuit", 1440), ("jour", 320)]
    for address, (theme, width) in zip(pages, looks, strict=True):
        page = open_page(browser, f"{site.base}{address}?theme={theme}", width)
        page.evaluate(axe)
        found = page.evaluate("tags => axe.run({runOnly: tags})", TAGS)
        assert not [(v["id"], [n["html"][:120] for n in v["nodes"]]) for v in found["violations"]], address
        page.set_viewport_size({"width": 320, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, address
        page.close()


def test_a_token_is_made_by_keyboard_alone_without_javascript(browser: Browser, site: Site) -> None:
    page = open_page(browser, f"{site.base}/administration/jetons/", java_script_enabled=False)
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.locator("#id_name:focus").count():
            break
    page.keyboard.type("clavier")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector(".secret code")
    assert page.locator("h1").inner_text().endswith("clavier")
    page.go_back()
    page.reload()
    assert "agent" in page.locator(".card", has_text="clavier").inner_text()
    page.close()
