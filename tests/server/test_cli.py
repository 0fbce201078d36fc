"""The `lakou` command as a person meets it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest


def lakou(*words: str, cwd: Path | None = None, **environ: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LAKOU_", "DJANGO_"))}
    return subprocess.run(
        [sys.executable, "-m", "lakou", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=cwd,
        env={**kept, "NO_COLOR": "1", "COLUMNS": "160", **environ},
    )


def test_the_version_is_told() -> None:
    done = lakou("--version")
    assert re.fullmatch(r"lakou \d+\.\d+\.\d+\n", done.stdout)
    assert done.returncode == 0


def test_help_names_every_command() -> None:
    done = lakou("--help")
    for name in (
        "serve",
        "demo",
        "simulate",
        "migrate",
        "token",
        "user",
        "connector",
        "doctor",
        "check",
        "backup",
        "restore",
    ):
        assert re.search(rf"\b{name}\b", done.stdout)


def test_a_token_is_printed_alone_on_the_last_line_listed_renewed_and_revoked(tmp_path: Path) -> None:
    data = ["--data", str(tmp_path / "data")]
    made = lakou("token", "create", "gauge", "--role", "device", *data)
    assert made.returncode == 0
    assert re.fullmatch(r"lk_1_[0-9A-Za-z]{43}", made.stdout.splitlines()[-1])
    listed = lakou("token", "list", *data)
    assert "gauge" in listed.stdout
    assert made.stdout.strip() not in listed.stdout
    renewed = lakou("token", "renew", "gauge", *data)
    assert renewed.stdout != made.stdout
    assert lakou("token", "revoke", "gauge", *data).returncode == 0
    assert "revoked" in lakou("token", "list", *data).stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["token", "create", "x", "--role", "king"], 2, "one of: device, agent, admin"),
        (["token", "create", "a:b", "--role", "device"], 2, "Hint"),
        (["token", "create", "a", "--role", "device", "--organisation", "nobody"], 3, "no organisation named"),
        (["token", "revoke", "nobody"], 3, "lakou token list"),
        (["check"], 3, "no database"),
    ],
)
def test_a_wrong_call_says_what_to_do_and_has_its_exit_code(
    tmp_path: Path, words: list[str], code: int, said: str
) -> None:
    done = lakou(*words, "--data", str(tmp_path / "data"))
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert "Traceback" not in done.stderr


def test_bad_settings_are_told_by_their_place(tmp_path: Path) -> None:
    done = lakou("serve", cwd=tmp_path, LAKOU_PORT="http")
    assert done.returncode == 2
    assert "LAKOU_PORT" in done.stderr


def test_doctor_changes_nothing_and_finds_an_open_secrets_file(tmp_path: Path) -> None:
    data = tmp_path / "data"
    fine = lakou("doctor", "--data", str(data), "--port", "8000")
    assert fine.returncode == 0, fine.stdout + fine.stderr
    assert not data.exists()
    lakou("token", "create", "x", "--role", "agent", "--data", str(data))
    (data / "secrets.json").chmod(0o644)
    wrong = lakou("doctor", "--data", str(data))
    assert wrong.returncode == 1
    assert "chmod 600" in wrong.stdout


def test_doctor_says_that_a_database_cannot_be_reached_without_the_password(tmp_path: Path) -> None:
    url = "postgresql://me:s3cret@127.0.0.1:1/none"
    done = lakou("doctor", "--data", str(tmp_path), "--database-url", url)
    assert done.returncode == 1
    assert "cannot be reached" in done.stdout
    assert "s3cret" not in done.stdout + done.stderr


def test_check_finds_a_damaged_file(tmp_path: Path) -> None:
    lakou("token", "create", "x", "--role", "agent", "--data", str(tmp_path))
    (tmp_path / "civic.db-wal").unlink(missing_ok=True)
    damaged = bytearray((tmp_path / "civic.db").read_bytes())
    damaged[4096 * 3 : 4096 * 4] = b"\xff" * 4096
    (tmp_path / "civic.db").write_bytes(damaged)
    done = lakou("check", "--data", str(tmp_path))
    assert done.returncode == 1
    assert "civic.db: DAMAGED" in done.stdout
