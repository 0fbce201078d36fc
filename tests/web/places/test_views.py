"""The pages of places say what is known, in French, without JavaScript; unknown is said, and nothing is guessed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils.html import escape

from tests.territory.conftest import NOW


@pytest.fixture(autouse=True)
def _empty(civic_database: Path) -> None:
    from lakou.territory.models import Place

    Place.objects.all().delete()


def make(name: str, **more: Any) -> int:
    from lakou.territory.models import Place

    values = {
        "kind": "mediation",
        "source": "test",
        "source_id": name,
        "updated": NOW,
        "longitude": -61.0,
        "latitude": 14.6,
    }
    return int(Place.objects.create(name=name, **{**values, **more}).pk)


def page(address: str, status: int = 200) -> str:
    answer = Client().get(address)
    assert answer.status_code == status
    return answer.content.decode()


def test_the_list_has_every_place_with_kind_and_address_and_its_mark_on_the_map() -> None:
    key = make("Espace <b>neuf</b>", address="1 rue droite", commune="97213")
    shown = page("/lieux/")
    assert escape("Espace <b>neuf</b>") in shown
    assert "<b>neuf" not in shown
    assert "1 rue droite, Le Lamentin" in shown
    assert f'href="#lieu-{key}"' in shown
    assert f'id="lieu-{key}"' in shown
    assert "1\u00a0lieu" in shown


def test_a_place_without_position_says_so_and_is_not_on_the_map() -> None:
    make("Bus", longitude=None, latitude=None)
    make("Loin", longitude=2.35, latitude=48.85)
    shown = page("/lieux/")
    assert "position inconnue" in shown
    assert "1 sans position connue" in shown
    assert "1 hors de la carte" in shown
    assert 'class="dot"' not in shown


def test_the_filters_choose_and_the_address_keeps_them() -> None:
    make("Mairie", kind="town-hall", commune="97213")
    make("Abri", kind="shelter", commune="97209")
    shown = page("/lieux/?genre=shelter&theme=nuit")
    assert "Abri" in shown
    assert "Mairie</a>" not in shown
    assert '<option value="shelter" selected>Refuges (1)</option>' in shown
    assert "genre=shelter&amp;theme=jour" in shown
    assert "kind=shelter&amp;limit=1000&amp;format=csv" in shown
    assert "Aucun lieu pour ce choix" in page("/lieux/?genre=shelter&commune=97213")


@pytest.mark.parametrize("query", ["genre=chateau", "commune=x", "apres=-1", "apres=99999999999999999999", "genre=%00"])
def test_a_wrong_filter_is_told_and_all_places_shown(query: str) -> None:
    make("Espace")
    shown = page(f"/lieux/?{query}", 404)
    assert "filtre n'existe pas" in shown
    assert "Espace" in shown


def test_a_long_list_goes_on_and_numbers_go_on_with_it() -> None:
    for number in range(30):
        make(f"Lieu {number:02d}")
    first = page("/lieux/")
    (after,) = re.findall(r'href="(/lieux/\?apres=\d+)" rel="next"', first)
    second = page(after)
    assert "Lieu 24</a>" in first
    assert "Lieu 25</a>" not in first
    assert '<ol class="places" start="26">' in second
    assert "Début de la liste" in second
    assert second.count('class="panel lieu"') == 5


def test_an_empty_register_says_so() -> None:
    assert "Aucun lieu pour l'instant" in page("/lieux/")


def test_one_place_shows_all_that_is_known() -> None:
    key = make(
        "Espace",
        address="1 rue droite",
        commune="97213",
        opening_hours="Mo-Fr 08:00-12:00; Sa,Su off",
        description="Premier.\n\nSecond.",
        contacts={
            "phone": "+596596500000",
            "email": "a@b.mq|pas une adresse",
            "web": "https://exemple.mq/|javascript:alert(1)",
        },
        properties={"services": "Un|Deux", "prise_rdv": "https://rdv.example.fr", "date_maj": "2026-10-01"},
    )
    shown = page(f"/lieux/{key}/")
    assert "Lundi au vendredi" in shown
    assert "8\u202fh – 12\u202fh" in shown
    assert 'href="tel:+596596500000"' in shown
    assert "0596\u00a050\u00a000\u00a000" in shown
    assert 'href="mailto:a@b.mq"' in shown
    assert "<dd>pas une adresse</dd>" in shown
    assert 'href="https://exemple.mq/"' in shown
    assert 'href="javascript' not in shown
    assert "<dd>Un</dd><dd>Deux</dd>" in shown
    assert 'href="https://rdv.example.fr"' in shown
    assert "01/10/2026" in shown
    assert "14,6000°" in shown


def test_what_is_not_known_is_said_to_be_unknown() -> None:
    key = make("Gymnase", kind="shelter", longitude=None, latitude=None)
    shown = page(f"/lieux/{key}/")
    for text in ("position inconnue", "horaires inconnus", "Commune inconnue", "<dd>inconnue</dd>"):
        assert text in shown
    assert "ouvert en ce moment" not in shown.lower()
    assert "<svg" not in shown


def test_a_place_off_the_map_and_without_a_date_says_so() -> None:
    shown = page(f"/lieux/{make('Loin', longitude=2.35, latitude=48.85)}/")
    assert "Hors de la carte de Le Lamentin" in shown
    assert "<svg" not in shown
    assert "date de la donnée inconnue, importée le 26/11/2026" in shown


def test_hours_that_are_not_understood_are_shown_as_given_and_nobody_is_told_open() -> None:
    key = make("Espace", opening_hours="le matin en semaine")
    shown = page(f"/lieux/{key}/")
    assert "le matin en semaine" in shown
    assert "non interprété" in shown
    assert "en ce moment" not in shown


def test_round_the_clock_is_open_now_in_words() -> None:
    key = make("Commissariat", kind="police", opening_hours="24/7")
    assert "ouvert en ce moment" in page("/lieux/")
    assert "Ouvert en ce moment" in page(f"/lieux/{key}/")


def test_a_bus_stop_says_whether_a_wheelchair_gets_in() -> None:
    known = make("Arrêt", kind="bus-stop", properties={"wheelchair_boarding": "2", "location_type": "0"})
    unknown = make("Autre", kind="bus-stop")
    assert "non accessible en fauteuil roulant" in page(f"/lieux/{known}/")
    assert "<dt>Accessibilité</dt><dd>inconnue</dd>" in page(f"/lieux/{unknown}/")


@pytest.mark.parametrize("address", ["/lieux/424242/", "/lieux/99999999999999999999999/"])
def test_an_unknown_place_is_not_found(address: str) -> None:
    assert "Page introuvable" in page(address, 404)


def test_no_inline_script_or_style_and_a_light_page() -> None:
    for number in range(25):
        make(f"Lieu {number}", address="x" * 80)
    for address in ("/lieux/", f"/lieux/{make('Espace')}/"):
        answer = Client().get(address)
        shown = answer.content.decode()
        assert not re.search(r"<script|<style|\sstyle=|\son\w+=", shown)
        assert "unsafe" not in answer["Content-Security-Policy"]
        assert len(answer.content) < 40_000
