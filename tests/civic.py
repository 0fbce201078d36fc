"""Gives tests the civic part: Django loaded with the product's own settings over a temporary data folder.

`civic_database` is a migrated SQLite file for the whole test process; `civic` empties it before each test.
`any_civic` is the same on SQLite and, when LAKOU_TEST_POSTGRES is set, on PostgreSQL: the test runs on each.
Tests write and commit for real, as the product does: nothing is rolled back behind its back. The journal stays.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lakou.server import compose, databases
from lakou.server.config import Config, load
from tests.harness.postgres import POSTGRES_URL

_migrated: set[str] = set()
_folder = Path(tempfile.mkdtemp(prefix="lakou-test-"))
CONFIG: Config = load({"data_dir": _folder}, environ={})


def pytest_configure() -> None:
    compose.load_django(CONFIG)


def pytest_unconfigure() -> None:
    shutil.rmtree(_folder, ignore_errors=True)


@pytest.fixture(scope="session")
def civic_database() -> Iterator[Path]:
    """The path of the migrated civic database of this test process."""
    from django.core.management import call_command
    from django.db import connections

    call_command("migrate", interactive=False, verbosity=0)
    yield _folder / "civic.db"
    _the_journal_is_whole()
    connections.close_all()


@pytest.fixture
def civic(civic_database: Path) -> Path:
    """The civic database, emptied of what earlier tests made; rows made by migrations stay."""
    empty()
    return civic_database


def empty() -> None:
    """Remove what tests have made from the civic database that is in use now."""
    from django.contrib.auth import get_user_model
    from django.contrib.sessions.models import Session
    from django.db import transaction

    from lakou.identity import models
    from lakou.identity.scopes import UNCLAIMED

    with transaction.atomic():
        for rows in (
            models.Invitation,
            models.BreakGlassCode,
            models.RoleGrant,
            models.Token,
            get_user_model(),
            models.Organisation,
            models.SharedEntry,
            Session,
        ):
            rows.objects.all().delete()
        models.Scope.objects.exclude(pk=UNCLAIMED).delete()
        models.Epoch.objects.update(value=0)


@pytest.fixture(scope="session")
def civic_postgres() -> Iterator[str]:
    """The URL of a database of this test process whose civic schema is migrated."""
    from tests.harness.server import fresh_database

    if POSTGRES_URL is None:
        pytest.skip("PostgreSQL is not tested: set LAKOU_TEST_POSTGRES to the URL of a superuser's database")
    with fresh_database(POSTGRES_URL) as url:
        with on_postgres(url):
            pass
        yield url
        with on_postgres(url):
            _the_journal_is_whole()


def _the_journal_is_whole() -> None:
    """After all that the tests of this process have done, as `lakou audit verify` would say."""
    from lakou.identity.journal import queries

    head, flaw = queries.verify()
    assert flaw is None, (head, flaw)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def any_civic(request: pytest.FixtureRequest) -> Iterator[str]:
    """The civic database, emptied as `civic` does, once on each kind; gives the name of the kind."""
    if request.param == "sqlite":
        request.getfixturevalue("civic")
        yield request.param
    else:
        with on_postgres(request.getfixturevalue("civic_postgres")):
            empty()
            yield request.param


@contextlib.contextmanager
def on_postgres(url: str) -> Iterator[None]:
    """Within, the civic database of this process is the migrated one at this URL."""
    from django.core.management import call_command
    from django.db import connections

    before = connections.settings["default"]
    config = load({"database_url": url, "data_dir": _folder}, environ={})
    there = connections.configure_settings({"default": databases.civic_database(config)})
    _use(there["default"])
    try:
        if url not in _migrated:
            databases.make_civic_schema(url)
            call_command("migrate", interactive=False, verbosity=0)
            _migrated.add(url)
        yield
    finally:
        _use(before)


def _use(settings: dict[str, Any]) -> None:
    from django.db import connections

    connections["default"].close()
    del connections["default"]
    connections.settings["default"] = settings
