"""People for tests, on each database, with cheap hashes: the harness makes them cheap, never the product."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client, override_settings

from lakou.identity.hashing import BoundedArgon2
from tests import civic as civic_part
from tests.conftest import DATABASES
from tests.harness.postgres import POSTGRES_URL
from tests.harness.server import fresh_database

PASSWORD = "trois mornes et une riviere"


class QuickArgon2(BoundedArgon2):
    """The same hash, so small that it costs nothing."""

    time_cost = 1
    memory_cost = 8


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A database of this test process."""
    assert POSTGRES_URL
    with fresh_database(POSTGRES_URL) as url:
        yield url


@pytest.fixture(scope="module", params=DATABASES)
def each_database(request: pytest.FixtureRequest, civic_database: Path) -> Iterator[str]:
    """The civic database on SQLite, then on PostgreSQL."""
    if request.param == "postgres":
        with civic_part.on_postgres(request.getfixturevalue("postgres_url")):
            yield "postgres"
    else:
        yield "sqlite"


@pytest.fixture
def people(each_database: str) -> Iterator[None]:
    """An empty civic database on each engine, in which passwords are hashed quickly."""
    civic_part.empty()
    with override_settings(PASSWORD_HASHERS=["tests.identity.conftest.QuickArgon2"]):
        yield


@pytest.fixture
def pages(civic_database: Path) -> Iterator[None]:
    """The same on SQLite, for pages; test_on_the_product.py asks them on both."""
    civic_part.empty()
    with override_settings(PASSWORD_HASHERS=["tests.identity.conftest.QuickArgon2"]):
        yield


def make_organisation(name: str = "CTM", kind: str = "ctm") -> Any:
    from lakou.identity.actions import organisations

    return organisations.create_organisation(name=name, kind=kind)


def make_person(email: str = "anne@example.org", role: str = "", organisation: Any = None, **more: Any) -> Any:
    """Somebody with a password and, where one is named, a role; in the host organisation if in no other."""
    from lakou.identity import queries
    from lakou.identity.actions import people as actions

    person = actions.create_person(email=email, password=PASSWORD, **more)
    if role:
        where = organisation or queries.host() or make_organisation()
        actions.grant_role(person=person, organisation=where, role=role)
    return person


class Visitor(Client):
    """A browser without JavaScript."""

    def log_in(self, email: str, password: str = PASSWORD) -> Any:
        return self.post("/compte/connexion/", {"login": email, "password": password})

    def is_in(self) -> bool:
        return "_auth_user_id" in self.session

    def enrol(self) -> str:
        """Set up an application; gives its secret."""
        page = self.get("/compte/second-facteur/application/").content.decode()
        found = re.search(r'class="key-text">(\w+)<', page)
        assert found, page
        answer = self.post("/compte/second-facteur/application/", {"code": totp(found[1])})
        assert answer.status_code == 302
        return found[1]


def totp(secret: str, steps: int = 0) -> str:
    """What an application shows now, or some steps of 30 s from now (RFC 6238)."""
    from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value

    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30 + steps)))


def target(answer: Any) -> str:
    """The path to which an answer sends on."""
    return urlsplit(answer["Location"]).path


@pytest.fixture
def visitor(pages: None) -> Visitor:
    return Visitor()


@pytest.fixture
def administrator(visitor: Visitor) -> Any:
    """The host's administrator, logged in by `visitor` with a second factor."""
    person = make_person("admin@example.org", "administrator", name="Ada Min")
    visitor.log_in("admin@example.org")
    visitor.enrol()
    return person


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """What went through `acts.note`; it still goes on to where it would."""
    from lakou.identity import acts

    heard: list[tuple[str, dict[str, Any]]] = []
    note = acts.note

    def noted(act: str, **more: Any) -> None:
        heard.append((act, more))
        note(act, **more)

    monkeypatch.setattr(acts, "note", noted)
    return heard
