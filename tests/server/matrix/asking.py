"""What is sent for a row of the matrix, and where its answer is read.

A page of Django gets numbers of rows that are there (`fill`); an entity set a whole body with marks that no other
request has: by them it is seen afterwards what was stored (`traces.py`).
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import urlencode

from django.urls import URLPattern, URLResolver, get_resolver

from lakou.kernel.time import parse_instant
from lakou.sensorthings.model import BY_PLURAL
from lakou.server.endpoints import ENDPOINTS, Endpoint
from tests.harness import make, multipart
from tests.harness.line import Reply
from tests.server.matrix.site import DATA, SIGNED_IN, Site

JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
PATCH = {"Content-Type": "application/json-patch+json"}
NDJSON = {"Content-Type": "application/x-ndjson"}
FIRST_RESULT = 1_000_001
_numbers = itertools.count(FIRST_RESULT)
Read = Callable[[Reply], int]
Body = dict[str, Any]


def status(reply: Reply) -> int:
    """The usual answer."""
    return reply.status


@dataclass(frozen=True)
class Ask:
    """One request. `marks` are what it would leave in the store; `read` finds the cell in the answer."""

    method: str
    target: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    marks: tuple[object, ...] = ()
    read: Read = status


# ── Django's addresses ──


def routes(resolver: Any = None, before: str = "/") -> Iterator[str]:
    """Every address of Django as it stands in the table."""
    for one in (resolver or get_resolver()).url_patterns:
        route = before + re.sub(r"\(\?P(<\w+>)[^)]*\)", r"\1", str(one.pattern)).strip("^$")
        if isinstance(one, URLResolver):
            yield from routes(one, route)
        elif isinstance(one, URLPattern):
            yield route


@cache
def pages() -> frozenset[str]:
    """The addresses that take a CSRF token; those of connectors do not."""
    return frozenset(route for route in routes() if not route.startswith("/api/connectors/"))


def fill(site: Site, path: str, whose: str = "") -> str:
    """The address of a page of Django, with numbers of rows that are there: of the site, or `whose` (`third_`)."""
    number = site.token_number
    for name in ("organisation", "invitation", "personne"):
        number = site.rows[whose + name] if f"/{name}s/" in path else number
    for word, value in (
        ("<int:number>", number), ("<int:role_number>", site.rows[f"{whose}role"]), ("<int:pk>", site.rows["key"]),
        ("<int:key>", site.rows["place"]), ("<slug:key>", site.rows["layer"]), ("<str:key>", "none"),
        ("<str:secret>", "none"), ("<uidb36>-<key>", "1-none"),
    ):  # fmt: skip
        path = path.replace(word, str(value))
    return path


def _page(site: Site, row: Endpoint) -> Ask:
    path = row.path.partition("?")[0]
    target = fill(site, path) + row.path[len(path) :].replace("{restricted}", str(site.restricted.ids["Datastreams"]))
    if row.method != "POST":
        return Ask(row.method, target)
    name = make.unique("made")
    data = {"name": name, "role": "device", "overlap": "86400", "which": str(site.rows["session"])}
    if "/jetons/" not in path:
        guest = {"email": f"{name}@example.org", "organisation": site.rows["organisation"], "kind": "commune"}
        data |= {**guest, "role": "observer", "territory": ""}
    marks = (name,) if path.endswith(("/jetons/", "/inviter/", "/organisations/ajouter/")) else ()
    return Ask("POST", target, FORM, urlencode(data).encode(), marks)


# ── bodies of the data plane ──


def bare(body: Body, *links: str) -> Body:
    """The same without these links."""
    return {name: value for name, value in body.items() if name not in links}


def instant() -> str:
    """A time that no other body has."""
    return f"2026-02-01T00:00:{next(_numbers) / 1e6 % 60:09.6f}Z"


def observed(result: Any = None) -> Body:
    """An Observation that no other body equals."""
    return make.observation(next(_numbers) if result is None else result, phenomenonTime=instant())


WHOLE: dict[str, Callable[[], Body]] = {
    "Things": make.thing,
    "Locations": make.location,
    "HistoricalLocations": lambda: {"time": instant()},
    "Datastreams": lambda: bare(make.datastream(), "Sensor", "ObservedProperty"),
    "MultiDatastreams": lambda: bare(make.multi_datastream(), "Sensor", "ObservedProperties"),
    "Sensors": make.sensor,
    "ObservedProperties": make.observed_property,
    "Observations": observed,
    "FeaturesOfInterest": make.feature,
}
"""A whole body of each type, without its links: what PUT takes."""


def new(site: Site, name: str) -> Body:
    """A body with which an entity is created, with its own parents."""
    if name == "HistoricalLocations":
        return {**WHOLE[name](), "Thing": make.thing(), "Locations": [make.location()]}
    if name == "Datastreams":
        return make.datastream(Thing=make.thing())
    if name == "MultiDatastreams":
        return make.multi_datastream(Thing=make.thing())
    if name == "Observations":
        return {**WHOLE[name](), "Datastream": {"@iot.id": site.public.ids["Datastreams"]}}
    return WHOLE[name]()


def under(site: Site, parent: str, link: str) -> Body:
    """A body with which an entity is created in the set of a link: all but what the path says."""
    if parent == "MultiDatastreams" and link == "Observations":
        return observed([next(_numbers), 0])
    if parent == "Datastreams" and link == "Observations":
        return observed()
    if (parent, link) == ("ObservedProperties", "MultiDatastreams"):
        return bare(make.multi_datastream(1, Thing=make.thing()), "ObservedProperties")
    inverse = BY_PLURAL[parent].link(link)
    return bare(new(site, link), inverse.inverse if inverse is not None else "")


def marks_of(body: Any) -> tuple[object, ...]:
    """What a body would leave: names, results and times that no other body has."""
    if isinstance(body, list):
        return tuple(mark for one in body for mark in marks_of(one))
    if isinstance(body, dict):
        moved = (parse_instant(body["time"]),) if "time" in body else ()
        return (*moved, *(mark for one in body.values() for mark in marks_of(one)))
    is_mark = make.is_unique(body) if isinstance(body, str) else isinstance(body, int) and body >= FIRST_RESULT
    return (body,) if is_mark else ()


def changed(name: str) -> Body:
    """What PATCH changes of an entity."""
    return WHOLE[name]()


def json_patch(name: str) -> list[Body]:
    """The same as a JSON Patch of one property."""
    prop = {"HistoricalLocations": "time", "Observations": "result"}.get(name, "name")
    return [{"op": "replace", "path": f"/{prop}", "value": WHOLE[name]()[prop]}]


# ── requests of the data plane ──


def _sent(method: str, target: str, body: Any, headers: dict[str, str] = JSON) -> Ask:
    return Ask(method, target, headers, json.dumps(body).encode(), marks_of(body))


def set_of(path: str) -> str:
    """The entity set to which a path of the data plane leads."""
    found = ""
    for step in path.removeprefix(DATA).partition("?")[0].split("/"):
        name = step.partition("(")[0]
        if name in BY_PLURAL:
            found = name
        elif found and (link := BY_PLURAL[found].link(name)) is not None:
            found = link.type.plural
    return found


def filled(path: str, ids: dict[str, int]) -> str:
    """The path with an id in every key, and in its filter."""
    path = re.sub(r"(\w+)\(\{(?:public|restricted)\}\)", lambda step: f"{step[1]}({ids[step[1]]})", path)
    return re.sub(r"\{(?:public|restricted)\}", lambda _: str(ids[set_of(path)]), path)


def _entities(site: Site, row: Endpoint, ids: dict[str, int]) -> Iterator[Ask]:
    path = row.path.removeprefix(DATA)
    name, _, rest = path.partition("/")
    name = re.split(r"[(?]", name)[0]
    target = filled(row.path, ids).replace(" ", "%20")
    link = rest.partition("?")[0]
    last = set_of(row.path)
    match row.method:
        case "FIND":
            yield Ask("GET", target, read=_found)
        case "POST" if row.form == "NDJSON":
            body = new(site, "Observations") if not link else observed()
            yield _sent("POST", target, body, NDJSON)
        case "POST":
            yield _sent("POST", target, under(site, name, link) if link else new(site, name))
        case "PATCH" if row.form:
            yield _sent("PATCH", target, json_patch(last), PATCH)
        case "PATCH" | "PUT":
            yield _sent(row.method, target, changed(last))
        case _ if "{property}" in path:
            for prop in ("@iot.id", *(one.name for one in BY_PLURAL[name].properties)):
                yield Ask(row.method, target.replace("{property}", prop))
        case _:
            yield Ask(row.method, target)


def _row_of_array(site: Site, row: Endpoint) -> Ask:
    which = site.ids(row.form)
    stored = observed()
    rows = [[stored["phenomenonTime"], stored["result"]]]
    stream = {"@iot.id": which["Datastreams"]}
    return _sent(
        "POST", row.path, [{"Datastream": stream, "components": ["phenomenonTime", "result"], "dataArray": rows}]
    )


def _batch(site: Site, row: Endpoint, ids: dict[str, int]) -> Ask:
    """A batch with one part: its status is the cell; without a form that of the whole."""
    words = (row.form or "GET Things?$top=1").split(" ")
    at = next(n for n, word in enumerate(words) if word.isupper())
    form, method, target = " ".join(words[:at]), words[at], words[at + 1]
    name = target.partition("(")[0].partition("?")[0]
    target = re.sub(r"\{\w+\}", str(ids[name]), target)
    body = new(site, name) if method == "POST" else changed(name) if method == "PATCH" else None
    marks = marks_of(body)
    if form == "multipart":
        text = multipart.batch(multipart.Part(method, target, body))
        headers = {"Content-Type": f"multipart/mixed;boundary={multipart.BOUNDARY}"}
        return Ask("POST", row.path, headers, text.encode(), marks, _in_multipart)
    request: Body = {"id": "0", "method": method.lower(), "url": target}
    if body is not None:
        request["body"] = body
    if form == "change set":
        request["atomicityGroup"] = "g"
    read = _in_json if form else status
    return Ask("POST", row.path, JSON, json.dumps({"requests": [request]}).encode(), marks, read)


def _found(reply: Reply) -> int:
    return len(json.loads(reply.body)["value"]) if reply.status == 200 else reply.status


def _in_json(reply: Reply) -> int:
    if reply.status != 200:
        return reply.status
    return int(json.loads(reply.body)["responses"][0]["status"])


def _in_multipart(reply: Reply) -> int:
    if reply.status != 200:
        return reply.status
    return multipart.read_answers(reply.headers["content-type"], reply.body.decode())[0].status


def asked(site: Site, row: Endpoint, ids: dict[str, int] | None = None) -> list[Ask]:
    """The requests of a row over HTTP, all of which get the answer of the cell. `ids` stand for the placeholder."""
    ids = ids if ids is not None else site.ids(row.path + row.form)
    if row.path.partition("?")[0] in pages():
        return [_page(site, row)]
    if row.path.endswith("/chirpstack"):
        return [Ask("POST", row.path + "?event=join", JSON, b"{}")]
    if row.path.endswith("/tts"):
        return [Ask("POST", row.path, JSON, b'{"end_device_ids":{"device_id":"x"}}')]
    if row.path.endswith("$batch"):
        return [_batch(site, row, ids)]
    if row.path.endswith("CreateObservations"):
        return [_row_of_array(site, row)]
    if row.path.startswith(DATA) and len(row.path) > len(DATA) and row.method != "OPTIONS":
        return list(_entities(site, row, ids))
    return [Ask(row.method, row.path)]


def takes_effect(row: Endpoint, column: str) -> bool:
    """Whether what this cell sends is stored, or deleted: the whole says 2xx also where its one part was refused."""
    path, form = row.path, row.form
    if path.endswith("CreateObservations"):
        path, form = f"{DATA}{row.form}/Observations", ""
    elif row.method == "DELETE" and "?$filter=id eq {restricted}" in path:
        path = path.replace("?$filter=id eq {restricted}", "({restricted})")
    found = ROWS.get((row.method, path, form), row).status(column)
    return found in (0, 200, 201, 204) or (found == 302 and column in SIGNED_IN)  # others are led to the log-in


ROWS = {(one.method, one.path, one.form): one for one in ENDPOINTS}
