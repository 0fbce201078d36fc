"""Gives tests the civic part: Django loaded with the product's own settings over a temporary data folder.

`civic_database` is a migrated SQLite file for the whole test process; `civic` empties it before each test.
`any_civic` is the same on SQLite and, when LAKOU_TEST_POSTGRES is set, on PostgreSQL: the test runs on each.
Tests write and commit for real, as the product does: nothing is rolled back behind its back. The journal stays.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lakou.server import compose
from lakou.server.config import Config, load

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
    connections.close_all()


@pytest.fixture
def civic(civic_database: Path) -> Path:
    """The civic database, emptied of what earlier tests made; rows made by migrations stay."""
    _empty()
    return civic_database


def _empty() -> None:
    from lakou.identity.models import Epoch, Scope, Token
    from lakou.identity.scopes import UNCLAIMED

    Token.objects.all().delete()
    Scope.objects.exclude(pk=UNCLAIMED).delete()
    Epoch.objects.update(value=0)


@pytest.fixture(scope="session")
def civic_postgres() -> Iterator[str]:
    """The URL of a database of this test process whose civic schema is migrated."""
    from django.core.management import call_command

    from lakou.server import databases
    from tests.harness.server import fresh_database

    superuser = os.environ.get("LAKOU_TEST_POSTGRES")
    if superuser is None:
        pytest.skip("PostgreSQL is not tested: set LAKOU_TEST_POSTGRES to the URL of a superuser's database")
    with fresh_database(superuser) as url:
        databases.make_civic_schema(url)
        with _on(url):
            call_command("migrate", interactive=False, verbosity=0)
        yield url


@contextlib.contextmanager
def _on(url: str) -> Iterator[None]:
    """Django's default database is this one for the while, in every thread that has not connected yet."""
    from django.db import connections

    from lakou.server import databases

    own = connections.settings["default"]
    found = databases.civic_database(load({"data_dir": _folder, "database_url": url}, environ={}))
    connections["default"].close()
    del connections["default"]
    connections.settings["default"] = {**own, "HOST": "", "PORT": "", "USER": "", "PASSWORD": "", **found}
    try:
        yield
    finally:
        connections["default"].close()
        del connections["default"]
        connections.settings["default"] = own


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def any_civic(request: pytest.FixtureRequest) -> Iterator[str]:
    """The civic database, emptied as `civic` does, once on each kind; gives the name of the kind."""
    if request.param == "sqlite":
        request.getfixturevalue("civic")
        yield request.param
    else:
        with _on(request.getfixturevalue("civic_postgres")):
            _empty()
            yield request.param
