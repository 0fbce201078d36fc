"""The pages say what is known, in French, without JavaScript; what is unknown is never shown as fine."""

from __future__ import annotations

import re
import time

import pytest
from django.test import Client
from django.utils.html import escape

from lakou.sensorthings.access import ANONYMOUS
from lakou.web import service_access
from tests.web.double import Double, Stream, Thing, lamentin

POINT = {"type": "Point", "coordinates": [-61.0, 14.61]}


def text_of(web: Client, address: str, status: int = 200) -> str:
    answer = web.get(address)
    assert answer.status_code == status
    return answer.content.decode()


def one(rows: list[tuple[float, object]], **properties: object) -> Double:
    stream = Stream(7, "Niveau d'eau", "m", rows, dict(properties))
    double = Double([Thing(3, "Sonde <b>neuve</b>", [stream], POINT)])
    service_access.set_service(double)
    return double


def test_poste_lists_each_thing_with_values_units_ages_and_states(web: Client, data: Double) -> None:
    page = text_of(web, "/poste")
    for thing in data.things:
        assert escape(thing.name) in page
    assert page.count('class="flow"') == sum(len(thing.streams) for thing in data.things)
    assert "µg/m³" in page
    assert "il y a 30\u202fmin" in page
    assert "silencieux" in page
    assert "à jour" in page


def test_pages_read_as_the_anonymous_visitor(web: Client, data: Double) -> None:
    text_of(web, "/poste?flux=10")
    assert {principal for principal, _ in data.asked} == {ANONYMOUS}


@pytest.mark.parametrize("address", ["/", "/poste", "/poste?flux=10"])
def test_simulated_data_says_exercise_in_words(web: Client, data: Double, address: str) -> None:
    page = text_of(web, address)
    assert "EXERCICE — données simulées" in page
    assert page.count(">EXERCICE</span>") >= len(data.things)


def test_real_data_carries_no_exercise_ribbon(web: Client) -> None:
    one([(time.time() - 5, 1.2)])
    assert "EXERCICE" not in text_of(web, "/poste")


def test_the_ribbon_says_when_only_some_things_are_simulated(web: Client) -> None:
    things = [*lamentin(), Thing(99, "Vraie sonde", [], POINT)]
    service_access.set_service(Double(things))
    assert "Seuls les objets marqués EXERCICE sont simulés" in text_of(web, "/poste")


def test_names_of_things_are_text_never_markup(web: Client) -> None:
    one([(time.time(), "<script>alert(1)</script>")])
    page = text_of(web, "/poste")
    assert "<b>neuve" not in page
    assert "<script>alert" not in page


@pytest.mark.parametrize(
    ("rows", "properties", "word"),
    [
        ([], {}, "silencieux"),
        ([(-7200.0, 1.0)], {"period_s": 60}, "silencieux"),
        ([(-1.0, 1.0)], {}, "rythme inconnu"),
        ([(+7200.0, 1.0)], {"period_s": 60}, "date à venir"),
        ([(-50.0, 1.0), (-40.0, 1.0), (-5.0, 1.0)], {}, "à jour"),
    ],
)
def test_health_is_said_in_a_word(
    web: Client, rows: list[tuple[float, object]], properties: dict[str, object], word: str
) -> None:
    one([(time.time() + offset, result) for offset, result in rows], **properties)
    page = text_of(web, "/poste")
    shown = re.search(r'class="health">.*?class="shape"[^>]*>(.)</span> <span class="word">([^<]+)<', page, re.DOTALL)
    assert shown
    assert shown[2] == word
    assert (shown[1] == "?") == (word != "à jour")


def test_the_chosen_datastream_has_its_line_its_table_and_its_csv(web: Client, data: Double) -> None:
    page = text_of(web, "/poste?flux=10")
    assert "<polyline" in page
    assert "Tableau heure par heure" in page
    link = re.search(r'href="(/sta/v1\.1/Datastreams\(10\)/Observations\?[^"]+)"', page)
    assert link
    assert "resultFormat=CSV" in link[1]
    assert "%20ge%20" in link[1]


def test_a_datastream_of_positions_shows_its_last_values_as_text(web: Client, data: Double) -> None:
    page = text_of(web, "/poste?flux=101")
    assert "Dernières valeurs" in page
    assert "<polyline" not in page


