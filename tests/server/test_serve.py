"""The running product: tokens that change under it, readiness, pages' headers, commands beside it, a clean end."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psycopg
import pytest

from lakou.connectors import samples
from tests.harness.server import Server, free_port
from tests.server.test_cli import lakou

SAMPLE = Path(samples.__path__[0]) / "usgs_2.5_day.json"


def place(server: Server) -> list[str]:
    """The options that name the server's databases."""
    url = ["--database-url", server.database_url] if server.database_url else []
    return ["--data", str(server.data), *url]


def within(seconds: float, claim: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if claim():
            return True
        time.sleep(0.05)
    return False


def test_a_new_token_writes_and_a_revoked_one_does_not_within_a_second(server: Server) -> None:
    name = f"late-{time.time_ns()}"
    token = lakou("token", "create", name, "--role", "agent", *place(server)).stdout.split()[-1]

    def status() -> int:
        headers = {"authorization": f"Bearer {token}"}
        body = {"name": name, "description": "made by a token that came late"}
        return httpx.post(f"{server.base}/Things", json=body, headers=headers, trust_env=False).status_code

    assert within(1, lambda: status() == 201)
    headers = {"authorization": f"Bearer {token}"}
    with httpx.stream("GET", f"{server.origin}/live", headers=headers, trust_env=False, timeout=10) as stream:
        pieces = stream.iter_raw()
        assert b"retry" in next(pieces)
        assert lakou("token", "revoke", name, *place(server)).returncode == 0
        revoked = time.monotonic()
        assert within(1, lambda: status() == 401)
        for _ in pieces:
            pass
        assert time.monotonic() - revoked < 2, "the event stream of a revoked token goes on"


def test_basic_authentication_takes_the_token_as_password(server: Server) -> None:
    answer = httpx.get(f"{server.base}/Things?$top=1", auth=("conformance", server.token), trust_env=False)
    assert answer.status_code == 200


@pytest.mark.parametrize("header", ["Bearer nonsense", "Basic !!!", "Digest x", "Bearer lk_1_" + "a" * 43])
def test_a_bad_token_is_refused_with_a_hint_even_for_public_reading(server: Server, header: str) -> None:
    answer = httpx.get(f"{server.base}/Things", headers={"authorization": header}, trust_env=False)
    assert answer.status_code == 401
    assert answer.json()["hint"]
    assert "www-authenticate" in answer.headers


def test_the_server_says_that_it_lives_and_is_ready(server: Server) -> None:
    assert httpx.get(f"{server.origin}/healthz", trust_env=False).json() == {"status": "ok"}
    ready = httpx.get(f"{server.origin}/readyz", trust_env=False)
    assert ready.status_code == 200
    assert all(ready.json()["checks"].values())


def test_figures_are_for_agents_and_administrators(server: Server) -> None:
    url = f"{server.origin}/metrics"
    stranger = httpx.get(url, trust_env=False)
    assert (stranger.status_code, "www-authenticate" in stranger.headers) == (401, True)
    page = httpx.get(url, headers={"authorization": f"Bearer {server.token}"}, trust_env=False)
    assert page.status_code == 200
    assert re.search(r'^lakou_requests_total\{method="GET",part="state",status="4xx"\} [1-9]', page.text, re.MULTILINE)
    assert "process_resident_memory_bytes" in page.text


def test_the_api_is_described_at_the_address_that_was_asked(server: Server) -> None:
    described = httpx.get(f"{server.origin}/api/openapi.json", trust_env=False).json()
    assert described["openapi"].startswith("3.1")
    assert described["servers"] == [{"url": server.base}]


def test_pages_carry_the_rules_for_browsers(server: Server) -> None:
    headers = httpx.get(f"{server.origin}/poste", trust_env=False).headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert "camera=()" in headers["permissions-policy"]


def test_static_files_are_served_with_conditions_and_unknown_ones_are_404(server: Server) -> None:
    page = httpx.get(f"{server.origin}/poste", trust_env=False).text
    found = re.search(r'href="(/static/[^"]+\.css)"', page)
    assert found is not None
    first = httpx.get(server.origin + found[1], trust_env=False)
    assert first.status_code == 200
    assert first.headers["content-type"].startswith("text/css")
    assert int(first.headers["content-length"]) == len(first.content)
    again = httpx.get(server.origin + found[1], headers={"if-none-match": first.headers["etag"]}, trust_env=False)
    assert (again.status_code, again.content) == (304, b"")
    head = httpx.head(server.origin + found[1], trust_env=False)
    assert (head.status_code, head.content) == (200, b"")
    for path in ("/static/none.css", "/static/../settings.py", "/static/%2e%2e/settings.py", "/static/"):
        assert httpx.get(server.origin + path, trust_env=False).status_code == 404


def test_a_body_for_the_pages_is_capped(server: Server) -> None:
    with httpx.Client(trust_env=False) as client:
        answer = client.post(f"{server.origin}/poste", content=b"a" * (17 * 1024 * 1024))
    assert answer.status_code == 413


def test_a_connector_runs_beside_the_running_server(server: Server) -> None:
    done = lakou("connector", "run", "usgs_earthquakes", "--file", str(SAMPLE), *place(server))
    assert done.returncode == 0, done.stderr
    assert "ok" in done.stderr
    again = lakou("connector", "run", "usgs_earthquakes", "--file", str(SAMPLE), *place(server))
    assert again.returncode == 0, again.stderr


def test_check_counts_beside_the_running_server(server: Server) -> None:
    done = lakou("check", *place(server))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Observations: " in done.stdout
    assert not re.search(r"^[A-Z]\w+: unknown", done.stdout, re.MULTILINE)


def test_doctor_looks_at_the_set_up_of_the_running_server(server: Server) -> None:
    done = lakou("doctor", *place(server), "--port", str(server.port))
    assert done.returncode == 0, done.stdout
    assert "taken" in done.stdout


def test_a_second_server_on_the_same_port_is_refused_at_once(server: Server) -> None:
    done = lakou("serve", "--port", str(server.port), "--mqtt-port", "none", *place(server))
    assert done.returncode == 4
    assert "--port" in done.stderr


def test_a_server_ends_cleanly_and_another_goes_on_from_its_data(tmp_path: Path) -> None:
    one = Server("sqlite", tmp_path / "data")
    one.start()
    try:
        second = lakou("serve", "--port", "1025", "--mqtt-port", "none", "--data", str(one.data))
        assert (second.returncode, str(one.pid) in second.stderr) == (3, True), second.stderr
        body = {"name": "kept", "description": "outlives its server"}
        headers = {"authorization": f"Bearer {one.token}"}
        assert httpx.post(f"{one.base}/Things", json=body, headers=headers, trust_env=False).status_code == 201
        assert one.process is not None
        process = one.process
        process.terminate()
        assert process.wait(12) == 0
        assert "Traceback" not in one.tail()
        one.start()
        found = httpx.get(f"{one.base}/Things?$select=name", trust_env=False).json()
        assert [thing["name"] for thing in found["value"]] == ["kept"]
    finally:
        one.stop()


def test_the_demonstration_shows_living_exercise_data(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "lakou", "demo", "--port", str(port), "--mqtt-port", "none"]
    command += ["--data", str(tmp_path / "demo"), "--sensors", "20"]
    base = f"http://127.0.0.1:{port}"
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:

        def things() -> list[dict[str, object]]:
            try:
                answer = httpx.get(f"{base}/sta/v1.1/Things?$expand=Datastreams", trust_env=False)
            except httpx.HTTPError:
                return []
            return list(answer.json()["value"])

        assert within(60, lambda: len(things()) >= 12), (tmp_path / "log").read_text()
        exercises = [thing for thing in things() if json.dumps(thing["properties"]).count('"exercise": true')]
        assert len(exercises) >= 10
        for secret in ("demo-token", "demo-simulator.json"):
            assert (tmp_path / "demo" / secret).stat().st_mode & 0o077 == 0
    finally:
        process.send_signal(signal.SIGINT)
        code = process.wait(20)
    assert code in (0, 130), (tmp_path / "log").read_text()


@pytest.mark.postgres
def test_a_database_without_its_schema_is_made_by_migrate(server: Server) -> None:
    if server.database_url is None:
        pytest.skip("SQLite has no schema; this needs LAKOU_TEST_POSTGRES")
    with psycopg.connect(server.database_url) as connection:
        found = connection.execute(
            "select table_schema from information_schema.tables where table_name = 'identity_token'"
        ).fetchall()
    assert found == [("civic",)]
