"""`/api/territory`, `/api/places`, `/api/layers`: public reading for programs, in JSON, GeoJSON and CSV, paged by key.

Nothing is written here. Answers are the same for everybody, so any site may read them (CORS `*`, trust R14).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from lakou.identity import policy
from lakou.identity.policy.requests import actor_of_request
from lakou.kernel import jsontext
from lakou.kernel.errors import LakouError, MethodNotAllowed, NotFound
from lakou.territory import asking, queries, render
from lakou.territory.asking import MEDIA, ON_ZONES
from lakou.territory.profile import load_profile

View = Callable[..., HttpResponse]


def _answering(view: View) -> View:
    """The view for GET and HEAD, its errors as JSON."""

    @wraps(view)
    def answered(request: HttpRequest, **kept: Any) -> HttpResponse:
        try:
            if request.method not in ("GET", "HEAD"):
                raise MethodNotAllowed("This is only read here", hint="GET")
            policy.require(actor_of_request(request), policy.Action.READ, policy.Object(policy.Kind.DATASET))
            response = view(request, **kept)
        except LakouError as error:
            response = HttpResponse(jsontext.encode(error.body()), content_type="application/json", status=error.status)
            if isinstance(error, MethodNotAllowed):
                response["Allow"] = error.allow
            if error.status == 401:
                response["WWW-Authenticate"] = 'Bearer realm="Lakou"'
        response["Access-Control-Allow-Origin"] = "*"
        response["Access-Control-Expose-Headers"] = "Link"
        response["Vary"] = "Accept"
        # A refusal is of one token, never of all who ask here.
        response["Cache-Control"] = "no-store" if response.status_code == 401 else "public, max-age=60"
        return response

    return answered


@_answering
def territory(request: HttpRequest) -> HttpResponse:
    """`GET /api/territory`: the profile of the territory; `to_verify` marks what nobody has checked."""
    asking.read(_parameters(request), known=())
    return _json(render.profile_json(load_profile(settings.LAKOU_TERRITORY)))


@_answering
def places(request: HttpRequest) -> HttpResponse:
    """`GET /api/places`: a page of places."""
    asked = asking.read(_parameters(request), request.headers.get("Accept", ""))
    found = queries.page_of_places(asked.filter, after=asked.after, size=asked.limit + 1)
    page, next_link = found[: asked.limit], ""
    if len(found) > asked.limit:
        next_link = _next(request, page[-1].pk)
    match asked.shape:
        case "csv":
            response = HttpResponse(render.places_csv(page), content_type=MEDIA["csv"])
            response["Content-Disposition"] = 'attachment; filename="lieux.csv"'
        case "geojson":
            features = [render.place_feature(place) for place in page]
            response = _collection(features, next_link, {})
        case _:
            body = {"value": [render.place_json(place) for place in page]}
            response = _json(body | ({"next": next_link} if next_link else {}))
    if next_link:
        response["Link"] = f'<{next_link}>; rel="next"'
    return response


@_answering
def place(request: HttpRequest, key: int) -> HttpResponse:
    """`GET /api/places/KEY`: one place."""
    asked = asking.read(_parameters(request), request.headers.get("Accept", ""), known=("format",))
    found = queries.place(key) if key <= asking.LARGEST_KEY else None
    if found is None:
        raise NotFound("There is no such place", place="key", hint="/api/places lists them")
    match asked.shape:
        case "csv":
            return HttpResponse(render.places_csv([found]), content_type=MEDIA["csv"])
        case "geojson":
            return HttpResponse(jsontext.encode(render.place_feature(found)), content_type=MEDIA["geojson"])
    return _json(render.place_json(found))


@_answering
def layers(request: HttpRequest) -> HttpResponse:
    """`GET /api/layers`: all layers, each with provenance and licence."""
    asking.read(_parameters(request), known=())
    found = [render.layer_json(layer) | {"href": f"/api/layers/{layer.key}"} for layer in queries.layers()]
    return _json({"value": found})


@_answering
def layer(request: HttpRequest, key: str) -> HttpResponse:
    """`GET /api/layers/KEY`: the zones of a layer as a GeoJSON FeatureCollection that says where it comes from."""
    asked = asking.read(_parameters(request), known=ON_ZONES)
    found = queries.layer(key)
    if found is None:
        raise NotFound("There is no such layer", place="key", hint="/api/layers lists them")
    rows = list(queries.zones_of(key, asked.filter.bounds).filter(id__gt=asked.after)[: asked.limit + 1])
    page = rows[: asked.limit]
    next_link = _next(request, page[-1].pk) if len(rows) > asked.limit else ""
    response = _collection([render.zone_feature(zone) for zone in page], next_link, {"layer": render.layer_json(found)})
    if next_link:
        response["Link"] = f'<{next_link}>; rel="next"'
    return response


def _parameters(request: HttpRequest) -> dict[str, str]:
    return {name: request.GET[name] for name in request.GET}


def _next(request: HttpRequest, after: int) -> str:
    kept = {name: value for name, value in _parameters(request).items() if name != "after"}
    return f"{request.path}?{urlencode(kept | {'after': str(after)})}"


def _collection(features: list[dict[str, Any]], next_link: str, more: dict[str, Any]) -> HttpResponse:
    body = {"type": "FeatureCollection", **more, "features": features} | ({"next": next_link} if next_link else {})
    return HttpResponse(jsontext.encode(body), content_type=MEDIA["geojson"])


def _json(body: dict[str, Any]) -> HttpResponse:
    return HttpResponse(jsontext.encode(body), content_type=MEDIA["json"])
