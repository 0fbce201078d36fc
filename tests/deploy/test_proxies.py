"""The nginx and Caddy examples before the running product: what they let through, cut, count and never join."""

from __future__ import annotations

import contextlib
import json
import re
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from lakou.sensorthings.mqtt import packets
from lakou.sensorthings.mqtt.packets import PUBACK, V5, Ack, Connack, Connect, Packet, Publish
from tests.deploy.fronts import FRONTS, SITE, Front
from tests.harness import make
from tests.harness.postgres import POSTGRES_URL
from tests.harness.server import Server, running
from tests.identity.conftest import PASSWORD
from tests.identity.test_on_the_product import EMAIL, MIDDLEWARE_TOKEN, lakou

pytestmark = pytest.mark.slow

SETTINGS = f'base_url = "https://{SITE}"\ntrusted_proxies = ["127.0.0.1"]\n[limits]\nrate_anonymous = 5\n'
FORGED = "198.51.100.7"


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """It believes what the proxy on its machine says of clients, and lets in few requests a second from any other."""
    quiet: Any = Server._environment
    settings = tmp_path_factory.mktemp("behind") / "lakou.toml"
    settings.write_text(SETTINGS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Server, "_environment", lambda self: quiet(self) | {"LAKOU_CONFIG": str(settings)})
        with running("sqlite", POSTGRES_URL) as server:
            words = ["--role", "administrator", "--organisation", "CTM", "--kind", "ctm", "--name", "Ada Astreinte"]
            lakou(server, (["user", "create", EMAIL, *words], PASSWORD + "\n"))
            yield server


