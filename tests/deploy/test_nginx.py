"""The nginx example in front of the running product: what it lets through, cuts, counts and never joins."""

from __future__ import annotations

import json
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import POSTGRES_URL
from tests.harness import make
from tests.harness.client import Api, key
from tests.harness.server import ROOT, Server, free_port, running

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
OPENSSL = shutil.which("openssl")
pytestmark = pytest.mark.skipif(NGINX is None or OPENSSL is None, reason="nginx or openssl is not installed here")

_AROUND = """
user root;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/lakou.conf;
}}
"""


class Front:
    """nginx with the example's configuration in front of a product."""

    def __init__(self, server: Server, port: int, certificate: Path) -> None:
        self.server = server
        self.port = port
        self.origin = f"https://127.0.0.1:{port}"
        self.trust = ssl.create_default_context(cafile=str(certificate))

    def client(self, token: str | None = None) -> httpx.Client:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.origin, headers=headers, verify=self.trust, trust_env=False, timeout=20)

    def connect(self) -> ssl.SSLSocket:
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        return self.trust.wrap_socket(raw, server_hostname="127.0.0.1")


@pytest.fixture(scope="module")
def trusting() -> Iterator[None]:
    """The product believes what the proxy on its machine says of clients."""
    quiet: Any = Server._environment
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Server, "_environment", lambda self: quiet(self) | {"LAKOU_TRUSTED_PROXIES": "127.0.0.1"})
        yield


