"""`/lieux/` and `/lieux/KEY/`: read, make plain values, hand them to a template. No rule lives here.

The address is the view: `?genre=` and `?commune=` choose, `?apres=` is the key after which the list goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from lakou.identity import policy
from lakou.identity.policy.requests import actor_of_request
from lakou.kernel.errors import LakouError, Unauthorized
from lakou.territory import asking, queries
from lakou.territory.kinds import PLACES_BY_KEY
from lakou.territory.profile import Profile
from lakou.web import french
from lakou.web.frame import THEMES, territory
from lakou.web.places.drawing import Spot, draw_places
from lakou.web.places.wording import Said, say
from lakou.web.views import common, fresh_only, refused

A_PAGE = 25
KEPT = ("genre", "commune", "apres", "theme")


def _for_anyone(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """The view for GET and HEAD, after the policy was asked; a token that is none is refused here as elsewhere."""

    @wraps(view)
    def asked(request: HttpRequest, **kept: int) -> HttpResponse:
        try:
            policy.require(actor_of_request(request), policy.Action.READ, policy.Object(policy.Kind.PAGE))
        except Unauthorized as error:
            return fresh_only(refused(error))
        return view(request, **kept)

    return require_safe(asked)


@_for_anyone
def places(request: HttpRequest) -> HttpResponse:
    """`/lieux/`: places that matter, with filters by kind and commune and a map of those shown."""
    profile = territory()
    kind, commune, after = (request.GET.get(name, "") for name in ("genre", "commune", "apres"))
    parameters = {"kind": kind, "commune": commune, "after": after or "0"}
    try:
        asked = asking.read({name: value for name, value in parameters.items() if value})
        wrong = False
    except LakouError:
        asked, wrong = asking.Asked(queries.Filter()), True
    found = queries.page_of_places(asked.filter, after=asked.after, size=A_PAGE + 1)
    total = queries.places(asked.filter).count()
    before = queries.places(asked.filter).filter(id__lte=asked.after).count() if asked.after else 0
    local = datetime.now(UTC).astimezone(profile.zone)
    shown = [say(one, before + number, profile, local) for number, one in enumerate(found[:A_PAGE], 1)]
    spots = [Spot(said.key, said.number, said.legend, _at(one)) for said, one in zip(shown, found, strict=False)]
    context = _context(request, profile) | {
        "places": shown,
        "total": french.count(total, "lieu", "lieux"),
        "map": draw_places(profile, spots),
        "kinds": _kinds(asked.filter.kind),
        "communes": _communes(profile, asked.filter),
        "wrong": wrong,
        "first_page": _link(request, apres="") if asked.after else "",
        "next_page": _link(request, apres=found[A_PAGE - 1].pk) if len(found) > A_PAGE else "",
        "more_than_csv": total > asking.LARGEST_PAGE,
        "is_filtered": bool(asked.filter.kind or asked.filter.commune),
        "api": "/api/places?" + urlencode(
            {name: value for name, value in (("kind", asked.filter.kind), ("commune", asked.filter.commune)) if value}
            | {"limit": str(asking.LARGEST_PAGE), "format": "csv"}
        ),
    }  # fmt: skip
    return fresh_only(render(request, "web/places.html", context, status=404 if wrong else 200))


@_for_anyone
def place(request: HttpRequest, key: int) -> HttpResponse:
    """`/lieux/KEY/`: one place, all that is known of it."""
    found = queries.place(key) if key <= asking.LARGEST_KEY else None
    if found is None:
        raise Http404
    profile = territory()
    said: Said = say(found, 1, profile, datetime.now(UTC).astimezone(profile.zone))
    drawing = draw_places(profile, [Spot(said.key, 1, said.legend, _at(found))])
    context = _context(request, profile) | {"place": said, "map": drawing, "api": f"/api/places/{found.pk}"}
    return fresh_only(render(request, "web/place.html", context))


def _at(place: object) -> tuple[float, float] | None:
    longitude, latitude = getattr(place, "longitude", None), getattr(place, "latitude", None)
    return None if longitude is None or latitude is None else (longitude, latitude)


def _context(request: HttpRequest, profile: Profile) -> dict[str, object]:
    context = common(request, profile, time.time())
    theme = context["theme"]
    links = [(name, _link(request, theme=name), name == theme) for name in THEMES]
    return context | {"section": "lieux", "theme_links": links}


def _link(request: HttpRequest, **changes: object) -> str:
    """This page's address with some of its parameters changed; an empty one is left out."""
    kept = {name: value for name in KEPT if (value := request.GET.get(name))}
    merged = {name: str(value) for name, value in {**kept, **changes}.items() if value}
    return f"{request.path}?{urlencode(merged)}" if merged else request.path


def _kinds(chosen: str) -> list[tuple[str, str, bool]]:
    """Key, words and whether chosen, of every kind that has places."""
    return [
        (key, f"{kind.plural} ({french.number(amount)})", key == chosen)
        for key, amount in queries.kinds_in_use().items()
        if (kind := PLACES_BY_KEY.get(key))
    ]


def _communes(profile: Profile, asked: queries.Filter) -> list[tuple[str, str, bool]]:
    names = {one.code: one.name for one in profile.commune}
    found = [
        (code, f"{names.get(code, code)} ({french.number(amount)})", code == asked.commune)
        for code, amount in queries.communes_in_use(asked.kind).items()
        if code
    ]
    return sorted(found, key=lambda one: one[1])
