"""The proxies of `deploy/` in front of a running product, by their example files: only ports and TLS are others.

A `Front` is what the world sees: https on a loopback port with the name of the example's site.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx

from tests.harness.authority import OPENSSL, Authority
from tests.harness.server import ROOT, Server, free_port

SITE = "lakou.example.org"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
CADDY = shutil.which("caddy")

_NGINX = """
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
_CADDY = """{{
	admin off
	http_port {http}
	https_port {https}
	default_bind 127.0.0.1
	storage file_system {folder}/storage
	skip_install_trust
	log {{
		output file {folder}/error.log
	}}
"""


class _AsSite(httpx.HTTPTransport):
    """Asks for the site by its name at the loopback address."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.extensions = {**request.extensions, "sni_hostname": SITE}
        return super().handle_request(request)


class Front:
    """A proxy that runs. `http` is the port that leads to https."""

    def __init__(self, name: str, server: Server, authority: Path, *, http: int, https: int) -> None:
        self.name = name
        self.server = server
        self.http = http
        self.port = https
        self.trust = ssl.create_default_context(cafile=str(authority))

    def client(self, token: str | None = None) -> httpx.Client:
        headers = {"host": SITE} | ({"authorization": f"Bearer {token}"} if token else {})
        transport = _AsSite(verify=self.trust, trust_env=False)
        return httpx.Client(
            base_url=f"https://127.0.0.1:{self.port}", headers=headers, transport=transport, trust_env=False, timeout=20
        )

    def connect(self) -> ssl.SSLSocket:
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        try:
            return self.trust.wrap_socket(raw, server_hostname=SITE)
        except OSError:
            raw.close()
            raise

    def raw(self, text: str) -> tuple[int, bytes]:
        """The status and the whole answer to a request sent as written: no client tidies its path."""
        with self.connect() as connection:
            connection.sendall(text.encode("latin-1"))
            pieces = []
            with contextlib.suppress(ssl.SSLError, ConnectionResetError):
                while piece := connection.recv(65_536):
                    pieces.append(piece)
        answer = b"".join(pieces)
        return int(answer.split(b" ", 2)[1]), answer


@contextlib.contextmanager
def nginx(server: Server, folder: Path) -> Iterator[Front]:
    """nginx with `deploy/nginx.conf`, and a certificate of an authority of ours."""
    authority = Authority(folder, "authority")
    made = authority.issue("site", f"DNS:{SITE}")
    shutil.copy(made.chain, folder / "fullchain.pem")
    shutil.copy(made.key, folder / "privkey.pem")
    http, https = free_port(), free_port()
    text = _replaced(
        (ROOT / "deploy" / "nginx.conf").read_text(),
        ("/etc/ssl/lakou/", f"{folder}/"),
        ("127.0.0.1:8000;", f"127.0.0.1:{server.port};"),
        ("listen 443 ssl", f"listen 127.0.0.1:{https} ssl"),
        ("listen 80;", f"listen 127.0.0.1:{http};"),
    )
    (folder / "lakou.conf").write_text(re.sub(r"\n *listen \[::\].*", "", text))
    (folder / "nginx.conf").write_text(_NGINX.format(folder=folder))
    command = [str(NGINX), "-c", str(folder / "nginx.conf"), "-p", str(folder), "-e", str(folder / "error.log")]
    checked = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "warn" not in checked.stderr
    with _running(command, lambda: Front("nginx", server, authority.certificate, http=http, https=https)) as front:
        yield front


@contextlib.contextmanager
def caddy(server: Server, folder: Path) -> Iterator[Front]:
    """Caddy with `deploy/Caddyfile`, and the certificate that its own authority makes (`tls internal`)."""
    http, https = free_port(), free_port()
    text = _replaced(
        (ROOT / "deploy" / "Caddyfile").read_text(),
        ("127.0.0.1:8000", f"127.0.0.1:{server.port}"),
        ("\n{\n", "\n" + _CADDY.format(folder=folder, http=http, https=https)),
        ("grace_period 10s", "grace_period 1s"),
        (f"\n{SITE} {{\n", f"\n{SITE} {{\n\ttls internal\n"),
    )
    (folder / "Caddyfile").write_text(text)
    words = ["--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]
    checked = subprocess.run([str(CADDY), "validate", *words], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    root = folder / "storage" / "pki" / "authorities" / "local" / "root.crt"
    with _running([str(CADDY), "run", *words], lambda: Front("caddy", server, root, http=http, https=https)) as front:
        yield front


def _replaced(text: str, *pairs: tuple[str, str]) -> str:
    for before, after in pairs:
        assert before in text, before
        text = text.replace(before, after)
    return text


@contextlib.contextmanager
def _running(command: list[str], made: Callable[[], Front]) -> Iterator[Front]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield _ready(made)
    finally:
        process.terminate()
        process.wait(10)


def _ready(made: Callable[[], Front]) -> Front:
    deadline = time.monotonic() + 15
    while True:
        try:
            front = made()
            front.connect().close()
        except OSError:
            assert time.monotonic() < deadline, "the proxy did not start"
            time.sleep(0.05)
        else:
            return front


Start = Callable[[Server, Path], contextlib.AbstractContextManager[Front]]
FRONTS: dict[str, tuple[Start, bool]] = {
    "nginx": (nginx, NGINX is not None and OPENSSL is not None),
    "caddy": (caddy, CADDY is not None),
}
"""How each is started, and whether it can be here."""