@pytest.mark.parametrize("flux", ["424242", "abc", "-1", "1.5", "9" * 40, "١", "10)/Thing"])
def test_an_unknown_datastream_is_told_and_the_rest_still_shown(web: Client, data: Double, flux: str) -> None:
    page = text_of(web, f"/poste?flux={flux}", 404)
    assert "n'existe pas ou n'est pas public" in page
    assert "Lézarde amont" in page


@pytest.mark.parametrize("address", ["/", "/poste", "/poste?flux=10"])
def test_no_inline_script_or_style_and_a_strict_policy(web: Client, data: Double, address: str) -> None:
    answer = web.get(address)
    page = answer.content.decode()
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)
    assert not re.search(r"<style|\sstyle=|\son\w+=", page)
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert answer.headers["Cache-Control"] == "no-store"


def test_without_service_the_page_says_unknown_not_fine(web: Client) -> None:
    service_access.set_service(None)
    page = text_of(web, "/poste", 503)
    assert "inconnu" in page
    assert "à jour" not in page


def test_a_failing_service_is_told_with_503(web: Client, data: Double) -> None:
    data.status = 503
    assert "momentanément indisponibles" in text_of(web, "/", 503)


def test_an_empty_network_says_so(web: Client) -> None:
    service_access.set_service(Double([]))
    assert "Aucun objet" in text_of(web, "/poste")
    assert "aucune mesure" in text_of(web, "/")


def test_a_long_list_is_paged_and_the_address_keeps_its_choices(web: Client) -> None:
    service_access.set_service(Double([Thing(n, f"Objet {n}", [], POINT) for n in range(1, 251)]))
    page = text_of(web, "/poste?page=2&theme=nuit")
    assert "Page 2 sur 3" in page
    assert "page=3&amp;theme=nuit" in page
    assert "page=1&amp;theme=nuit" in page
    assert 'data-theme="nuit"' in page


@pytest.mark.parametrize("query", ["page=0", "page=-4", "page=x", "page=99999999999", "theme=<b>", "flux=&page="])
def test_odd_parameters_give_a_page(web: Client, data: Double, query: str) -> None:
    assert web.get(f"/poste?{query}").status_code in (200, 404)


def test_the_first_visit_of_the_public_page_is_light(web: Client, data: Double) -> None:
    assert len(web.get("/").content) < 30_000


def test_a_moving_thing_is_drawn_where_it_says_it_is(web: Client, data: Double) -> None:
    before = text_of(web, "/poste")
    data.things[-1].streams[1].rows.append((time.time(), {"type": "Point", "coordinates": [-60.95, 14.68]}))
    after = text_of(web, "/poste")
    marker = re.compile(r'data-marker="10"[^>]*transform="([^"]+)"')
    assert marker.search(before)[1] != marker.search(after)[1]  # type: ignore[index]


def test_an_unknown_address_is_told_in_french(web: Client) -> None:
    page = text_of(web, "/nulle-part", status=404)
    assert "Page introuvable" in page
    assert 'lang="fr"' in page


def many() -> list[Thing]:
    return [
        Thing(number, f"Sonde {number}", [Stream(number, "Niveau", "m", [])], POINT, {"famille": family})
        for number, family in enumerate(["eau"] * 60 + ["air"] * 60 + ["éolienne"], start=1)
    ]


def test_a_network_of_several_pages_can_be_looked_at_family_by_family(web: Client, data: Double) -> None:
    data.things = many()
    page = text_of(web, "/poste")
    assert [word in page for word in ("Tous", "Rivières", "Air", "Éolienne")] == [True] * 4
    rivers = web.get("/poste?famille=eau&flux=3&theme=nuit").content.decode()
    assert "60\u00a0objets" in rivers
    assert "Page 1 sur" not in rivers
    assert "famille=air&amp;theme=nuit" in rivers
    assert 'href="?flux=5&amp;famille=eau&amp;theme=nuit#ligne"' in rivers


def test_an_unknown_family_shows_nothing_and_leads_back(web: Client, data: Double) -> None:
    data.things = many()
    page = web.get("/poste?famille=x%27%20or%20true").content.decode()
    assert "Aucun objet de cette famille" in page
    assert "Tous" in page


def test_a_small_network_has_no_choice_of_families(web: Client, data: Double) -> None:
    assert "Tous" not in text_of(web, "/poste")
