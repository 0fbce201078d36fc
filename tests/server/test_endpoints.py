"""The matrix of every endpoint and every role: it is whole, and each cell of it holds on the running product.

How it is driven: tests/server/matrix and docs/reference/matrix.md. Here stand the claims.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Iterator
from itertools import product
from typing import Any, get_args

import pytest

from lakou.identity.policy.rules import BY_SUBJECT
from lakou.sensorthings.grammar.lexer import DEFAULT_LIMITS
from lakou.sensorthings.limits import Limits
from lakou.sensorthings.model import BY_NAME, BY_PLURAL
from lakou.sensorthings.mqtt import packets, topics
from lakou.sensorthings.service import ACTIONS
from lakou.server import asgi, describing, guard
from lakou.server.endpoints import COLUMNS, ENDPOINTS, LINKS, PEOPLE, SETS, Endpoint
from tests.harness import make
from tests.harness.line import Line, Reply
from tests.harness.server import Server
from tests.server.matrix.asking import asked, fill, filled, new, pages, routes
from tests.server.matrix.callers import OF_PEOPLE, OVER_HTTP
from tests.server.matrix.driving import Driven, drive
from tests.server.matrix.mqtt import OVER_MQTT
from tests.server.matrix.site import CSRF, DATA, Site
from tests.server.matrix.tricks import DELETING, HEADERS, PROTECTED, REFUSALS, paths_like

pytestmark = pytest.mark.slow

METHODS = ("GET", "POST", "PATCH", "PUT", "DELETE")
PATHS = {(one.method, one.path) for one in ENDPOINTS}

# ── the table is whole ──


def test_no_row_stands_twice() -> None:
    counts = Counter((one.method, one.path, one.form) for one in ENDPOINTS)
    assert [key for key, count in counts.items() if count > 1] == []


def test_every_address_of_django_has_a_row() -> None:
    assert sorted(set(routes()) - {one.path for one in ENDPOINTS}) == []


def test_every_address_beside_django_has_a_row() -> None:
    paths = {one.path for one in ENDPOINTS}
    static = {one.path: "/static/web/base.css" for one in asgi.ROUTES if one.part == "static"}
    assert sorted({static.get(one.path, one.path) for one in asgi.ROUTES} - paths) == []
    assert ("UPGRADE", asgi.WEBSOCKET) in PATHS
    assert asgi.WEBSOCKET.encode() == guard.WEBSOCKET


def test_every_entity_set_and_every_link_has_a_row_for_every_method() -> None:
    assert set(SETS) == set(BY_PLURAL)
    assert {name: set(links) for name, links in LINKS.items()} == {
        one.plural: {link.name for link in one.links} for one in BY_NAME.values()
    }
    for name, which in product(SETS, ("public", "restricted")):
        wanted = {("POST", ""), *((method, f"({{{which}}})") for method in METHODS if method != "POST")}
        wanted |= {(method, f"?$filter=id eq {{{which}}}") for method in ("FIND", "DELETE")}
        assert {(method, f"{DATA}{name}{rest}") for method, rest in wanted} <= PATHS, name


def test_everything_that_the_description_of_the_api_names_has_a_row() -> None:
    """`/api/openapi.json` is made from the model: what is added there needs a row here."""
    document = describing.document("https://example.org/sta/v1.1")
    described = {
        (method.upper(), path if "servers" in item else f"/sta/v1.1{_of_any_property(path)}")
        for path, item in document["paths"].items()
        for method in item
        if method.upper() in OVER_HTTP
    }
    known = {(method, _described(path)) for method, path in PATHS}
    assert sorted((method, path) for method, path in described if (method, path) not in known) == []


def _of_any_property(path: str) -> str:
    set_, _, rest = path[1:].partition("({id})/")
    names = {"@iot.id", *(one.name for one in BY_PLURAL[set_].properties)} if rest else set()
    name = rest.partition("/")[0]
    return path.replace(f"/{name}", "/{property}", 1) if name in names else path


def _described(path: str) -> str:
    """A row's path as the description would name it, all properties as one."""
    path = re.sub(r"\((\{(public|restricted)\})\)", "({id})", path.partition("?")[0])
    return re.sub(r"<\w+:(\w+)>", r"{\1}", path)


