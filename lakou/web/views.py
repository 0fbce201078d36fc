"""The pages' views: read, make plain values, hand them to a template. No rule lives here.

The address is the view: `?flux=` the chosen Datastream, `?page=` of the list, `?theme=` jour or nuit.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from lakou.kernel.errors import LakouError
from lakou.kernel.time import SECOND, format_instant
from lakou.sensorthings.access import ANONYMOUS
from lakou.territory.profile import Profile
from lakou.web import french
from lakou.web.day_line import LineDrawing, draw_line, numbers_of
from lakou.web.frame import DATA_ROOT, THEMES, has_font, territory
from lakou.web.queries import DayOfDatastream, NetworkState, read_day, read_network
from lakou.web.service_access import get_service
from lakou.web.territory_map import draw_map

LIVE = "/live"
MOST_PAGES = 10_000
LARGEST_ID = 2**63 - 1
TEXTS_SHOWN = 24


@dataclass(frozen=True, slots=True)
class Line:
    """The chosen Datastream as the page shows it: a drawing for numbers, the last values as texts for the rest."""

    day: DayOfDatastream
    drawing: LineDrawing | None
    texts: tuple[tuple[str, str], ...]
    csv_href: str


async def home(request: HttpRequest) -> HttpResponse:
    """`/`: what this is and how the network stands, for anyone."""
    return await _page(request, "web/home.html", numeral=1, flux=None)


async def poste(request: HttpRequest) -> HttpResponse:
    """`/poste`: every Thing with its latest values, a map, and the 24 h line of a chosen Datastream."""
    flux = request.GET.get("flux")
    return await _page(request, "web/poste.html", numeral=_page_number(request.GET.get("page")), flux=flux)


async def _page(request: HttpRequest, template: str, *, numeral: int, flux: str | None) -> HttpResponse:
    now_s = time.time()
    profile = territory()
    context = _common(request, profile, now_s)
    status = 200
    try:
        service = get_service()
        network = await read_network(service, ANONYMOUS, now_s, numeral)
        day = await read_day(service, ANONYMOUS, _identifier(flux), now_s) if _identifier(flux) else None
    except LakouError as error:
        context |= {"error": error, "network": None}
        response = render(request, "web/unavailable.html", context, status=503)
        response["Retry-After"] = "5"
        return _fresh_only(response)
    if flux is not None and day is None:
        context["unknown_flux"] = True
        status = 404
    context |= {
        "network": network,
        "summary": _summary(network),
        "map": draw_map(profile, network.things),
        "line": _line(day, profile) if day else None,
        "chosen": day.id if day else 0,
        "previous_page": _link(request, page=numeral - 1) if numeral > 1 else "",
        "next_page": _link(request, page=numeral + 1) if numeral < network.pages else "",
    }
    return _fresh_only(render(request, template, context, status=status))


def _common(request: HttpRequest, profile: Profile, now_s: float) -> dict[str, object]:
    theme = request.GET.get("theme", "")
    theme = theme if theme in THEMES else ""
    return {
        "profile": profile,
        "theme": theme,
        "theme_links": [(name, _link(request, theme=name), name == theme) for name in THEMES],
        "keep": urlencode({"theme": theme}) if theme else "",
        "has_font": has_font(),
        "now": f"{now_s:.3f}",
        "now_iso": format_instant(int(now_s) * SECOND),
        "now_text": french.day_clock(now_s, profile.zone),
        "zone": profile.time_zone,
        "live": LIVE,
        "data_root": DATA_ROOT,
    }


def _summary(network: NetworkState) -> dict[str, str]:
    return {
        "things": french.count(network.total, "objet", "objets"),
        "fresh": french.count(network.fresh, "flux à jour", "flux à jour"),
        "silent": french.count(network.silent, "flux silencieux ou inconnu", "flux silencieux ou inconnus"),
        "latest": french.age(network.latest_age_s),
    }


def _line(day: DayOfDatastream, profile: Profile) -> Line:
    drawing = draw_line(
        numbers_of(day.rows),
        start_s=day.start_s,
        end_s=day.end_s,
        period_s=day.period_s,
        unit=day.unit,
        zone=profile.zone,
    )
    texts: tuple[tuple[str, str], ...] = ()
    if drawing is None:
        latest = reversed(day.rows[-TEXTS_SHOWN:])
        texts = tuple((french.day_clock(at, profile.zone), french.result(value, day.unit)) for at, value in latest)
    return Line(day, drawing, texts, DATA_ROOT + day.csv_target)


def _link(request: HttpRequest, **changes: object) -> str:
    """This page's address with some of its parameters changed: the address is the view."""
    kept = {name: value for name in ("flux", "page", "theme") if (value := request.GET.get(name))}
    merged = {**kept, **{name: str(value) for name, value in changes.items()}}
    return f"{request.path}?{urlencode(merged)}"


def _page_number(text: str | None) -> int:
    digits = text if text and text.isascii() and text.isdigit() and len(text) <= 5 else "1"
    return min(max(int(digits), 1), MOST_PAGES)


def _identifier(text: str | None) -> int:
    """The id in `?flux=`, or 0 for anything that cannot be one."""
    if not text or not text.isascii() or not text.isdigit() or len(text) > 19:
        return 0
    return int(text) if int(text) <= LARGEST_ID else 0


def _fresh_only(response: HttpResponse) -> HttpResponse:
    # A kept copy would show old values as the state of now.
    response["Cache-Control"] = "no-store"
    return response
