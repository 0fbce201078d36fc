"""Everybody who asks over HTTP: each column with what it has, and what somebody has who tries for more.

Every caller keeps a few connections of their own and asks row after row; all ask at once, and wait for one another
where a stage ends.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from lakou.identity.policy.rules import Kind
from lakou.server import asgi
from lakou.server.endpoints import ENDPOINTS, SETS, TOKENS, Endpoint
from tests.harness.line import Line, Reply
from tests.server.matrix.asking import Ask, asked, pages, set_of, takes_effect
from tests.server.matrix.site import DATA, EXPANDED, SIGNED_IN, Site, World, station

OVER_HTTP = ("GET", "HEAD", "FIND", "OPTIONS", "POST", "PATCH", "PUT", "DELETE")
OF_PEOPLE = (Kind.PERSON, Kind.ROLE, Kind.ORGANISATION, Kind.BREAK_GLASS)
"""What pages are about that lead strangers to the log-in."""
BY_HEADER = (asgi.DATA_PREFIX, "/live", "/metrics", "/api/connectors/")
"""Where the header alone counts, a session for nothing (docs/explanation/rights.md)."""
# What ends the token, the account or the session that others stand on comes last, in this order.
LAST = ("/fermer/", "/portee/", "/revoquer/", "/deconnexion/")
CHILDREN_FIRST = (
    "Observations", "FeaturesOfInterest", "HistoricalLocations", "Locations", "MultiDatastreams", "Datastreams",
    "Sensors", "ObservedProperties", "Things",
)  # fmt: skip


def stages() -> dict[str, list[Endpoint]]:
    """The rows over HTTP in the order in which they are asked; each of the last ones for itself."""
    rows = [row for row in ENDPOINTS if row.method in OVER_HTTP]
    ends = [row for end in LAST for row in rows if row.path.endswith(end)]
    rest = [row for row in rows if row not in ends]
    deleting = [row for row in rest if "DELETE" in (row.method, *row.form.split())]
    changing = [row for row in rest if {"PATCH", "PUT"} & {row.method, *row.form.split()}]
    making = [row for row in rest if row.method == "POST" and row not in deleting and row not in changing]
    reading = [row for row in rest if row.method not in ("POST", "PATCH", "PUT", "DELETE")]
    found = {"read": reading, "change": changing, "delete": sorted(deleting, key=_rank), "make": making}
    return found | {f"end {number}": [row] for number, row in enumerate(ends)}


def _rank(row: Endpoint) -> int:
    """What is deleted with another entity is deleted before it."""
    return CHILDREN_FIRST.index(set_of(row.path)) if row.method == "DELETE" else len(SETS)


@dataclass
class Caller:
    """Somebody who asks. `way` says with what, `asks` which rows."""

    site: Site
    column: str
    way: str
    headers: dict[str, str]
    asks: Callable[[Endpoint], bool] = lambda row: True
    worlds: dict[tuple[str, str], World] = field(default_factory=dict)

    def __post_init__(self) -> None:
        port = self.site.server.port
        self.line, self.maker = Line(port), Line(port)

    async def ask(self, row: Endpoint, took: Callable[[Endpoint, str, Ask], None]) -> set[int]:
        """What the requests of a row are answered, each read as the row wants."""
        found = set()
        requests = asked(self.site, row, await self._ids(row))
        # One property each for who comes by another way, and for people: to the data plane they are all strangers.
        is_whole = self.way in ("nothing", "token") and is_first(self.site)
        for ask in requests if is_whole else requests[:1]:
            took(row, self.column, ask)
            headers = {**self.headers, **ask.headers}
            if row.method == "GET" and row.path == "/live":
                live = Line(self.site.server.port)
                reply = await live.head("GET", ask.target, headers)
                await live.close()
            else:
                reply = await self.line.ask(ask.method, ask.target, headers, ask.body)
            found.add(0 if self._is_led_astray(row, reply) else ask.read(reply))
        return found

    def _is_led_astray(self, row: Endpoint, reply: Reply) -> bool:
        """Whether a stranger is sent from a page of people to anything but the log-in: 302 alone says too little."""
        if reply.status != 302 or self.column in SIGNED_IN or row.kind not in OF_PEOPLE or row.path.endswith(LAST[-1]):
            return False
        return not reply.headers["location"].startswith("/compte/connexion/?next=")

    async def _ids(self, row: Endpoint) -> dict[str, int]:
        """The ids that a row is about. What will be deleted is made for it, whatever is refused is left to all."""
        if "DELETE" not in (row.method, *row.form.split()) or not takes_effect(row, self.column):
            return self.site.ids(row.path + row.form)
        visibility = "restricted" if "{restricted}" in row.path + row.form else "public"
        # Through a link each deletes in a world of its own: the other end of the link must be there yet.
        kind = row.form or (row.path if is_through_link(row) else "filter" if "$filter" in row.path else "entity")
        if (visibility, kind) not in self.worlds:
            self.worlds[visibility, kind] = await self._world(visibility)
        return self.worlds[visibility, kind].ids

    async def _world(self, visibility: str) -> World:
        """A station of the device."""
        headers = {**self.site.headers("device"), "Content-Type": "application/json"}
        body = json.dumps(station(visibility)).encode()
        made = await self.maker.ask("POST", f"{DATA}Things", headers, body)
        where = f"{DATA}Things({json.loads(made.body)['@iot.id']})?$expand={EXPANDED}"
        found: dict[str, Any] = json.loads((await self.maker.ask("GET", where, headers)).body)
        return World(found)

    async def close(self) -> None:
        await self.line.close()
        await self.maker.close()


def callers(site: Site) -> Iterator[Caller]:
    """Everybody, with all that they have."""
    for column in ("anonymous", *site.browsers):
        yield Caller(site, column, "session" if column in site.browsers else "nothing", site.headers(column))
    for column in TOKENS:
        yield Caller(site, column, "token", site.headers(column))
    for column in ("expired", "revoked"):
        yield Caller(site, "forged", f"{column} token", site.headers(column))
    # A session beside a token counts for nothing where tokens are asked for, a token beside a session where people are.
    session = site.headers("administrator")
    for column in TOKENS if is_first(site) else ():
        yield Caller(site, column, "token beside a session", {**site.headers(column), **session}, by_header)
    token = {"Authorization": site.headers("admin")["Authorization"]}
    yield Caller(site, "citizen", "session beside a token", {**site.headers("citizen"), **token}, by_session)
    # No key of a session: a wrong one, and one with what no key has.
    for key in ("0" * 32, "'or''='"):
        cookie = {"Cookie": f"sessionid={key}", "X-CSRFToken": "x"}
        yield Caller(site, "anonymous", "forged session", cookie, lambda row: by_session(row) and row.method == "GET")


def is_first(site: Site) -> bool:
    """Whether this is the database on which all ways and properties are tried: what they go through is above it."""
    return site.server.database_url is None


def by_header(row: Endpoint) -> bool:
    """Whether a row is of those where the header alone counts; what is deleted through links is asked often enough."""
    return row.path.startswith(BY_HEADER) and not (row.method == "DELETE" and is_through_link(row))


def is_through_link(row: Endpoint) -> bool:
    """Whether the path of a row has more than one step."""
    return row.path.startswith(DATA) and "/" in row.path.removeprefix(DATA)


def by_session(row: Endpoint) -> bool:
    """Whether a row is a page of Django that others do not end."""
    return row.path.partition("?")[0] in pages() and not row.path.endswith(LAST)