def test_every_property_is_asked_for(site: Site) -> None:
    """A row with `{property}` stands for all of them."""
    for name, which in product(SETS, ("public", "restricted")):
        row = next(one for one in ENDPOINTS if one.path == f"{DATA}{name}({{{which}}})/{{property}}")
        ends = {ask.target.rpartition("/")[2] for ask in asked(site, row)}
        assert ends == {"@iot.id", *(one.name for one in BY_PLURAL[name].properties)}


def test_everything_that_is_posted_to_beside_the_sets_has_a_row() -> None:
    assert {("POST", f"{DATA}{name.replace('%24', '$')}") for name in ACTIONS} <= PATHS


def test_every_packet_and_topic_of_mqtt_has_a_row() -> None:
    """What a client may send is asked about, or is an answer or a sign of life that carries no right."""
    sent = {one.__name__.upper() for one in get_args(packets.Packet)}
    told = {"CONNACK", "SUBACK", "UNSUBACK", "ACK", "PING", "DISCONNECT", "AUTH"}  # AUTH ends the connection
    assert sent - told == set(OVER_MQTT) == {one.method for one in ENDPOINTS if one.method in OVER_MQTT}
    assert {("SUBSCRIBE", f"v1.1/{name}") for name in SETS} <= PATHS
    forms = {topics.read_filter(path.replace("{restricted}", "1"), Limits()).form for method, path in PATHS
             if method == "SUBSCRIBE" and path.startswith("v1.1/") and "#" not in path}  # fmt: skip
    assert forms == set(topics.Form)
    for topic in {f"v1.1/{name}{rest}" for name in SETS for rest in ("", *(f"({{}})/{link}" for link in LINKS[name]))}:
        try:
            topics.write_target(topic.format(1), DEFAULT_LIMITS)
        except topics.TopicError:
            continue
        wanted = {topic.format(which) for which in ("{public}", "{restricted}")}
        assert {("PUBLISH", one) for one in wanted} <= PATHS


def test_every_row_asks_something_for_which_the_policy_has_a_line() -> None:
    assert [(row.method, row.path) for row in ENDPOINTS if (row.action, row.kind) not in BY_SUBJECT] == []


def test_a_session_counts_for_nothing_on_the_data_plane() -> None:
    for row in ENDPOINTS:
        if row.path.startswith((DATA, "/live", "/metrics", "v1.1/", "/mqtt")):
            assert len({row.status(column) for column in PEOPLE}) == 1, row.path


# ── what no row names ──


@pytest.fixture(scope="module")
def site(server: Server) -> Iterator[Site]:
    made = Site(server)
    yield made
    made.close()


Request = tuple[str, str, dict[str, str]]
AT_ONCE = 8


def replies(site: Site, requests: list[Request]) -> list[Reply]:
    """The answers to requests (method, target, headers), sent as they are over a few connections."""

    async def run() -> list[Reply]:
        found: dict[int, Reply] = {}
        waiting = iter(enumerate(requests))

        async def work() -> None:
            line = Line(site.server.port)
            for number, (method, target, headers) in waiting:
                found[number] = await line.ask(method, target, headers)
            await line.close()

        await asyncio.gather(*(work() for _ in range(AT_ONCE)))
        return [found[number] for number in range(len(requests))]

    return asyncio.run(run())


def row_of(path: str) -> Endpoint:
    return next(one for one in ENDPOINTS if one.path == path)


@pytest.mark.parametrize("column", ["administrator", "admin"])
def test_no_page_takes_a_method_that_the_table_does_not_name(site: Site, column: str) -> None:
    """By who has every right: a person with a session, and a token, which pages of people send away."""
    paths = sorted({*pages(), *(one for one in routes() if "/connectors/" in one)})
    found = [(method, path) for path in paths for method in (*METHODS, "TRACE", "PURGE") if (method, path) not in PATHS]
    sent = [(method, fill(site, path), site.headers(column)) for method, path in found]
    for (method, path), reply in zip(found, replies(site, sent), strict=True):
        first = row_of(path)
        is_away = column == "admin" and ("compte" in path or first.kind in OF_PEOPLE)
        # A page that leads away, or is not there, does so whatever is asked.
        usual = first.status(column) if is_away or (first.method == "GET" and first.status(column) >= 300) else 405
        assert reply.status in (405, usual), (method, path, reply.status)


