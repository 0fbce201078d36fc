"""Accounts on the running product, on each database: the command line, real hashes, real HTTP, no Internet."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.harness.server import ROOT, Server
from tests.identity.conftest import PASSWORD, totp

EMAIL = "astreinte@example.org"
MIDDLEWARE_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="(\w+)"')


RUN = """
import json, sys
from typer.testing import CliRunner
from lakou.server.cli import application
for words, given in json.load(sys.stdin):
    done = CliRunner().invoke(application(), words, input=given)
    assert done.exit_code == 0, (words, done.output)
    print(done.stdout)
"""


def lakou(server: Server, *calls: tuple[list[str], str]) -> str:
    """Run `lakou` with these words and inputs, one after the other in one process; what they printed."""
    module = len(server.program)
    steps = [[server._command(*words)[module:], given] for words, given in calls]
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        input=json.dumps(steps),
        capture_output=True,
        text=True,
        env=server._environment(),
        cwd=ROOT,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


class Person(httpx.Client):
    """A browser: keeps cookies, and sends each form with the token of the page it stands on."""

    def submit(self, path: str, **given: Any) -> httpx.Response:
        found = MIDDLEWARE_TOKEN.search(self.get(path).text)
        assert found, path
        return self.post(path, data={**given, "csrfmiddlewaretoken": found[1]}, headers={"Origin": self.origin})

    @property
    def origin(self) -> str:
        return f"{self.base_url.scheme}://{self.base_url.netloc.decode()}"

    def log_in(self) -> str:
        return target(self.submit("/compte/connexion/", login=EMAIL, password=PASSWORD))


def target(answer: httpx.Response) -> str:
    assert answer.status_code == 302, answer.text
    return urlsplit(answer.headers["location"]).path


@pytest.fixture(scope="module")
def codes(server: Server) -> list[str]:
    """The first administrator, made at the command line, and their sheet."""
    words = ["--role", "administrator", "--organisation", "CTM", "--kind", "ctm", "--name", "Ada Astreinte"]
    printed = lakou(server, (["user", "create", EMAIL, *words], PASSWORD + "\n"), (["user", "break-glass", EMAIL], ""))
    return re.findall(r"^ ?\d+\. ([0-9A-Z-]{34})$", printed, re.MULTILINE)


def test_from_the_command_line_to_the_second_factor_and_out_again(server: Server, codes: list[str]) -> None:
    with Person(base_url=server.origin) as first, Person(base_url=server.origin) as second:
        assert target(first.get("/compte/")) == "/compte/connexion/"
        assert first.log_in() == "/compte/"
        assert target(first.get("/poste")) == "/compte/second-facteur/"
        page = first.get("/compte/second-facteur/application/").text
        secret = re.search(r'class="key-text">(\w+)<', page)
        token = MIDDLEWARE_TOKEN.search(page)
        assert secret
        assert token
        given = {"code": totp(secret[1]), "csrfmiddlewaretoken": token[1]}
        assert target(first.post("/compte/second-facteur/application/", data=given)) == "/compte/second-facteur/codes/"
        assert first.get("/poste").status_code == 200

        assert second.log_in() == "/compte/second-facteur/donner/"
        assert target(second.submit("/compte/second-facteur/donner/", code=totp(secret[1]))) == "/compte/"
        assert second.get("/administration/personnes/").status_code == 200
        assert second.get("/administration/personnes/", params={"q": "\x00Ada"}).status_code == 200
        first.submit("/compte/sessions/", which="others")
        assert target(second.get("/compte/")) == "/compte/connexion/"
        assert target(first.submit("/compte/deconnexion/")) == "/"


def told(server: Server) -> int:
    """How often the log warns that a code was used; other tests of this server use theirs."""
    lines = server.log.read_text(encoding="utf-8").splitlines()
    return sum("break_glass.used" in line and "warning" in line for line in lines)


def test_a_printed_code_opens_once_and_loudly(server: Server, codes: list[str]) -> None:
    assert len(codes) == 10
    with Person(base_url=server.origin) as first, Person(base_url=server.origin) as second:
        before = told(server)
        given = {"email": EMAIL, "password": PASSWORD, "code": codes[0]}
        assert target(first.submit("/secours/", **given)) == "/compte/"
        assert "Session de secours" in first.get("/compte/").text
        assert second.submit("/secours/", **given).status_code == 401
    assert told(server) == before + 1
    assert EMAIL not in server.tail(100_000)
    assert codes[0] not in server.tail(100_000)


def test_a_form_without_its_token_or_from_elsewhere_is_refused(server: Server, codes: list[str]) -> None:
    given = {"email": EMAIL, "password": PASSWORD, "code": codes[1]}
    with Person(base_url=server.origin) as person:
        assert person.post("/secours/", data=given).status_code == 403
        found = MIDDLEWARE_TOKEN.search(person.get("/secours/").text)
        assert found
        forged = {**given, "csrfmiddlewaretoken": found[1]}
        answer = person.post("/secours/", data=forged, headers={"Origin": "https://evil.example"})
        assert answer.status_code == 403
        assert "Rien n’a été enregistré" in answer.text


def test_public_pages_know_nothing_of_sessions(server: Server) -> None:
    answer = httpx.get(server.origin + "/")
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers
    assert "vary" not in answer.headers


@pytest.mark.parametrize("cookie", ['sessionid="\\000\\000\\000aaaaaaaaaaaaa"', "sessionid=" + "é" * 32, "sessionid=x"])
def test_a_cookie_that_is_none_of_ours_harms_nothing(server: Server, cookie: str) -> None:
    for path in ("/", "/compte/connexion/"):
        assert httpx.get(server.origin + path, headers={"Cookie": cookie.encode()}).status_code == 200


def test_the_scripts_of_keys_are_served(server: Server) -> None:
    page = httpx.get(f"{server.origin}/compte/connexion/").text
    files = re.findall(r'<script src="([^"]+)"', page)
    assert len(files) == 4
    assert [httpx.get(server.origin + file).status_code for file in files] == [200] * 4
