"""The matrix of every endpoint and every role: each cell of `lakou.server.endpoints` holds on the running product.

All go through the server: with tokens in a header, and by people who are really logged in. Only MQTT knows no sessions.
"""

from __future__ import annotations

import itertools
import json
import re
import socket
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psycopg
import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from lakou.identity.policy.rules import BY_SUBJECT, Kind
from lakou.sensorthings.model import BY_NAME
from lakou.server import asgi
from lakou.server.endpoints import COLUMNS, ENDPOINTS, PEOPLE, TOKENS, Endpoint
from tests.harness import make
from tests.harness.mqtt import Wire
from tests.harness.server import ROOT, Server

METHODS = ("GET", "POST", "PATCH", "PUT", "DELETE")
CSRF = "a" * 32
ROWS = {(one.method, one.path): one for one in ENDPOINTS}
DATA = "/sta/v1.1/"

# ── the table is whole ──


def test_no_row_stands_twice() -> None:
    assert [key for key, count in Counter((one.method, one.path) for one in ENDPOINTS).items() if count > 1] == []


def routes(resolver: Any = None, before: str = "/") -> Iterator[str]:
    for one in (resolver or get_resolver()).url_patterns:
        route = before + re.sub(r"\(\?P(<\w+>)[^)]*\)", r"\1", str(one.pattern)).strip("^$")
        if isinstance(one, URLResolver):
            yield from routes(one, route)
        elif isinstance(one, URLPattern):
            yield route


PAGES = frozenset(route for route in routes() if not route.startswith("/api/connectors/"))


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
        self.rows = people_of(server)
        for column in ("device", "agent"):
            self.texts[column] = self.token(column, column)
        self.texts["other"] = self.token("other", "device", owner=str(self.rows["other"]))
        self.browsers = {column: entered(server, column, self.rows["codes"][column]) for column in SIGNED_IN}
        self.public, self.restricted = self.world(), self.world("restricted")
        streams = str(self.public.ids["Datastreams"])
        self.texts["scoped"] = self.token("scoped", "device", datastreams=streams)
        # A token of the organisation of the site that nobody uses: it is rotated and revoked again and again.
        self.names["spare"] = make.unique("spare")
        self.token_number = int(self.token("spare", "device").split("_")[1])

    def token(self, column: str, role: str, **more: str) -> str:
        """A new token, made on the page."""
        form = {"name": self.names[column], "role": role, "csrfmiddlewaretoken": CSRF, **more}
        answer = self.send("admin", "POST", "/administration/jetons/", data=form)
        found = re.search(r"lk_\d+_[0-9A-Za-z]{43}", answer.text)
        assert found is not None, answer.text
        return found[0]

    def send(self, column: str, method: str, target: str, **more: Any) -> httpx.Response:
        if column in SIGNED_IN:
            browser = self.browsers[column]
            if "data" in more:
                more["data"] = {**more["data"], "csrfmiddlewaretoken": browser.cookies["csrftoken"]}
            more["headers"] = {"x-csrftoken": browser.cookies["csrftoken"], **more.get("headers", {})}
            return browser.request(method, target, **more)
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


SIGNED_IN = tuple(column for column in PEOPLE if column != "anonymous")
PASSWORD = "trois mornes et une riviere"
MAKE = """
import json, os, sys
from lakou.server import compose, config
compose.load_django(config.load({"data_dir": sys.argv[1], "database_url": sys.argv[2] or None}))
from lakou.identity.actions import break_glass, invitations, organisations, people
columns = json.loads(sys.argv[3])
site = organisations.create_organisation(name="CTM", kind="ctm")
other = organisations.create_organisation(name="Ducos", kind="commune")
codes = {}
for column in columns:
    person = people.create_person(email=f"{column}@example.org", password=sys.argv[4])
    role = "administrator" if column == "foreign" else column
    people.grant_role(person=person, organisation=other if column == "foreign" else site, role=role)
    codes[column] = break_glass.print_sheet(person=person)[0]
member = people.create_person(email="member@example.org", password=sys.argv[4])
grant = people.grant_role(person=member, organisation=site, role="observer")
asked = invitations.invite(email="guest@example.org", organisation=site, role="observer")
rows = {"personne": member.pk, "role": grant.pk, "invitation": asked.invitation.pk, "organisation": site.pk}
print(json.dumps({**rows, "other": other.pk, "codes": codes}))
"""