def test_the_data_plane_takes_no_method_that_the_table_does_not_name(site: Site) -> None:
    """By the token that may do everything: 4xx, and it would be no refusal of rights."""
    found: list[tuple[Request, Endpoint]] = []
    for path in dict.fromkeys(one.path for one in ENDPOINTS if one.path.startswith((DATA, "/live"))):
        row = row_of(path)
        for method in ("POST", "PATCH", "PUT", "DELETE", "TRACE", "PURGE"):
            if (method, path) not in PATHS and "{restricted}" not in path:
                target = asked(site, row)[0].target
                found += [((method, target, site.headers("admin")), row)]
    for (request, row), reply in zip(found, replies(site, [one for one, _ in found]), strict=True):
        assert 400 <= reply.status < 500, (request[:2], row.path, reply.status)
        assert reply.status not in (401, 403), (request[:2], reply.status)


def test_without_its_csrf_token_a_session_changes_nothing(site: Site) -> None:
    """No page takes a form that another site could have sent."""
    rows = [row for row in ENDPOINTS if row.method == "POST" and row.path in pages()]
    headers = site.headers("administrator")
    for wrong in ({}, {"X-CSRFToken": CSRF}):
        sent = [("POST", fill(site, row.path), {"Cookie": headers["Cookie"], **wrong}) for row in rows]
        for row, reply in zip(rows, replies(site, sent), strict=True):
            assert reply.status == 403, (row.path, reply.status)


# ── tricks ──


def test_no_trick_with_paths_or_headers_leads_past_the_policy(site: Site) -> None:
    """The same answer, or another refusal; never more, and never a fault."""
    sent: list[Request] = []
    hidden: list[bytes] = []
    for column, path, mark in PROTECTED:
        path = filled(path, site.restricted.ids)
        assert mark in site.send("admin", "GET", path).text or mark in site.witness.get(path).text, path
        tricks = [(target, dict[str, str]()) for target in paths_like(path)] + [(path, fields) for fields in HEADERS]
        for target, fields in ((path, dict[str, str]()), *tricks):
            given = {name: value.format(admin=site.texts["admin"]) for name, value in fields.items()}
            sent.append(("GET", target, {"Host": "x", **site.headers(column), **given}))
            hidden.append(mark.encode())
    assert len(sent) > 900
    for request, text, reply in zip(sent, hidden, replies(site, sent), strict=True):
        # 200 where another address is meant, such as the list of places with a query.
        assert reply.status in REFUSALS or reply.status == 200, (request, reply.status, reply.body[:300])
        assert reply.status in REFUSALS or text not in reply.body, (request, reply.status)
        assert reply.status != 302 or reply.headers["location"].startswith("/compte/connexion/"), request


def test_no_header_makes_of_a_reading_request_one_that_deletes(site: Site) -> None:
    target = filled(f"{DATA}Things({{public}})", site.public.ids)
    sent = [(method, target, {**site.headers("admin"), **one}) for method in ("GET", "POST") for one in DELETING]
    sent += [("GET", f"{target}?_method=DELETE", site.headers("admin"))]
    assert {reply.status for reply in replies(site, sent)} <= {200, 405}
    assert site.send("admin", "GET", target).status_code == 200


# ── what is another organisation's ──