@pytest.fixture(scope="module")
def front(trusting: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    folder = tmp_path_factory.mktemp("nginx")
    subprocess.run(
        [str(OPENSSL), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-subj", "/CN=lakou", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "1",
         "-keyout", str(folder / "privkey.pem"), "-out", str(folder / "fullchain.pem")],
        check=True, capture_output=True,
    )  # fmt: skip
    with running("sqlite", POSTGRES_URL) as server:
        port = free_port()
        text = (ROOT / "deploy" / "nginx.conf").read_text()
        for before, after in (
            ("/etc/ssl/lakou/", f"{folder}/"),
            ("127.0.0.1:8000;", f"127.0.0.1:{server.port};"),
            ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
            ("listen 80;", f"listen 127.0.0.1:{free_port()};"),
        ):
            assert before in text
            text = text.replace(before, after)
        text = re.sub(r"\n *listen \[::\].*", "", text)
        (folder / "lakou.conf").write_text(text)
        (folder / "nginx.conf").write_text(_AROUND.format(folder=folder))
        command = [str(NGINX), "-c", str(folder / "nginx.conf"), "-p", str(folder), "-e", str(folder / "error.log")]
        checked = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stderr
        assert "warn" not in checked.stderr
        process = subprocess.Popen(command)
        try:
            found = Front(server, port, folder / "fullchain.pem")
            _wait(found)
            yield found
        finally:
            process.terminate()
            process.wait(10)


def _wait(front: Front) -> None:
    for _ in range(100):
        try:
            front.connect().close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("nginx did not start")


def test_sensors_and_pages_go_through(front: Front) -> None:
    with front.client(front.server.token) as client:
        made = client.post("/sta/v1.1/Things", json={"name": "through", "description": "d"})
        assert made.status_code == 201
        assert re.fullmatch(r"[0-9a-f]{32}", made.headers["x-request-id"])
        assert client.get("/poste").status_code == 200
        assert client.get("/sta/v1.1/Things?$filter=" + "x" * 15_000).status_code == 400
        stream = make.station(Datastreams=[make.datastream()])
        thing = client.post("/sta/v1.1/Things", json=stream).json()["@iot.id"]
        number = client.get(f"/sta/v1.1/Things({thing})/Datastreams").json()["value"][0]["@iot.id"]
        # Above the limit of a JSON body: lines pass through as they come.
        lines = b'{"result": 1, "resultQuality": "%b"}\n' % (b"q" * 100_000) * 90
        headers = {"content-type": "application/x-ndjson"}
        path = f"/sta/v1.1/Datastreams({number})/Observations"
        stored = client.post(path, content=lines, headers=headers)
        assert stored.status_code in (200, 201), stored.text[:300]
        assert client.get(path + "?$count=true&$top=0").json()["@iot.count"] == 90


def test_an_event_comes_through_while_the_stream_is_open(front: Front) -> None:
    api = Api(front.server.base, front.server.token)
    thing = api.create("Things", make.station(Datastreams=[make.datastream()]))
    [stream] = api.value(f"Things({key(thing)})/Datastreams")
    with front.client() as client, client.stream("GET", "/live") as live:
        assert live.status_code == 200
        pieces = live.iter_text()
        assert next(pieces).startswith("retry:")
        sent = time.monotonic()
        assert api.post(f"Datastreams({key(stream)})/Observations", {"result": 7}).status_code == 201
        found = ""
        while '"result":7' not in found:
            found += next(pieces)
        assert time.monotonic() - sent < 2
    api.close()


def test_a_body_above_the_limit_is_refused_by_the_proxy(front: Front) -> None:
    with front.client(front.server.token) as client:
        assert client.post("/sta/v1.1/Things", content=b"a" * (9 * 2**20)).status_code == 413
        assert client.post("/poste", content=b"a" * (17 * 2**20)).status_code == 413


def test_figures_stay_inside(front: Front) -> None:
    with front.client(front.server.token) as client:
        assert client.get("/metrics").status_code == 404


def test_strangers_are_counted_by_the_proxy_and_token_bearers_are_not(front: Front) -> None:
    def asked(token: str | None) -> list[int]:
        with front.client(token) as client, ThreadPoolExecutor(4) as pool:
            return list(pool.map(lambda n: client.get("/sta/v1.1/").status_code, range(120)))

    assert set(asked(front.server.token)) == {200}
    assert set(asked(None)) == {200, 429}
    time.sleep(2.5)  # the bucket of the other tests is full again


def test_strangers_behind_a_trusted_proxy_have_a_rate_each(front: Front) -> None:
    """Counted by the product; without the header the proxy's own machine has none, as on loopback."""
    with httpx.Client(base_url=front.server.origin, trust_env=False) as client:

        def asked(headers: dict[str, str]) -> set[int]:
            return {client.get("/sta/v1.1/Things?$top=0", headers=headers).status_code for _ in range(120)}

        assert asked({}) == {200}
        assert asked({"x-forwarded-for": "198.51.100.7"}) == {200, 429}
        assert client.get("/sta/v1.1/Things", headers={"x-forwarded-for": "198.51.100.8"}).status_code == 200


@pytest.mark.parametrize(
    "framing",
    [
        "Content-Length: {length}\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding : chunked",
        "Content-Length: {length}\r\nContent-Length: 0",
        "Content-Length: +{length}",
    ],
)
def test_a_request_within_a_request_is_never_answered(front: Front, framing: str) -> None:
    """RFC 9112 §6.1 and §11.2: proxy and product agree where a request ends, or the connection ends."""
    token = f"Authorization: Bearer {front.server.token}\r\n"
    inner = f"GET /sta/v1.1/Things?$top=0&smuggled=1 HTTP/1.1\r\nHost: x\r\n{token}\r\n"
    body = "0\r\n\r\n" + inner
    head = (
        "POST /sta/v1.1/Things HTTP/1.1\r\nHost: lakou.example.org\r\nContent-Type: application/json\r\n"
        + token
        + framing.format(length=len(body))
        + "\r\n\r\n"
    )
    with front.connect() as client:
        client.sendall((head + body).encode())
        client.settimeout(1.5)
        answers = b""
        try:
            while piece := client.recv(65536):
                answers += piece
        except (TimeoutError, ssl.SSLError, ConnectionResetError):
            pass
    assert answers.count(b"HTTP/1.1 ") <= 1
    assert b"HTTP/1.1 2" not in answers, json.dumps(answers.decode(errors="replace"))
    with front.client() as client:
        assert client.get("/healthz").json() == {"status": "ok"}
