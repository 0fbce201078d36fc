"""In a real browser: accessible, narrow, without JavaScript, by keyboard, on paper, and alive."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from lakou.kernel.time import SECOND, format_instant
from tests.web.conftest import Site

ADDRESSES = ["/", "/poste", "/poste?flux=10", "/poste?flux=101", "/poste?flux=424242"]
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

pytestmark = pytest.mark.slow


def open_page(browser: Browser, address: str, width: int = 1440, **options: Any) -> Page:
    page = browser.new_page(viewport={"width": width, "height": 900}, **options)
    page.goto(address, wait_until="load")
    return page


def wait_for(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def now_iso(offset_s: float = 0.0) -> str:
    return format_instant(int((time.time() + offset_s) * SECOND))


@pytest.mark.parametrize(("theme", "width"), [("jour", 320), ("nuit", 1440)])
@pytest.mark.parametrize("address", ADDRESSES)
def test_axe_finds_nothing(browser: Browser, site: Site, axe: str, address: str, theme: str, width: int) -> None:
    # axe is put in from outside: the page's own policy would refuse it.
    page = open_page(browser, f"{site.base}{address}{'&' if '?' in address else '?'}theme={theme}", width)
    page.evaluate(axe)
    found = page.evaluate("tags => axe.run({runOnly: tags})", TAGS)
    told = [(v["id"], [n["html"][:120] for n in v["nodes"]]) for v in found["violations"]]
    page.close()
    assert not told


@pytest.mark.parametrize("address", ADDRESSES)
def test_nothing_is_wider_than_a_320_px_screen(browser: Browser, site: Site, address: str) -> None:
    page = open_page(browser, site.base + address, 320)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.close()


def test_the_page_breaks_no_rule_of_its_own_policy(browser: Browser, site: Site) -> None:
    page = browser.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(f"{site.base}/poste?flux=10", wait_until="load")
    site.publish("observation", {"datastream": 10, "thing": 1, "id": 1, "phenomenonTime": now_iso(), "result": 1.5})
    page.wait_for_timeout(800)
    page.close()
    assert not said


def test_it_works_without_javascript(browser: Browser, site: Site) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site.base}/poste")
    expect(page.locator("[data-live-status]")).to_contain_text("sans direct")
    page.get_by_role("link", name="Niveau d'eau").first.click()
    assert re.search(r"flux=10#ligne", page.url)
    expect(page.locator("#ligne polyline")).to_have_count(1)
    context.close()


def test_a_new_value_appears_without_reloading(browser: Browser, site: Site) -> None:
    page = open_page(browser, f"{site.base}/poste")
    expect(page.locator("[data-live-status]")).to_contain_text("en direct")
    row = page.locator('[data-datastream="10"]')
    site.publish("observation", {"datastream": 10, "thing": 1, "id": 1, "phenomenonTime": now_iso(), "result": 1234.56})
    expect(row.locator(".value")).to_have_text("1\u202f235\u202fm")
    expect(row.locator("time")).to_have_text(re.compile("à l'instant|il y a"))
    page.close()


def test_a_late_older_value_does_not_replace_the_latest(browser: Browser, site: Site) -> None:
    page = open_page(browser, f"{site.base}/poste")
    expect(page.locator("[data-live-status]")).to_contain_text("en direct")
    value = page.locator('[data-datastream="10"] .value')
    before = value.text_content()
    old = {"datastream": 10, "thing": 1, "id": 1, "phenomenonTime": now_iso(-7200), "result": 99.0}
    site.publish("observation", old)
    page.wait_for_timeout(900)
    assert value.text_content() == before
    page.close()


def test_a_silent_sensor_wakes_when_it_speaks_again(browser: Browser, site: Site) -> None:
    page = open_page(browser, f"{site.base}/poste")
    expect(page.locator("[data-live-status]")).to_contain_text("en direct")
    row, marker = page.locator('[data-datastream="20"]'), page.locator('[data-marker="2"]')
    expect(row.locator(".health")).to_contain_text("silencieux")
    expect(marker).to_have_attribute("data-state", "silent")
    for stream in (20, 21):
        told = {"datastream": stream, "thing": 2, "id": 1, "phenomenonTime": now_iso(), "result": 1.0}
        site.publish("observation", told)
    expect(row.locator(".health")).to_contain_text("à jour")
    expect(marker).to_have_attribute("data-state", "fresh")
    page.close()


def test_a_sensor_that_stops_turns_silent_in_the_open_page(browser: Browser, site: Site) -> None:
    site.double.things[0].streams[0].properties["period_s"] = 1
    site.double.things[0].streams[0].rows.append((time.time(), 0.5))
    page = open_page(browser, f"{site.base}/poste")
    health = page.locator('[data-datastream="10"] .health')
    expect(health).to_contain_text("à jour")
    expect(health).to_contain_text("silencieux", timeout=8000)
    page.close()


def test_a_cut_stream_is_told_and_the_page_comes_back(browser: Browser, site: Site) -> None:
    page = open_page(browser, f"{site.base}/poste")
    status = page.locator("[data-live-status]")
    expect(status).to_contain_text("en direct")
    site.cut()
    expect(status).to_contain_text("coupé", timeout=8000)
    site.live_is_up = True
    expect(status).to_contain_text("en direct", timeout=15000)
    page.close()


def test_a_moving_thing_moves_on_the_map(browser: Browser, site: Site) -> None:
    page = open_page(browser, f"{site.base}/poste")
    expect(page.locator("[data-live-status]")).to_contain_text("en direct")
    marker = page.locator('[data-marker="10"]')
    before = marker.get_attribute("transform")
    result = {"type": "Point", "coordinates": [-60.95, 14.68]}
    site.publish(
        "observation", {"datastream": 101, "thing": 10, "id": 1, "phenomenonTime": now_iso(), "result": result}
    )
    assert wait_for(lambda: marker.get_attribute("transform") != before)
    page.close()


def test_a_datastream_unknown_to_the_page_is_announced(browser: Browser, site: Site) -> None:
    page = open_page(browser, f"{site.base}/poste")
    expect(page.locator("[data-live-status]")).to_contain_text("en direct")
    site.publish("observation", {"datastream": 777, "thing": 7, "id": 1, "phenomenonTime": now_iso(), "result": 1})
    expect(page.locator("[data-news]")).to_be_visible()
    page.close()


def test_a_datastream_is_chosen_by_keyboard_alone(browser: Browser, site: Site) -> None:
    page = open_page(browser, f"{site.base}/poste")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.className") == "name":
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**flux=10**")
    page.close()


def test_paper_shows_the_table_and_the_exercise_mark(browser: Browser, site: Site) -> None:
    page = open_page(browser, f"{site.base}/poste?flux=10&theme=nuit")
    page.emulate_media(media="print")
    expect(page.locator(".ribbon")).to_be_visible()
    expect(page.locator("#ligne table")).to_be_visible()
    expect(page.locator("nav.themes")).to_be_hidden()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.close()