@pytest.mark.parametrize("whose", ["third_", ""])
def test_what_is_another_organisation_s_is_not_there_for_an_administrator(site: Site, whose: str) -> None:
    """The administrator of one commune asks for what is another's, or the site's, by its number."""
    number = site.texts["third" if whose else "device"].split("_")[1]  # type: ignore[union-attr]
    rows = [row for row in ENDPOINTS if re.search(r"<int:(number|role_number)>", row.path)]
    assert len(rows) > 12
    sent = []
    for row in rows:
        target = fill(site, row.path, whose)
        target = target.replace(f"/jetons/{site.token_number}/", f"/jetons/{number}/")
        sent.append((row.method, target, site.headers("foreign")))
    for request, reply in zip(sent, replies(site, sent), strict=True):
        assert reply.status == 404, (request[:2], reply.status)
        assert b"member" not in reply.body


def test_what_is_of_one_s_own_organisation_is_there(site: Site) -> None:
    """So that the refusals above are no mere absence."""
    number = site.texts["other"].split("_")[1]  # type: ignore[union-attr]
    for path in (f"/administration/jetons/{number}/", "/administration/personnes/<int:number>/",
                 "/administration/organisations/<int:number>/"):  # fmt: skip
        target = fill(site, path, "other_")
        assert site.send("foreign", "GET", target).status_code == 200, target


def test_lists_name_nothing_of_another_organisation(site: Site) -> None:
    for path, foreign in (
        ("/administration/jetons/", [site.names[one] for one in ("device", "spare", "third")]),
        ("/administration/personnes/", ["third_member", "third_guest", "citizen@", '"member@']),
        ("/administration/organisations/", ["CTM", "Rivière-Pilote"]),
        ("/administration/personnes/?q=member", ["third_member", ">member@"]),
    ):
        text = site.send("foreign", "GET", path).text
        assert not [one for one in foreign if one in text], path
        assert "Ducos" in text or site.names["other"] in text or "other_member" in text, path


def test_nobody_links_to_what_they_may_not_see(site: Site) -> None:
    """By the id of a restricted entity, in the body of something new of their own; its maker does so."""
    hidden = site.world("restricted").ids
    for name, type_ in BY_PLURAL.items():
        for link in type_.links:
            if not (link.required or name in ("Locations", "Things")):
                continue
            to: Any = {"@iot.id": hidden[link.type.plural]}
            members = 2 if link.name == "ObservedProperties" else 1
            body = {**new(site, name), link.name: [to] * members if link.many else to}
            statuses = {
                one: site.send(one, "POST", f"{DATA}{name}", json=body).status_code
                for one in ("other", "third", "scoped", "agent", "device")
            }
            assert statuses.pop("device") == 201, (name, link.name)
            assert set(statuses.values()) <= {403, 404}, (name, link.name, statuses)


def test_a_key_of_idempotency_is_its_token_s_alone(site: Site) -> None:
    """The same key and request of another token is not answered with what the first has made."""
    body, key = new(site, "Observations"), {"Idempotency-Key": make.unique("key")}
    first = site.send("device", "POST", f"{DATA}Observations", json=body, headers=key)
    assert first.status_code == 201
    assert site.send("other", "POST", f"{DATA}Observations", json=body, headers=key).status_code == 403


# ── every cell ──


@pytest.fixture(scope="module")
def driven(site: Site) -> Driven:
    """Everything asked by everybody; sessions and tokens end in it, so that it comes last."""
    return drive(site)


def test_every_cell_holds_on_the_running_product(driven: Driven, server: Server, record_property: Any) -> None:
    record_property("matrix", f"{server.database}: {driven.size()}")
    assert not driven.wrong, "\n".join(driven.wrong)


def test_no_cell_was_left_out(driven: Driven) -> None:
    assert driven.undriven == []
    for row in ENDPOINTS:
        if row.method in OVER_MQTT or (row.method == "HEAR" and row.path.startswith("v1.1/")):
            for column in COLUMNS:
                assert {"TCP", "WebSocket"} <= driven.ways[row, column], (row.method, row.path, column)


def test_what_is_no_token_any_more_was_tried_everywhere(driven: Driven) -> None:
    for row in ENDPOINTS:
        if row.method in OVER_HTTP:
            assert {"token", "expired token", "revoked token"} <= driven.ways[row, "forged"], row.path


def test_marks_were_left_to_be_looked_for(driven: Driven) -> None:
    assert len(driven.traces) > 3_000
