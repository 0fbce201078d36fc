"""The matrix of every endpoint and every role: each cell of `lakou.server.endpoints` holds on the running product.

Cells of tokens and of the anonymous go through the server. Those of people are asked of the policy, which decides for
them too, until sign-on gives tests a session.
"""

from __future__ import annotations

import itertools
import re
import socket
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psycopg
import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from lakou.identity import policy
from lakou.identity.policy import Action, Actor, ActorKind, Grant, Kind, Object, Role
from lakou.kernel.errors import LakouError
from lakou.sensorthings.model import BY_NAME
from lakou.server import asgi
from lakou.server.endpoints import COLUMNS, ENDPOINTS, PEOPLE, TOKENS, Endpoint
from tests.harness import make
from tests.harness.mqtt import Wire
from tests.harness.server import Server

METHODS = ("GET", "POST", "PATCH", "PUT", "DELETE")
CSRF = "a" * 32
ROWS = {(one.method, one.path): one for one in ENDPOINTS}
DATA = "/sta/v1.1/"

# ── the table is whole ──


def test_no_row_stands_twice() -> None:
    assert [key for key, count in Counter((one.method, one.path) for one in ENDPOINTS).items() if count > 1] == []


def routes(resolver: Any = None, before: str = "/") -> Iterator[str]:
    for one in (resolver or get_resolver()).url_patterns:
        route = before + str(one.pattern)
        if isinstance(one, URLResolver):
            yield from routes(one, route)
        elif isinstance(one, URLPattern):
            yield route


def test_every_address_of_django_has_a_row() -> None:
    assert sorted(set(routes()) - {one.path for one in ENDPOINTS}) == []


def test_every_entity_set_has_a_row_for_every_method() -> None:
    for type_ in BY_NAME.values():
        for method, path in [("POST", ""), *((m, f"({{{o}}})") for m in METHODS for o in ("public", "restricted"))]:
            if (method, path[:1]) != ("POST", "("):
                assert (method, f"{DATA}{type_.plural}{path}") in ROWS, type_.plural


def test_every_address_beside_django_has_a_row() -> None:
    paths = {one.path for one in ENDPOINTS}
    assert {*asgi.STATE, "/live", DATA, f"{DATA}$batch", f"{DATA}CreateObservations"} <= paths


# ── tokens and strangers, through the server ──


class World:
    """A station of a token: an id for each entity set."""

    def __init__(self, ids: dict[str, int]) -> None:
        self.ids = ids