def people_of(server: Server) -> dict[str, Any]:
    """People with each role, made by the product's own actions; the numbers of rows that pages are about."""
    words = [str(server.data), server.database_url or "", json.dumps(SIGNED_IN), PASSWORD]
    done = subprocess.run(
        [sys.executable, "-c", MAKE, *words], capture_output=True, env=server._environment(), cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    made: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return made


def entered(server: Server, column: str, code: str) -> httpx.Client:
    """A browser of this person, logged in by password and a printed code: that counts as a second factor."""
    browser = httpx.Client(base_url=server.origin, trust_env=False, timeout=20)
    browser.get("/secours/")
    given = {"email": f"{column}@example.org", "password": PASSWORD, "code": code}
    answer = browser.post("/secours/", data=given, headers={"x-csrftoken": browser.cookies["csrftoken"]})
    assert answer.headers.get("location") == "/compte/", answer.text
    return browser


@pytest.fixture(scope="module")
def site(server: Server) -> Iterator[Site]:
    made = Site(server)
    yield made
    for browser in (made.http, *made.browsers.values()):
        browser.close()


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


def fill(site: Site, path: str) -> str:
    """The address of a page of Django, with numbers of rows that are there."""
    number = site.token_number
    for name in ("organisation", "invitation", "personne"):
        number = site.rows[name] if f"/{name}s/" in path else number
    number = 1 if path.startswith(("/lieux/", "/api/places/")) else number
    for word, value in (
        ("<int:number>", number), ("<int:role_number>", site.rows["role"]), ("<int:key>", 1), ("<int:pk>", 1),
        ("<slug:key>", "none"), ("<str:key>", "none"), ("<str:secret>", "none"), ("<uidb36>-<key>", "1-none"),
    ):  # fmt: skip
        path = path.replace(word, str(value))
    return path


def asked(site: Site, row: Endpoint, *, is_new: bool = True) -> tuple[str, dict[str, Any]]:
    """The address of a row for this site, and what is sent with it; what is deleted is made for it before."""
    path, world = row.path, "restricted" if "{restricted}" in row.path else "public"
    name = path.removeprefix(DATA).partition("(")[0].partition("?")[0].partition("/")[0]
    ids = site.restricted if world == "restricted" else site.public
    if row.method == "DELETE" and path.startswith(DATA) and is_new:
        ids = site.world(world)  # gone afterwards, where the row allows it
    name = "Datastreams" if path.startswith("/poste") else name
    target = path.replace(f"{{{world}}}", str(ids.ids.get(name, 0)))
    if path in PAGES:
        target = fill(site, path)
        name = make.unique("made")
        data = {"csrfmiddlewaretoken": CSRF, "name": name, "role": "device", "overlap": "86400"}
        if "/jetons/" not in path:
            guest = {"email": f"{name}@example.org", "organisation": site.rows["organisation"], "kind": "commune"}
            data |= {**guest, "role": "observer", "territory": ""}
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
    target, more = asked(site, row, is_new=column not in SIGNED_IN)
    if row.path == "/live":
        text = site.texts.get(column)
        headers = {} if text is None else {"authorization": f"Bearer {text}"}
        with site.browsers.get(column, site.http).stream("GET", target, headers=headers) as answer:
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


# What ends the token, the account or the session that others stand on comes last.
LAST = ("/fermer/", "/portee/", "/revoquer/", "/deconnexion/")
ORDER = sorted(ENDPOINTS, key=lambda row: next((n for n, end in enumerate(LAST, 1) if row.path.endswith(end)), 0))


def is_driven(row: Endpoint, column: str) -> bool:
    """Whether a cell is asked of the server: all but some of those that stand in a row of equals.

    MQTT knows no sessions and the data plane does not look at them; one's own account is the same page for everybody.
    """
    if row.method in ("PUBLISH", "SUBSCRIBE"):
        return column not in SIGNED_IN
    if row.path.startswith(DATA):
        return column not in SIGNED_IN or column in ("administrator", "foreign")
    if row.path.startswith(("/compte/", "/secours/", "/invitation/")) and row.kind in (Kind.PERSON, Kind.PAGE):
        return column in ("anonymous", "citizen", "administrator", "admin", "forged")
    return True


def test_every_cell_holds_on_the_running_product(site: Site) -> None:
    wrong, driven = [], 0
    for row in ORDER:
        for column in COLUMNS:
            if not is_driven(row, column):
                continue
            driven += 1
            found = status_of(site, column, row)
            if found != row.status(column):
                wrong.append(f"{row.method} {row.path} {column}: {found}, not {row.status(column)}")
    assert not wrong, "\n".join(wrong)
    assert driven > 2_000


def test_every_row_asks_something_for_which_the_policy_has_a_line() -> None:
    assert [(row.method, row.path) for row in ENDPOINTS if (row.action, row.kind) not in BY_SUBJECT] == []


def test_a_session_counts_for_nothing_on_the_data_plane() -> None:
    for row in ENDPOINTS:
        if row.path.startswith((DATA, "/live", "/metrics", "v1.1/")):
            assert len({row.status(column) for column in PEOPLE}) == 1, row.path


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


# ── what no row names ──


def test_no_page_takes_a_method_that_the_table_does_not_name(site: Site) -> None:
    """By a token, which has them all where a page takes tokens; pages of people lead it to the log-in, or away."""
    for path in sorted(PAGES | {one for one in routes() if "/connectors/" in one}):
        for method in (*METHODS, "TRACE", "PURGE"):
            if (method, path) not in ROWS:
                answer = site.send("admin", method, fill(site, path), headers={"x-csrftoken": CSRF})
                status = row_of(path).status("admin") if "compte" in path or row_of(path).kind in OF_PEOPLE else 405
                assert answer.status_code in (405, status), (method, path, answer.status_code)


OF_PEOPLE = (Kind.PERSON, Kind.ROLE, Kind.ORGANISATION)


def row_of(path: str) -> Endpoint:
    return next(one for one in ENDPOINTS if one.path == path)


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
