"""The examples of deployment name things that the product has."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lakou.server import cli, lifetime
from lakou.server.config import OPTIONS, load
from lakou.server.framing import MAX_HEAD_BYTES
from tests.harness.server import ROOT

DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").iterdir())
ANALYZE = shutil.which("systemd-analyze")
KNOWN = {option.env for option in OPTIONS} | {"LAKOU_CONFIG"}


def text(name: str) -> str:
    return (DEPLOY / name).read_text(encoding="utf-8")


def directives(name: str) -> dict[str, str]:
    """Lines of the container file by their word; continued lines are joined; of several the last."""
    joined = text(name).replace("\\\n", " ")
    return {line.partition(" ")[0]: line.partition(" ")[2] for line in joined.splitlines() if line[:1].isupper()}


@pytest.mark.parametrize("name", ["systemd/lakou.service", "systemd/lakou-backup.service", "Containerfile"])
def test_every_setting_named_is_one_of_lakou(name: str) -> None:
    named = dict(re.findall(r"(LAKOU_[A-Z_]+)=(\S+)", text(name)))
    assert named
    assert set(named) <= KNOWN
    load(environ={key: value for key, value in named.items() if key != "LAKOU_CONFIG"})


@pytest.mark.parametrize("name", ["systemd/lakou.service", "systemd/lakou-backup.service"])
def test_the_command_of_a_unit_exists_and_takes_its_options(name: str) -> None:
    found = re.search(r"^ExecStart=\S+/lakou (\S+)(.*)$", text(name), re.MULTILINE)
    assert found is not None
    command, rest = found[1], found[2].split()
    assert command in cli.COMMANDS
    shown = subprocess.run(
        [sys.executable, "-m", "lakou", command, "--help"], capture_output=True, text=True, check=True
    )
    assert all(word in shown.stdout for word in rest if word.startswith("--"))


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed here")
def test_systemd_understands_the_units_and_finds_them_closed(tmp_path: Path) -> None:
    program = tmp_path / "lakou"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for unit in UNITS:
        (tmp_path / unit.name).write_text(unit.read_text().replace("/opt/lakou/.venv/bin/lakou", str(program)))
    copies = [str(tmp_path / unit.name) for unit in UNITS]
    checked = subprocess.run([str(ANALYZE), "verify", *copies], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr.strip()) == (0, ""), checked.stderr
    for unit in copies:
        if unit.endswith(".service"):
            scored = subprocess.run(
                [str(ANALYZE), "security", "--offline=true", "--threshold=30", unit],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert scored.returncode == 0, scored.stdout[-300:]


def test_the_unit_leaves_the_time_that_an_end_may_take() -> None:
    unit = text("systemd/lakou.service")
    stop = re.search(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    assert stop is not None
    assert int(stop[1]) > lifetime.TOTAL_S + 5
    assert "Type=notify" in unit
    assert re.search(r"^WatchdogSec=\d+$", unit, re.MULTILINE)


def test_the_container_is_small_in_rights_and_true_to_the_product() -> None:
    found = directives("Containerfile")
    bases = re.findall(r"^FROM (\S+)", text("Containerfile"), re.MULTILINE)
    assert set(bases) == {"python:3.11-slim"}
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", found["USER"])
    assert found["VOLUME"] == "/var/lib/lakou"
    environ = dict(re.findall(r"(LAKOU_[A-Z_]+)=(\S+)", text("Containerfile")))
    config = load(environ=environ)
    assert str(config.data_dir) == found["VOLUME"]
    assert found["EXPOSE"].split() == [str(config.port), str(config.mqtt_port)]
    assert f"127.0.0.1:{config.port}/readyz?for=data" in found["HEALTHCHECK"]
    assert (found["ENTRYPOINT"], found["CMD"]) == ('["lakou"]', '["serve"]')
    for copied in re.findall(r"^COPY (?!--from)(.+) \S+$", text("Containerfile"), re.MULTILINE):
        assert [name for name in copied.split() if not (ROOT / name).exists()] == []


def test_what_the_proxies_let_through_the_product_takes() -> None:
    nginx, caddy = text("nginx.conf"), text("Caddyfile")
    count, size = re.findall(r"large_client_header_buffers (\d+) (\d+)k", nginx)[0]
    assert int(size) * 1024 >= 16_384
    assert int(count) * int(size) * 1024 >= MAX_HEAD_BYTES
    for path in ("/sta/", "/live", "/mqtt", "/metrics"):
        assert path in nginx
        assert path in caddy
    assert caddy.count("{") == caddy.count("}")
    for examples in (nginx, caddy):
        assert "127.0.0.1:8000" in examples