class Site:
    """The product with a token for each column, and what they meet there."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.http = httpx.Client(base_url=server.origin, trust_env=False, timeout=20, cookies={"csrftoken": CSRF})
        self.names = {column: make.unique(column) for column in TOKENS}
        self.texts: dict[str, str | None] = {"anonymous": None, "admin": server.token, "forged": "lk_1_" + "a" * 43}
        self.names["admin"] = server.token_name
        for column in ("device", "other", "agent"):
            self.texts[column] = self.token(column, "agent" if column == "agent" else "device")
        self.public, self.restricted = self.world(), self.world("restricted")
        streams = str(self.public.ids["Datastreams"])
        self.texts["scoped"] = self.token("scoped", "device", datastreams=streams)
        page = self.send("admin", "GET", "/administration/jetons/").text
        found = re.search(rf'/jetons/(\d+)/">{self.names["device"]}<', page)
        assert found is not None
        self.token_number = int(found[1])

    def token(self, column: str, role: str, **more: str) -> str:
        """A new token, made on the page."""
        form = {"name": self.names[column], "role": role, "csrfmiddlewaretoken": CSRF, **more}
        answer = self.send("admin", "POST", "/administration/jetons/", data=form)
        found = re.search(r"lk_\d+_[0-9A-Za-z]{43}", answer.text)
        assert found is not None, answer.text
        return found[0]

    def send(self, column: str, method: str, target: str, **more: Any) -> httpx.Response:
        text = self.texts[column]
        headers = {**({} if text is None else {"authorization": f"Bearer {text}"}), **more.pop("headers", {})}
        return self.http.request(method, target, headers=headers, **more)

    def world(self, visibility: str = "public", column: str = "device") -> World:
        """A station with everything, made by a token."""
        stream = make.datastream(Observations=[make.observation(phenomenonTime="2026-01-01T00:00:00Z")])
        body = make.station(Datastreams=[stream], MultiDatastreams=[make.multi_datastream()])
        made = self.send(column, "POST", f"{DATA}Things", json={**body, "@lakou.visibility": visibility})
        assert made.status_code == 201, made.text
        expand = (
            "Locations,HistoricalLocations,MultiDatastreams,"
            "Datastreams($expand=Sensor,ObservedProperty,Observations($expand=FeatureOfInterest))"
        )
        target = f"{DATA}Things?$filter=name eq '{body['name']}'&$expand={expand}"
        (found,) = self.send(column, "GET", target).json()["value"]
        ids = {"Things": found["@iot.id"]}
        ids |= {name: found[name][0]["@iot.id"] for name in ("Locations", "HistoricalLocations", "MultiDatastreams")}
        flow = found["Datastreams"][0]
        ids |= {"Datastreams": flow["@iot.id"], "Sensors": flow["Sensor"]["@iot.id"]}
        ids["ObservedProperties"] = flow["ObservedProperty"]["@iot.id"]
        ids["Observations"] = flow["Observations"][0]["@iot.id"]
        ids["FeaturesOfInterest"] = flow["Observations"][0]["FeatureOfInterest"]["@iot.id"]
        return World(ids)


@pytest.fixture(scope="module")
def site(server: Server) -> Iterator[Site]:
    made = Site(server)
    yield made
    made.http.close()


def bare(body: dict[str, Any], *links: str) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in links}


TIME = "2027-01-01T00:00:00Z"
_clock = itertools.count(1)
WHOLE: dict[str, Callable[[], dict[str, Any]]] = {
    "Things": make.thing,
    "Locations": make.location,
    "HistoricalLocations": lambda: {"time": TIME},
    "Datastreams": lambda: bare(make.datastream(), "Sensor", "ObservedProperty"),
    "MultiDatastreams": lambda: bare(make.multi_datastream(), "Sensor", "ObservedProperties"),
    "Sensors": make.sensor,
    "ObservedProperties": make.observed_property,
    "Observations": lambda: make.observation(phenomenonTime=f"2026-02-01T00:00:00.{next(_clock):06}Z"),
    "FeaturesOfInterest": make.feature,
}
"""A whole body of each type, without its links: what PUT takes."""


def new(site: Site, name: str) -> dict[str, Any]:
    """A body with which an entity is created, with its own parents."""
    if name == "HistoricalLocations":
        return {"time": TIME, "Thing": make.thing(), "Locations": [make.location()]}
    if name == "Datastreams":
        return make.datastream(Thing=make.thing())
    if name == "MultiDatastreams":
        return make.multi_datastream(Thing=make.thing())
    if name == "Observations":
        return {**WHOLE[name](), "Datastream": {"@iot.id": site.public.ids["Datastreams"]}}
    return WHOLE[name]()


def asked(site: Site, row: Endpoint) -> tuple[str, dict[str, Any]]:
    """The address of a row for this site, and what is sent with it."""
    path, world = row.path, "restricted" if "{restricted}" in row.path else "public"
    name = path.removeprefix(DATA).partition("(")[0].partition("?")[0].partition("/")[0]
    ids = site.restricted if world == "restricted" else site.public
    if row.method == "DELETE" and path.startswith(DATA):
        ids = site.world(world)  # gone afterwards, where the row allows it
    target = path.replace(f"{{{world}}}", str(ids.ids.get(name, 0))).replace("<int:number>", str(site.token_number))
    if path.startswith("/administration/"):
        data = {"csrfmiddlewaretoken": CSRF, "name": make.unique("made"), "role": "device", "overlap": "86400"}
        return target, ({"data": data} if row.method == "POST" else {})
    if path.endswith("/chirpstack"):
        return target + "?event=join", {"content": b"{}", "headers": {"content-type": "application/json"}}
    if path.endswith("/tts"):
        return target, {
            "content": b'{"end_device_ids":{"device_id":"x"}}',
            "headers": {"content-type": "application/json"},
        }
    if path.endswith("$batch"):
        return target, {"json": {"requests": [{"id": "0", "method": "get", "url": "Things?$top=1"}]}}
    if path.endswith("CreateObservations"):
        rows = [[f"2026-03-01T00:00:00.{next(_clock):06}Z", 1]]
        stream = {"@iot.id": site.public.ids["Datastreams"]}
        return target, {"json": [{"Datastream": stream, "components": ["phenomenonTime", "result"], "dataArray": rows}]}
    if row.method == "POST":
        if path.endswith("/Observations") and "(" in path:
            return target, {"json": WHOLE["Observations"]()}
        return target, {"json": new(site, name)}
    if row.method in ("PATCH", "PUT"):
        return target, {"json": WHOLE[name]()}
    return target, {}


def status_of(site: Site, column: str, row: Endpoint) -> int:
    """What this column is answered, now."""
    if row.method in ("PUBLISH", "SUBSCRIBE"):
        return reason_of(site, column, row)
    target, more = asked(site, row)
    if row.path == "/live":
        text = site.texts[column]
        headers = {} if text is None else {"authorization": f"Bearer {text}"}
        with site.http.stream("GET", target, headers=headers) as answer:
            return answer.status_code
    return site.send(column, row.method, target, **more).status_code


def reason_of(site: Site, column: str, row: Endpoint) -> int:
    name = None if column == "anonymous" else site.names[column]
    with Wire(site.server.mqtt_port) as wire:
        connack = wire.connect(name, site.texts[column])
        if connack.reason:
            return int(connack.reason)
        topic = row.path
        for world in (site.public, site.restricted):
            word = "{public}" if world is site.public else "{restricted}"
            topic = topic.replace(word, str(world.ids["Datastreams"]))
        if row.method == "SUBSCRIBE":
            return int(wire.subscribe(topic).reasons[0])
        return int(getattr(wire.publish(topic, b'{"result":1}'), "reason", -1))


DRIVEN = [column for column in COLUMNS if column == "anonymous" or column in TOKENS]
# What ends the token that others stand on comes last.
ORDER = sorted(ENDPOINTS, key=lambda row: (row.path.endswith("/revoquer/"), row.path.endswith("/portee/")))


def test_every_cell_of_tokens_and_strangers_holds(site: Site) -> None:
    wrong: list[str] = []
    for row in ORDER:
        for column in DRIVEN:
            found = status_of(site, column, row)
            if found != row.status(column):
                wrong.append(f"{row.method} {row.path} {column}: {found}, not {row.status(column)}")
    assert not wrong, "\n".join(wrong)
    assert len(ENDPOINTS) * len(DRIVEN) > 1_000


def test_an_expired_token_is_refused_everywhere_as_a_forged_one_is(site: Site) -> None:
    with httpx.Client(base_url=site.server.origin, trust_env=False) as http:
        text = expired(site)
        for row in ORDER:
            if row.method in ("GET", "HEAD") and row.path != "/live":
                target, more = asked(site, row)
                answer = http.request(row.method, target, headers={"authorization": f"Bearer {text}"}, **more)
                assert answer.status_code == row.status("forged"), row.path


def expired(site: Site) -> str:
    """A token whose last day is over: made with a day to come, then the row is set back, as time would do it."""
    site.names["expired"] = make.unique("expired")
    text = site.token("expired", "admin", expires="2099-01-01")
    change = "UPDATE identity_token SET expires = '2026-01-01 00:00:00+00', epoch = %s WHERE name = %s"
    if site.server.database_url is None:
        with sqlite3.connect(site.server.data / "civic.db", timeout=10) as connection:
            ((epoch,),) = connection.execute("UPDATE identity_epoch SET value = value + 1 RETURNING value")
            connection.execute(change.replace("+00", "").replace("%s", "?"), (epoch, site.names["expired"]))
        connection.close()
    else:
        with psycopg.connect(site.server.database_url, options="-c search_path=civic") as pg:
            ((epoch,),) = pg.execute("UPDATE identity_epoch SET value = value + 1 RETURNING value").fetchall()
            pg.execute(change, (epoch, site.names["expired"]))
    site.texts["expired"] = text
    end = time.monotonic() + 3
    while time.monotonic() < end and site.send("expired", "GET", f"{DATA}Things?$top=1").status_code != 401:
        time.sleep(0.05)
    return text


# ── people, through the policy ──

SITE, OWNED, HOME = 1, 11, 101


def person(column: str) -> Actor:
    if column == "anonymous":
        return policy.ANONYMOUS
    role = Role.ADMINISTRATOR if column == "foreign" else Role(column)
    inside = column not in ("citizen", "foreign")
    return Actor(
        kind=ActorKind.PERSON,
        id=5,
        name=column,
        grants=frozenset({Grant(role, 2 if column == "foreign" else None)}),
        mfa=True,
        reads=frozenset({0, HOME}) if inside else frozenset({0}),
        owners=frozenset({OWNED}) if role in (Role.DEVICE_OWNER, Role.DATA_STEWARD) else frozenset(),
    )


def object_of(row: Endpoint) -> Object:
    if row.kind is Kind.TOKEN:
        return Object(Kind.TOKEN, owner=OWNED if "<int:number>" in row.path else 0)
    if row.kind in (Kind.ENTITY, Kind.OBSERVATION):
        one = "{" in row.path or row.action is Action.OBSERVE
        return Object(row.kind, scope=HOME if "{restricted}" in row.path else 0, owner=OWNED if one else 0)
    return Object(row.kind)


@pytest.mark.parametrize("column", PEOPLE)
def test_every_cell_of_people_holds_for_the_policy(column: str) -> None:
    actor = person(column)
    for row in ENDPOINTS:
        refused = (row.status(column) >= 100 and row.status(column) >= 400) or row.status(column) in (135, 144)
        if row.kind is Kind.TOKEN and column == "device_owner" and row.path == "/administration/jetons/":
            continue  # the list shows an owner's own, made or not
        assert policy.may(actor, row.action, object_of(row)) is not refused, (row.method, row.path)
        if row.kind in (Kind.TOKEN, Kind.JOURNAL, Kind.METRICS):
            assert status_asked(actor, row) == (row.status(column) if refused else 0), (row.method, row.path)


def status_asked(actor: Actor, row: Endpoint) -> int:
    try:
        policy.require(actor, row.action, object_of(row))
    except LakouError as error:
        return error.status
    return 0


# ── what no row names ──


def test_no_page_takes_a_method_that_the_table_does_not_name(site: Site) -> None:
    paths = {one.path for one in ENDPOINTS if one.path in set(routes())}
    for path in sorted(paths):
        target = path.replace("<int:number>", str(site.token_number))
        for method in (*METHODS, "TRACE", "PURGE"):
            if (method, path) not in ROWS:
                answer = site.send("admin", method, target, headers={"x-csrftoken": CSRF})
                assert answer.status_code == 405, (method, path, answer.status_code)


TRICKS = [
    "/sta/v1.1/../../metrics", "/sta/v1.1/%2e%2e/metrics", "/sta/v1.1/..;/metrics", "//metrics", "/metrics/",
    "/METRICS",
    "/%6detrics", "/metrics%00", "/metrics?x", "/live/../metrics", "/static/../metrics", "/static/..%2fsecret_key",
    "/static/%2e%2e/%2e%2e/server/settings.py", "/administration/../administration/jetons/", "/administration/jetons",
    "/administration//jetons/", "/administration/jetons/%2e%2e/journal/", "/Administration/jetons/",
    "/administration/jetons/1%2f..%2f..%2fjournal/", "/administration/jetons/-1/", "/administration/jetons/1.0/",
    "/administration/jetons/99999999999999999999999/", "/sta/v1.1/Things(1)/../../../administration/journal/",
]  # fmt: skip


@pytest.mark.parametrize("column", ["anonymous", "device"])
def test_no_trick_with_paths_leads_past_the_policy(site: Site, column: str) -> None:
    text = site.texts[column]
    head = "" if text is None else f"Authorization: Bearer {text}\r\n"
    for trick in TRICKS:
        status, body = raw(site.server.port, f"GET {trick} HTTP/1.1\r\nHost: x\r\n{head}Connection: close\r\n\r\n")
        assert status in (301, 308, 400, 401, 403, 404), (trick, status)
        assert b"lakou_requests_total" not in body
        assert site.names["other"].encode() not in body


def raw(port: int, text: str) -> tuple[int, bytes]:
    """The status and the whole answer to a request sent byte by byte as written: no client tidies its path."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(text.encode("latin-1"))
        pieces = []
        while piece := connection.recv(65_536):
            pieces.append(piece)
    answer = b"".join(pieces)
    return int(answer.split(b" ", 2)[1]), answer
