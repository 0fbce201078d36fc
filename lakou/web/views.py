"""The pages' views: read, make plain values, hand them to a template. No rule lives here.

The address is the view: `?flux=` the chosen Datastream, `?famille=` and `?page=` of the list, `?theme=` jour or nuit.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from lakou.identity import policy
from lakou.identity.policy.requests import actor_of_visit
from lakou.kernel.errors import LakouError, Unauthorized
from lakou.kernel.time import SECOND, format_instant
from lakou.territory.profile import Profile
from lakou.web import french
from lakou.web.day_line import LineDrawing, draw_line, numbers_of
from lakou.web.frame import DATA_ROOT, THEMES, has_font, territory
from lakou.web.queries import DayOfDatastream, NetworkState, read_day, read_families, read_network
from lakou.web.service_access import get_service
from lakou.web.territory_map import draw_map

LIVE = "/live"
MOST_PAGES = 10_000
LARGEST_ID = 2**63 - 1
TEXTS_SHOWN = 24
LONGEST_FAMILY = 40
# What the families of Things (`properties/famille`) are called; others stand as they are written.
FAMILIES = {
    "air": "Air",
    "bus": "Bus",
    "compteurs": "Compteurs",
    "dechets": "Déchets",
    "eau": "Rivières",
    "eclairage": "Éclairage",
    "exercice": "Messages d'exercice",
    "mer": "Mer",
    "meteo": "Météo",
    "pluie": "Pluie",
    "sol": "Sol et séismes",
}


@dataclass(frozen=True, slots=True)
class Line:
    """The chosen Datastream as the page shows it: a drawing for numbers, the last values as texts for the rest."""

    day: DayOfDatastream
    drawing: LineDrawing | None
    texts: tuple[tuple[str, str], ...]
    csv_href: str


@require_safe
async def home(request: HttpRequest) -> HttpResponse:
    """`/`: what this is and how the network stands, for anyone."""
    return await _page(request, "web/home.html", policy.Kind.PAGE, numeral=1, flux=None, family="")


@require_safe
async def poste(request: HttpRequest) -> HttpResponse:
    """`/poste`: every Thing with its latest values, a map, and the 24 h line of a chosen Datastream."""
    flux, family = request.GET.get("flux"), request.GET.get("famille", "")[:LONGEST_FAMILY]
    numeral = _page_number(request.GET.get("page"))
    return await _page(request, "web/poste.html", policy.Kind.DESK, numeral=numeral, flux=flux, family=family)


async def _page(
    request: HttpRequest, template: str, kind: policy.Kind, *, numeral: int, flux: str | None, family: str
) -> HttpResponse:
    now_s = time.time()
    profile = territory()
    context = common(request, profile, now_s)
    status = 200
    try:
        actor = await actor_of_visit(request)
        policy.require(actor, policy.Action.READ, policy.Object(kind))
        principal = policy.principal_of(actor)
        service = get_service()
        network = await read_network(service, principal, now_s, numeral, family)
        # One page needs no choice of families.
        families = await read_families(service, principal) if network.pages > 1 or family else ()
        day = await read_day(service, principal, _identifier(flux), now_s) if _identifier(flux) else None
    except Unauthorized as error:
        return fresh_only(refused(error))
    except LakouError as error:
        context |= {"error": error, "network": None}
        response = render(request, "web/unavailable.html", context, status=503)
        response["Retry-After"] = "5"
        return fresh_only(response)
    if flux is not None and day is None:
        context["unknown_flux"] = True
        status = 404
    context |= {
        "network": network,
        "summary": _summary(network),
        "family": family,
        "families": [_family(request, name, name == family) for name in ("", *families)] if families else [],
        "map": draw_map(profile, network.things),
        "line": _line(day, profile) if day else None,
        "chosen": day.id if day else 0,
        "previous_page": _link(request, page=numeral - 1) if numeral > 1 else "",
        "next_page": _link(request, page=numeral + 1) if numeral < network.pages else "",
    }
    return fresh_only(render(request, template, context, status=status))


def common(request: HttpRequest, profile: Profile, now_s: float) -> dict[str, object]:
    """What the frame of every page needs: territory, theme, clock, addresses."""
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


def _family(request: HttpRequest, name: str, is_chosen: bool) -> tuple[str, str, bool]:
    """A choice of the list: its words, its address from the first page on, and whether it is the present one."""
    words = FAMILIES.get(name, name.capitalize()) if name else "Tous"
    return words, _link(request, famille=name, page=""), is_chosen


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
    kept = {name: request.GET.get(name, "") for name in ("flux", "famille", "page", "theme")}
    merged = {**kept, **{name: str(value) for name, value in changes.items()}}
    return f"{request.path}?{urlencode({name: value for name, value in merged.items() if value})}"


def _page_number(text: str | None) -> int:
    digits = text if text and text.isascii() and text.isdigit() and len(text) <= 5 else "1"
    return min(max(int(digits), 1), MOST_PAGES)


def _identifier(text: str | None) -> int:
    """The id in `?flux=`, or 0 for anything that cannot be one."""
    if not text or not text.isascii() or not text.isdigit() or len(text) > 19:
        return 0
    return int(text) if int(text) <= LARGEST_ID else 0


def fresh_only(response: HttpResponse) -> HttpResponse:
    """The answer, never to be kept by a browser or a proxy."""
    # A kept copy would show old values as the state of now.
    response["Cache-Control"] = "no-store"
    return response


def refused(error: Unauthorized) -> HttpResponse:
    """A program that sent a token which is none any more; browsers send none."""
    response = HttpResponse(f"{error.message}\n", status=error.status, content_type="text/plain; charset=utf-8")
    response["WWW-Authenticate"] = 'Bearer realm="Lakou"'
    return response
