"""Log lines that nobody can forge, that name their request, and that hold no token."""

from __future__ import annotations

import base64
import io
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog

from lakou.server import logs, requestid
from lakou.server.config import Config
from tests.harness.postgres import POSTGRES_URL
from tests.harness.server import running

TOKEN = "lk_12_" + "aB3" * 14 + "x"
HOSTILE = 'a\nb\r{"event":"forged"}\x1b[31m\x00\x85\u2028\u202e'


@pytest.fixture(autouse=True)
def root_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def written(form: Any, say: Any) -> list[str]:
    """The lines that `say` writes in this form."""
    logs.set_up(Config(data_dir=Path(), log_format=form))
    [handler] = logging.getLogger().handlers
    assert isinstance(handler, logging.StreamHandler)
    stream = io.StringIO()
    handler.setStream(stream)
    say()
    return stream.getvalue().splitlines() if form == "json" else stream.getvalue().split("\n")[:-1]


def test_a_json_line_has_its_instant_in_utc_its_level_and_its_request() -> None:
    requestid.current.set(b"abc-1")
    try:
        [line] = written("json", lambda: logging.getLogger("lakou.x").warning("A commit failed: %s", "IOError"))
    finally:
        requestid.current.set(None)
    found = json.loads(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", found.pop("timestamp"))
    assert found == {"event": "A commit failed: IOError", "level": "warning", "logger": "lakou.x", "request": "abc-1"}


@pytest.mark.parametrize("form", ["json", "text"])
def test_no_input_makes_a_line_of_its_own_or_steers_a_terminal(form: str) -> None:
    def say() -> None:
        structlog.get_logger("x").warning(
            HOSTILE, path=HOSTILE, more=[HOSTILE, {HOSTILE: HOSTILE}], raw=HOSTILE.encode()
        )
        logging.getLogger("y").warning("said %s", HOSTILE)

    lines = written(form, say)
    assert len(lines) == 2
    assert not [c for line in lines for c in line if ord(c) < 32 or 127 <= ord(c) < 160 or c in "\u2028\u202e"]


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_traceback_shows_no_local_values_and_its_lines_are_marked(form: str) -> None:
    def say() -> None:
        password = TOKEN  # noqa: F841 a local value that must not be shown
        try:
            raise ValueError("first\n2026-01-01 00:00:00 [info] forged")
        except ValueError:
            logging.getLogger("x").exception("A request failed")

    lines = written(form, say)
    assert TOKEN not in "\n".join(lines)
    if form == "json":
        assert len(lines) == 1
        assert "forged" in json.loads(lines[0])["exception"]
    else:
        assert len(lines) > 3
        assert all(line.startswith("    | ") for line in lines[1:])


@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize(
    "secret",
    [
        TOKEN,
        f"Authorization: Bearer {TOKEN}",
        "Basic " + base64.b64encode(f"gauge:{TOKEN}".encode()).decode(),
        f"/sta/v1.1/Things?access={TOKEN}&$top=1",
        "postgresql://lakou:s3cr3t-word@db/lakou",
        f"/invitation/{'aB3' * 14}/",
        f"/compte/mot-de-passe/nouveau/1-{'aB3' * 14}/",
    ],
)
def test_tokens_and_passwords_are_masked_wherever_they_stand(form: str, secret: str) -> None:
    def say() -> None:
        structlog.get_logger("x").warning(secret, header=secret, deep={"list": [secret]}, raw=secret.encode())
        try:
            raise RuntimeError(secret)
        except RuntimeError:
            structlog.get_logger("x").exception("failed")

    text = "\n".join(written(form, say))
    assert "•••" in text or "\\u2022" in text
    for part in (TOKEN, "aB3aB3", base64.b64encode(f"gauge:{TOKEN}".encode()).decode(), "s3cr3t-word"):
        assert part not in text


def test_a_token_sent_in_every_place_is_in_no_line_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Header, query, path and body, refused and accepted, with the access log on; the answer names the request."""
    monkeypatch.setattr("tests.harness.server.Server._environment", _talkative("json"))
    with running("sqlite", POSTGRES_URL) as server:
        wrong = TOKEN
        with httpx.Client(trust_env=False, base_url=server.origin) as client:
            for token in (server.token, wrong):
                headers = {"authorization": f"Bearer {token}", "x-request-id": "mine-1"}
                body = {"name": token, "description": "d", "properties": {"token": token}}
                assert client.post("/sta/v1.1/Things", json=body, headers=headers).headers["x-request-id"] == "mine-1"
                client.get(f"/sta/v1.1/Things?$filter=name eq '{token}'&token={token}", headers=headers)
                client.get(f"/sta/v1.1/{token}", headers=headers)
                client.get(f"/poste/{token}?t={token}", auth=("gauge", token))
                client.get(f"/nothing/Bearer%20{token}")
                client.request(token, "/sta/v1.1/Things")
        server.stop()
        text = server.log.read_text()
    assert server.token.split("_")[2] not in text
    assert wrong.split("_")[2] not in text
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    mine = [line for line in lines if line.get("request") == "mine-1"]
    assert len(mine) >= 6
    assert {line["status"] for line in mine} >= {201, 401}
    assert all(line["timestamp"].endswith("Z") for line in lines)


def _talkative(form: str) -> Any:
    from tests.harness.server import Server

    quiet = Server._environment

    def environment(self: Server) -> dict[str, str]:
        return quiet(self) | {"LAKOU_LOG_FORMAT": form, "LAKOU_ACCESS_LOG": "on"}

    return environment