@pytest.fixture(scope="module", params=FRONTS)
def front(request: pytest.FixtureRequest, product: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    start, is_here = FRONTS[request.param]
    if not is_here:
        pytest.skip(f"{request.param} (or openssl) is not installed: its example was NOT tested")
    with start(product, tmp_path_factory.mktemp(request.param)) as found:
        yield found


def test_sensors_and_pages_go_through(front: Front) -> None:
    with front.client(front.server.token) as client:
        made = client.post("/sta/v1.1/Things", json={"name": "through", "description": "d"})
        assert made.status_code == 201
        assert made.headers["location"].startswith(f"https://{SITE}/sta/v1.1/Things(")
        assert client.get("/poste").status_code == 200
        assert client.get("/sta/v1.1/Things?$filter=" + "x" * 15_000).status_code == 400


def test_each_request_has_an_id_of_the_proxy(front: Front) -> None:
    with front.client() as client:
        ids = {client.get("/", headers={"x-request-id": "forged"}).headers["x-request-id"] for _ in range(2)}
    assert len(ids) == 2
    assert all(re.fullmatch(r"[0-9a-f-]{32,36}", found) for found in ids)


def test_http_leads_to_https(front: Front) -> None:
    asked = f"http://127.0.0.1:{front.http}/lieux/?q=a%2Fb"
    answer = httpx.get(asked, headers={"host": SITE}, trust_env=False)
    assert answer.status_code in (301, 308)
    assert re.fullmatch(rf"https://{SITE}(:\d+)?/lieux/\?q=a%2Fb", answer.headers["location"])


def test_a_person_logs_in(front: Front) -> None:
    """Cookies that only https carries, and a form whose origin is the site."""
    with front.client() as client:
        page = client.get("/compte/connexion/")
        found = MIDDLEWARE_TOKEN.search(page.text)
        assert found
        assert page.headers["strict-transport-security"]
        given = {"login": EMAIL, "password": PASSWORD, "csrfmiddlewaretoken": found[1]}
        evil = client.post("/compte/connexion/", data=given, headers={"origin": "https://evil.example"})
        assert evil.status_code == 403
        answer = client.post("/compte/connexion/", data=given, headers={"origin": f"https://{SITE}"})
        assert (answer.status_code, answer.headers["location"]) == (302, "/compte/"), answer.text[:500]
        # Known: the session leads on to a second factor, and not back to the log-in.
        assert client.get("/compte/").headers["location"] == "/compte/second-facteur/"
        assert all(cookie.secure for cookie in client.cookies.jar)
        assert client.cookies.jar


def stream_of(client: httpx.Client) -> int:
    """A new Datastream."""
    thing = client.post("/sta/v1.1/Things", json=make.station(Datastreams=[make.datastream()])).json()["@iot.id"]
    found: int = client.get(f"/sta/v1.1/Things({thing})/Datastreams").json()["value"][0]["@iot.id"]
    return found


def test_lines_of_observations_may_be_more_than_a_body(front: Front) -> None:
    """Above the limit of a JSON body: lines pass through as they come."""
    with front.client(front.server.token) as client:
        lines = b'{"result": 1, "resultQuality": "%b"}\n' % (b"q" * 100_000) * 90
        headers = {"content-type": "application/x-ndjson"}
        path = f"/sta/v1.1/Datastreams({stream_of(client)})/Observations"
        stored = client.post(path, content=lines, headers=headers)
        assert stored.status_code in (200, 201), stored.text[:300]
        assert client.get(path + "?$count=true&$top=0").json()["@iot.count"] == 90


def test_an_event_comes_through_while_the_stream_is_open(front: Front) -> None:
    with (
        front.client(front.server.token) as sender,
        front.client() as client,
        client.stream("GET", "/live") as live,
    ):
        path = f"/sta/v1.1/Datastreams({stream_of(sender)})/Observations"
        assert live.status_code == 200
        pieces = live.iter_text()
        assert next(pieces).startswith("retry:")
        sent = time.monotonic()
        assert sender.post(path, json={"result": 7}).status_code == 201
        found = ""
        while '"result":7' not in found:
            found += next(pieces)
        assert time.monotonic() - sent < 2


def test_mqtt_comes_through_in_a_websocket(front: Front) -> None:
    hello = Connect(V5, "", user=front.server.token_name, password=front.server.token.encode())
    with (
        front.client(front.server.token) as client,
        contextlib.closing(front.connect()) as connection,
        connect(f"ws://{SITE}/mqtt", sock=connection, subprotocols=[Subprotocol("mqtt")]) as websocket,
    ):

        def answered(packet: Packet) -> Packet:
            websocket.send(packets.encode(packet, V5))
            data = websocket.recv(10)
            assert isinstance(data, bytes)
            return packets.decode(data, packets.frames(data, 2**16)[0][0], V5)

        assert websocket.subprotocol == "mqtt"
        assert isinstance(answered(hello), Connack)
        path = f"Datastreams({stream_of(client)})/Observations"
        assert answered(Publish(f"v1.1/{path}", b'{"result":11}', 1, 1)) == Ack(PUBACK, 1)
        [stored] = client.get(f"/sta/v1.1/{path}").json()["value"]
        assert stored["result"] == 11


def test_a_body_above_the_limit_is_refused(front: Front) -> None:
    with front.client(front.server.token) as client:
        assert client.post("/sta/v1.1/Things", content=b"a" * (9 * 2**20)).status_code == 413
        assert client.post("/poste", content=b"a" * (17 * 2**20)).status_code == 413


def test_figures_stay_inside(front: Front) -> None:
    with front.client(front.server.token) as client:
        assert client.get("/metrics").status_code == 404
        assert client.get("/metrics?x").status_code == 404


SAME = (
    "/sta/v1.1/Things(%31)",
    "/sta/v1.1/Things%281%29/name",
    "/sta/v1.1//Things",
    "/sta/v1.1/Things/../Things",
    "/sta/v1.1/Things('a%2Fb')",
    "/sta/v1.1/Things?$filter=name%20eq%20'a%2Fb%26c%3B'&$top=1",
    "/sta/v1.1/Things?$expand=Datastreams($select=name;$top=1)&$top=1",
    "/sta/v1.1/Things?$filter=name+eq+'l''eau'&$top=1",
    "/sta/v1.1/Things?$filter=name eq 'x'",
    "/sta/v1.1/Things?$filter=name%20eq%20%27%C3%A9%27&$top=1",
    "/lieux/?q=%C3%A9cole;x",
)


def test_an_address_comes_as_it_was_sent(front: Front) -> None:
    """Same status and same answer as without the proxy, but for what the proxy itself refuses (400, 404)."""
    token = f"Authorization: Bearer {front.server.token}\r\nConnection: close\r\n\r\n"

    def told(answer: httpx.Response) -> tuple[int, str]:
        return answer.status_code, re.sub(r'nonce-[^"\' ;]+|nonce="[^"]+"|csrf\w+" value="\w+"', "", answer.text)

    with front.client(front.server.token) as through, httpx.Client(trust_env=False) as direct:
        for path in SAME:
            if " " in path or ".." in path:  # no client writes this; raw, and only never more than without the proxy
                status, _ = front.raw(f"GET {path} HTTP/1.1\r\nHost: {SITE}\r\n{token}")
                assert status in (400, 404), path
                continue
            headers = {"host": SITE, "authorization": f"Bearer {front.server.token}"}
            plain = direct.get(httpx.URL(front.server.origin).copy_with(raw_path=path.encode()), headers=headers)
            found = through.get(httpx.URL(f"https://127.0.0.1:{front.port}").copy_with(raw_path=path.encode()))
            assert told(found) == told(plain), path


TRICKS = (
    "/sta/v1.1/../../metrics", "/sta/v1.1/%2e%2e/metrics", "/sta/v1.1/..;/metrics", "//metrics", "/metrics/",
    "/METRICS", "/%6detrics", "/metrics%00", "/metrics?x", "/live/../metrics", "/static/../metrics",
    "/static/..%2fsecret_key", "/static/%2e%2e/%2e%2e/server/settings.py", "/administration/../administration/jetons/",
    "/administration/jetons", "/administration//jetons/", "/administration/jetons/%2e%2e/journal/",
    "/Administration/jetons/", "/administration/jetons/1%2f..%2f..%2fjournal/",
    "/sta/v1.1/Things(1)/../../../administration/journal/",
)  # fmt: skip


def test_no_trick_with_paths_shows_more_than_without_the_proxy(front: Front) -> None:
    """Even an administrator's token sees no figures from outside, whatever the spelling of their path."""
    for head in ("", f"Authorization: Bearer {front.server.token}\r\n"):
        for trick in TRICKS:
            status, body = front.raw(f"GET {trick} HTTP/1.1\r\nHost: {SITE}\r\n{head}Connection: close\r\n\r\n")
            assert b"lakou_requests_total" not in body, trick
            assert status < 500, (trick, status)
            if not head:
                assert status in (301, 302, 308, 400, 401, 403, 404, 429), (trick, status)


def test_strangers_are_counted_by_nginx_and_token_bearers_are_not(front: Front) -> None:
    if front.name != "nginx":
        pytest.skip("Caddy has no limit of rates: the product counts behind it")

    def asked(token: str | None) -> list[int]:
        with front.client(token) as client, ThreadPoolExecutor(4) as pool:
            return list(pool.map(lambda n: client.get("/sta/v1.1/").status_code, range(120)))

    assert set(asked(front.server.token)) == {200}
    assert set(asked(None)) == {200, 429}
    time.sleep(2.5)  # the bucket of the other tests is full again


def test_what_a_client_says_of_its_address_does_not_pass(front: Front) -> None:
    """Believed, the product would let ten requests in; this machine's own address has no rate."""
    forged = {"x-forwarded-for": FORGED, "forwarded": f"for={FORGED}", "x-real-ip": FORGED}
    with front.client() as client:
        found = [client.get("/sta/v1.1/Things?$top=0", headers=forged).status_code for _ in range(20)]
    assert set(found) == {200}


def test_strangers_behind_a_trusted_proxy_have_a_rate_each(product: Server) -> None:
    """Counted by the product; without the header the proxy's own machine has none, as on loopback."""
    with httpx.Client(base_url=product.origin, trust_env=False) as client:

        def asked(headers: dict[str, str]) -> set[int]:
            return {client.get("/sta/v1.1/Things?$top=0", headers=headers).status_code for _ in range(40)}

        assert asked({}) == {200}
        assert asked({"x-forwarded-for": FORGED}) == {200, 429}
        assert client.get("/sta/v1.1/Things", headers={"x-forwarded-for": "198.51.100.8"}).status_code == 200


FRAMINGS = (
    "Content-Length: {length}\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: xchunked",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    "Transfer-Encoding : chunked",
    "Content-Length: {length}\r\nContent-Length: 0",
    "Content-Length: +{length}",
)


def test_a_request_within_a_request_is_never_answered(front: Front) -> None:
    """RFC 9112 §6.1 and §11.2: proxy and product agree where a request ends, or the connection ends.

    The inner request is one that the proxies refuse to everybody. Caddy, by the RFC too, reads a request with both
    lengths by its chunks and takes the inner one for the next, which it then refuses itself.
    """
    token = f"Authorization: Bearer {front.server.token}\r\n"
    inner = f"GET /metrics HTTP/1.1\r\nHost: {SITE}\r\n{token}\r\n"
    body = "0\r\n\r\n" + inner

    def answered(framing: str) -> bytes:
        head = f"POST /sta/v1.1/Things HTTP/1.1\r\nHost: {SITE}\r\nContent-Type: application/json\r\n" + token
        answers = b""
        with front.connect() as client, contextlib.suppress(TimeoutError, ssl.SSLError, ConnectionResetError):
            client.sendall((head + framing.format(length=len(body)) + "\r\n\r\n" + body).encode())
            client.settimeout(1.5)
            while piece := client.recv(65536):
                answers += piece
        return answers

    with ThreadPoolExecutor(len(FRAMINGS)) as pool:
        for framing, answers in zip(FRAMINGS, pool.map(answered, FRAMINGS), strict=True):
            said = json.dumps(answers.decode(errors="replace"))
            assert b"lakou_requests_total" not in answers, (framing, said)
            assert b"HTTP/1.1 2" not in answers, (framing, said)
            if front.name == "nginx":
                assert answers.count(b"HTTP/1.1 ") <= 1, (framing, said)
    with front.client() as client:
        assert client.get("/healthz").json() == {"status": "ok"}
