"""Webhooks of the network servers: `POST /api/connectors/lorawan/{chirpstack,tts}`.

A token is required. The answer comes after the commit; 204 for a message that carries no measurement.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from lakou.connectors import inbound, lorawan
from lakou.connectors.deliver import deliver
from lakou.connectors.reading import Reading
from lakou.identity import authority, policy
from lakou.kernel.errors import BadRequest, LakouError, TooLarge, Unauthorized, UnsupportedMediaType
from lakou.kernel.jsontext import encode
from lakou.sensorthings.access import Principal

log = structlog.get_logger(__name__)

MAX_BODY = 256 * 1024
CHIRPSTACK_EVENTS = frozenset({"up", "join", "ack", "txack", "log", "status", "location", "integration"})


@csrf_exempt
@require_POST
async def chirpstack(request: HttpRequest) -> HttpResponse:
    """ChirpStack v4 HTTP integration, JSON encoding; `?event=up` carries measurements."""
    event = request.GET.get("event", "")

    def read(body: bytes) -> Reading:
        if event not in CHIRPSTACK_EVENTS:
            raise BadRequest(
                "The query parameter event is missing or unknown.",
                place="event",
                hint="ChirpStack adds ?event=up itself: give it the address without a query.",
            )
        return lorawan.read_chirpstack(body, event)

    return await _receive(request, read)


@csrf_exempt
@require_POST
async def tts(request: HttpRequest) -> HttpResponse:
    """The Things Stack v3 webhook, JSON format; only uplink messages carry measurements."""
    return await _receive(request, lorawan.read_tts)


async def _receive(request: HttpRequest, read: Callable[[bytes], Reading]) -> HttpResponse:
    try:
        principal = _principal(request)
        reading = read(_body(request))
        if not reading.observations:
            return HttpResponse(status=204)
        delivered = await deliver(inbound.current().entities, principal, reading)
    except LakouError as error:
        log.info("webhook refused", path=request.path, status=error.status, code=error.error_code, place=error.place)
        return _refuse(error)
    body = {
        "things": [thing.key for thing in reading.things],
        "observations": delivered.observations,
        "created": delivered.created,
        "refused": delivered.refused,
        "notes": delivered.notes,
    }
    return HttpResponse(encode(body), status=200, content_type="application/json")


def _principal(request: HttpRequest) -> Principal:
    # The header alone: these addresses take no CSRF token, so that no session of a browser may count here.
    header = request.headers.get("Authorization")
    if header is None:
        raise Unauthorized(
            "A token is needed.",
            place="Authorization",
            hint="Add the header Authorization: Bearer lk_… to the integration.",
        )
    actor = authority.current().actor(header)
    policy.require(actor, policy.Action.DELIVER, policy.Object(policy.Kind.WEBHOOK))
    return policy.principal_of(actor)


def _body(request: HttpRequest) -> bytes:
    length = request.headers.get("Content-Length", "")
    if length.isdigit() and int(length) > MAX_BODY:
        raise _too_large()
    if (request.content_type or "application/json") not in ("application/json", "text/json", "text/plain"):
        raise UnsupportedMediaType(
            "Only JSON messages are read.", place="Content-Type", hint="Choose JSON as the encoding of the integration."
        )
    try:
        body = request.body
    except RequestDataTooBig:
        raise _too_large() from None
    if len(body) > MAX_BODY:
        raise _too_large()
    return body


def _too_large() -> TooLarge:
    return TooLarge(f"The message is above {MAX_BODY // 1024} KiB.", hint="One uplink is a few kB.")


def _refuse(error: LakouError) -> HttpResponse:
    response = HttpResponse(encode(error.body()), status=error.status, content_type="application/json")
    if error.status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="Lakou"'
    if error.status in (429, 503):
        response.headers["Retry-After"] = str(getattr(error, "retry_after_s", 60))
    return response
