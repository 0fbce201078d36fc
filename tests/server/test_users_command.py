"""`lakou user` and `lakou organisation`, one after another in one process: each start would cost a second."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest

RUN = """
import json, sys
from typer.testing import CliRunner
from lakou.kernel.errors import LakouError
from lakou.server.cli import application
told = []
for words, given in json.load(sys.stdin):
    words = words if words[0] == "organisation" else ["user", *words]
    done = CliRunner().invoke(application(), [*words, "--data", sys.argv[1]], input=given)
    error = done.exception
    told.append([done.stdout, error.message if isinstance(error, LakouError) else repr(error) if error else ""])
json.dump(told, sys.stdout)
"""
PASSWORD = "trois mornes et une riviere"
ADA, BO = "ada@example.org", "bo@example.org"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What each command printed, and its error; by a name."""
    steps: list[tuple[str, list[str], str]] = [
        ("weak", ["create", ADA, "--role", "administrator", "--organisation", "CTM"], "password1234\n"),
        ("none", ["create", ADA, "--role", "administrator", "--organisation", "CTM"], ""),
        ("nobody yet", ["grant", ADA, "--role", "observer"], ""),
        ("create", ["create", ADA, "--role", "administrator", "--organisation", "CTM"], PASSWORD + "\n"),
        ("twice", ["create", ADA, "--role", "observer", "--organisation", "CTM", "--link"], ""),
        ("by link", ["create", BO, "--role", "observer", "--organisation", "Ducos", "--link"], ""),
        ("grant", ["grant", BO, "--role", "approver", "--territory", "ducos"], ""),
        ("list", ["list"], ""),
        ("revoke", ["revoke", BO, "--role", "approver", "--territory", "ducos"], ""),
        ("revoke again", ["revoke", BO, "--role", "approver", "--territory", "ducos"], ""),
        ("unknown role", ["grant", BO, "--role", "king"], ""),
        ("last", ["revoke", ADA, "--role", "administrator"], ""),
        ("close last", ["close", ADA], ""),
        ("close", ["close", BO], ""),
        ("closed", ["list"], ""),
        ("reopen", ["close", BO, "--reopen"], ""),
        ("change", ["change", BO, "--name", "Bo Morne", "--email", "b@example.org"], ""),
        ("change back", ["change", "person:2", "--email", BO], ""),
        ("change to taken", ["change", BO, "--email", ADA], ""),
        ("organisations", ["organisation", "list"], ""),
        ("hand on", ["organisation", "host", "Ducos"], ""),
        ("hand on to none", ["organisation", "host", "Rivière"], ""),
        ("hand on again", ["organisation", "host", "CTM"], ""),
        ("export", ["export", BO], ""),
        ("export nobody", ["export", "nobody@example.org"], ""),
        ("erase unasked", ["erase", BO], "y\n"),
        ("erase", ["erase", BO, "--yes"], ""),
        ("erase again", ["erase", BO, "--yes"], ""),
        ("erase by number", ["erase", "person:2", "--yes"], ""),
        ("erase last", ["erase", ADA, "--yes"], ""),
        ("link", ["link", ADA], ""),
        ("reset", ["reset-second-factor", ADA], ""),
        ("codes", ["break-glass", ADA], ""),
        ("unknown", ["link", "nobody@example.org"], ""),
    ]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LAKOU_", "DJANGO_"))}
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(tmp_path_factory.mktemp("users"))],
        input=json.dumps([[words, given] for _, words, given in steps]),
        capture_output=True,
        text=True,
        env={**kept, "COLUMNS": "200", "NO_COLOR": "1"},
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(zip([name for name, _, _ in steps], json.loads(done.stdout), strict=True))


def test_a_person_is_made_with_a_password_or_a_link(told: dict[str, list[str]]) -> None:
    assert told["create"] == ["", ""]
    assert re.fullmatch(r"http://127\.0\.0\.1:8000/invitation/[\w-]{43}/\n", told["by link"][0])


def test_the_list_shows_roles_and_what_is_missing(told: dict[str, list[str]]) -> None:
    ada, bo = (line for line in told["list"][0].splitlines() if "@" in line)
    assert re.search(r"administrator in CTM +MISSING +0 +never", ada)
    assert re.search(r"approver in CTM \(ducos\), observer in Ducos", bo)
    assert "(closed)" in told["closed"][0]
    assert PASSWORD not in json.dumps(told)


def test_the_list_of_organisations_shows_the_host_first(told: dict[str, list[str]]) -> None:
    rows = [line.split() for line in told["organisations"][0].splitlines()[1:]]
    assert [(row[0], row[-2], row[-1]) for row in rows] == [("CTM", ADA, "host"), ("Ducos", "commune", "none")]


def test_codes_and_links_are_printed_for_a_machine_to_read(told: dict[str, list[str]]) -> None:
    lines = told["codes"][0].splitlines()
    assert len(lines) == 10
    assert all(re.fullmatch(r"[ 1]\d\. ([0-9A-Z]{4}-){6}[0-9A-Z]{4}", line) for line in lines)
    assert told["link"][0].startswith("http://127.0.0.1:8000/invitation/")


def test_what_is_held_about_a_person_is_one_document(told: dict[str, list[str]]) -> None:
    document = json.loads(told["export"][0])
    assert (document["format"], document["person"]["email"]) == ("lakou.person/1", BO)
    assert document["person"]["name"] == "Bo Morne"
    assert [one["role"] for one in document["roles"]] == ["approver", "observer"]


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("weak", "This password is too common"),
        ("none", "No password was given"),
        ("nobody yet", "There is no organisation yet"),
        ("twice", "There is a person with this address already"),
        ("revoke again", "is not approver in CTM"),
        ("unknown role", "There is no role 'king'"),
        ("last", "last administrator"),
        ("close last", "last administrator"),
        ("change to taken", "There is a person with this address already"),
        ("hand on", "Nobody with a second factor administers"),
        ("hand on to none", "There is no organisation named 'Rivière'"),
        ("export nobody", "There is no such person"),
        ("erase unasked", "Nothing was erased"),
        ("erase last", "last administrator"),
        ("unknown", "There is no person with this address"),
    ],
)
def test_what_cannot_be_is_said(told: dict[str, list[str]], step: str, said: str) -> None:
    assert said in told[step][1]


DONE = [
    "grant",
    "revoke",
    "close",
    "reopen",
    "reset",
    "change",
    "change back",
    "hand on again",
    "erase",
    "erase again",
    "erase by number",
]


@pytest.mark.parametrize("step", DONE)
def test_what_can_be_is_done(told: dict[str, list[str]], step: str) -> None:
    assert told[step][1] == ""
