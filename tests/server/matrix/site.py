"""A site with somebody for each column of the matrix, and what they meet there.

Tokens are made on the page, people log in with a password and a printed code. What hangs on an entity is in its
`World`.
"""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
import time
from typing import Any

import httpx
import psycopg

from lakou.server.endpoints import PEOPLE, TOKENS
from tests.harness import make
from tests.harness.server import ROOT, Server

DATA = "/sta/v1.1/"
CSRF = "a" * 32
PASSWORD = "trois mornes et une riviere"
SIGNED_IN = tuple(column for column in PEOPLE if column != "anonymous")
MAKE = """
import json, os, sys
from datetime import UTC, datetime
from lakou.server import compose, config
compose.load_django(config.load({"data_dir": sys.argv[1], "database_url": sys.argv[2] or None}))
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from lakou.identity import queries
from lakou.identity.actions import break_glass, invitations, organisations, people
from lakou.territory.models import Layer, Place
columns = json.loads(sys.argv[3])
site = queries.host() or organisations.create_organisation(name="CTM", kind="ctm")
other = organisations.create_organisation(name="Ducos", kind="commune")
third = organisations.create_organisation(name="Rivière-Pilote", kind="commune")
codes = {}
for column in columns:
    person = people.create_person(email=f"{column}@example.org", password=sys.argv[4])
    role = "administrator" if column == "foreign" else column
    people.grant_role(person=person, organisation=other if column == "foreign" else site, role=role)
    sheet = break_glass.print_sheet(person=person)
    codes[column] = sheet[0]
    if column == "administrator":
        codes["witness"] = sheet[1]
rows = {"codes": codes}
for name, organisation in (("", site), ("other_", other), ("third_", third)):
    member = people.create_person(email=f"{name}member@example.org", password=sys.argv[4])
    grant = people.grant_role(person=member, organisation=organisation, role="observer")
    asked = invitations.invite(email=f"{name}guest@example.org", organisation=organisation, role="observer")
    made = {"organisation": organisation, "personne": member, "role": grant, "invitation": asked.invitation}
    rows |= {name + word: row.pk for word, row in made.items()}
    if not name:
        key = Authenticator.objects.create(user=member, type="webauthn", data={"name": "Clé", "credential": {}})
        session = UserSession.objects.create(user=member, ip="127.0.0.1", session_key="k", user_agent="x")
        rows |= {"key": key.pk, "session": session.pk}
now = datetime.now(UTC)
place = Place.objects.create(kind="other", name="Salle", source="matrix", source_id="1", updated=now)
layer = Layer.objects.create(key="matrix", title="Zone", kind="hazard", source="x", licence="x", retrieved=now)
print(json.dumps({**rows, "place": place.pk, "layer": layer.pk}))
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


def station(visibility: str = "public") -> dict[str, Any]:
    """The body of a station with an entity of every set, in which no property is null."""
    said: dict[str, Any] = {"properties": {"note": "x"}}
    full = {
        "phenomenonTime": "2026-01-01T00:00:00Z", "resultTime": "2026-01-01T00:00:00Z", "resultQuality": "ok",
        "validTime": "2026-01-01T00:00:00Z/2026-01-02T00:00:00Z", "parameters": {"note": "x"},
    }  # fmt: skip
    stream = make.datastream(
        Sensor=make.sensor(**said),
        ObservedProperty=make.observed_property(**said),
        Observations=[make.observation(**full, FeatureOfInterest=make.feature(**said))],
        **said,
    )
    multi = make.multi_datastream(2, Observations=[make.observation([1, 2], **full)], **said)
    body = make.station(Locations=[make.location(**said)], Datastreams=[stream], MultiDatastreams=[multi], **said)
    return {**body, "@lakou.visibility": visibility}


EXPANDED = (
    "Locations($select=id),HistoricalLocations($select=id),MultiDatastreams($select=id),"
    "Datastreams($select=id;$expand=Sensor($select=id),ObservedProperty($select=id),"
    "Observations($select=id;$expand=FeatureOfInterest($select=id)))"
)


class World:
    """A station of a token: an id for each entity set."""

    def __init__(self, found: dict[str, Any]) -> None:
        ids = {"Things": found["@iot.id"]}
        ids |= {name: found[name][0]["@iot.id"] for name in ("Locations", "HistoricalLocations", "MultiDatastreams")}
        flow = found["Datastreams"][0]
        ids |= {"Datastreams": flow["@iot.id"], "Sensors": flow["Sensor"]["@iot.id"]}
        ids["ObservedProperties"] = flow["ObservedProperty"]["@iot.id"]
        ids["Observations"] = flow["Observations"][0]["@iot.id"]
        ids["FeaturesOfInterest"] = flow["Observations"][0]["FeatureOfInterest"]["@iot.id"]
        self.ids: dict[str, int] = ids


class Site:
    """The product with a token for each column, and what they meet there."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.http = httpx.Client(base_url=server.origin, trust_env=False, timeout=20, cookies={"csrftoken": CSRF})
        self.names = {column: make.unique(column) for column in TOKENS}
        self.names["admin"] = server.token_name
        self.texts: dict[str, str | None] = {"anonymous": None, "admin": server.token}
        # The number is that of a token that is there: only the secret is wrong.
        self.texts["forged"] = "_".join((*server.token.split("_")[:2], "a" * 43))
        self.rows = people_of(server)
        for column in ("device", "agent"):
            self.texts[column] = self.token(column, column)
        self.texts["other"] = self.token("other", "device", owner=str(self.rows["other_organisation"]))
        self.texts["third"] = self.token("third", "device", owner=str(self.rows["third_organisation"]))
        self.browsers = {column: entered(server, column, self.rows["codes"][column]) for column in SIGNED_IN}
        # A second session, for looking at pages when the first one has ended.
        self.witness = entered(server, "administrator", self.rows["codes"]["witness"])
        self.public, self.restricted = self.world(), self.world("restricted")
        self.texts["scoped"] = self.token("scoped", "device", datastreams=str(self.public.ids["Datastreams"]))
        # A token of the organisation of the site that nobody uses: it is rotated and revoked again and again.
        self.token_number = int(self.token("spare", "device").split("_")[1])
        self.texts["expired"], self.texts["revoked"] = expired(self), revoked(self)
        self._wait_for_refusals()

    def close(self) -> None:
        for browser in (self.http, self.witness, *self.browsers.values()):
            browser.close()

    def ids(self, path: str) -> dict[str, int]:
        """The ids that the placeholder of a path stands for."""
        return (self.restricted if "{restricted}" in path else self.public).ids

    def token(self, column: str, role: str, **more: str) -> str:
        """A new token, made on the page."""
        self.names.setdefault(column, make.unique(column))
        form = {"name": self.names[column], "role": role, "csrfmiddlewaretoken": CSRF, **more}
        answer = self.send("admin", "POST", "/administration/jetons/", data=form)
        found = re.search(r"lk_\d+_[0-9A-Za-z]{43}", answer.text)
        assert found is not None, answer.text
        return found[0]

    def headers(self, column: str) -> dict[str, str]:
        """What this column sends with every request: the session of a person with its CSRF token, or a token."""
        if column in SIGNED_IN:
            cookies = self.browsers[column].cookies
            together = "; ".join(f"{name}={value}" for name, value in cookies.items())
            return {"Cookie": together, "X-CSRFToken": cookies["csrftoken"]}
        text = self.texts[column]
        carried = {} if text is None else {"Authorization": f"Bearer {text}"}
        return {"Cookie": f"csrftoken={CSRF}", "X-CSRFToken": CSRF, **carried}

    def send(self, column: str, method: str, target: str, **more: Any) -> httpx.Response:
        """One request of a column, apart from the matrix."""
        headers = {**self.headers(column), **more.pop("headers", {})}
        if column in SIGNED_IN:
            headers.pop("Cookie")  # the browser has them
            return self.browsers[column].request(method, target, headers=headers, **more)
        return self.http.request(method, target, headers=headers, **more)

    def world(self, visibility: str = "public", column: str = "device") -> World:
        """A station with everything, made by a token."""
        body = station(visibility)
        made = self.send(column, "POST", f"{DATA}Things", json=body)
        assert made.status_code == 201, made.text
        found = self.send(column, "GET", f"{DATA}Things({made.json()['@iot.id']})?$expand={EXPANDED}")
        return World(found.json())

    def _wait_for_refusals(self) -> None:
        """Wait until the server has heard which tokens are none any more."""
        end = time.monotonic() + 3
        for column in ("expired", "revoked"):
            while self.send(column, "GET", f"{DATA}Things?$top=1").status_code != 401:
                assert time.monotonic() < end, column
                time.sleep(0.05)


def expired(site: Site) -> str:
    """A token whose last day is over: made with a day to come, then the row is set back, as time would do it."""
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
    return text


def revoked(site: Site) -> str:
    """A token with all rights that was revoked on the page."""
    text = site.token("revoked", "admin")
    answer = site.send("admin", "POST", f"/administration/jetons/{text.split('_')[1]}/revoquer/")
    assert answer.status_code == 302, answer.text
    return text
