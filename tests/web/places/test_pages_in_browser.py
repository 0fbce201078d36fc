"""The pages of places in a real browser: accessible, no wider than the screen, chosen by keyboard alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.territory.conftest import NOW
from tests.web.conftest import Site
from tests.web.test_pages_in_browser import TAGS, open_page

pytestmark = pytest.mark.slow


@pytest.fixture
def lieux(civic_database: Path, site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The addresses of the list over three places and of one of them."""
    from lakou.territory.models import Place

    # Playwright keeps an event loop running in this thread; rows are made in it all the same.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    Place.objects.all().delete()
    for number, kind in enumerate(("mediation", "shelter", "bus-stop")):
        Place.objects.create(
            kind=kind, name=f"Un lieu dont le nom est plutôt long {number}", source="t", source_id=str(number),
            updated=NOW, longitude=-61.0 + number / 100, latitude=14.6, commune="97213", address="rue " + "x" * 60,
            opening_hours="Mo-Fr 08:00-12:00; Sa off", properties={"services": "Un|Deux"}, description="Texte.",
            contacts={"phone": "+596596500000", "web": "https://exemple.mq/" + "x" * 80},
        )  # fmt: skip
    yield [f"{site.base}/lieux/", f"{site.base}/lieux/{Place.objects.first().pk}/"]  # type: ignore[union-attr]
    Place.objects.all().delete()


@pytest.mark.parametrize(("theme", "width"), [("jour", 320), ("nuit", 1440)])
def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(
    browser: Browser, lieux: list[str], axe: str, theme: str, width: int
) -> None:
    for address in lieux:
        page = open_page(browser, f"{address}?theme={theme}", width)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.evaluate(axe)
        found = page.evaluate("tags => axe.run({runOnly: tags})", TAGS)
        told = [(rule["id"], [node["html"][:120] for node in rule["nodes"]]) for rule in found["violations"]]
        page.close()
        assert not told


def test_a_kind_is_chosen_and_a_place_opened_by_keyboard_alone_without_javascript(
    browser: Browser, lieux: list[str]
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(lieux[0])
    page.get_by_label("Genre de lieu").focus()
    page.keyboard.press("R")  # Refuges
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**genre=shelter**")
    links = page.locator(".lieu a")
    expect(links).to_have_count(1)
    links.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Un lieu dont le nom est plutôt long 1")
    context.close()
