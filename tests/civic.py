"""Gives tests the civic part: Django loaded with the product's own settings over a temporary data folder.

`civic_database` is a migrated SQLite file for the whole test process; `civic` empties it before each test.
Tests write and commit for real, as the product does: nothing is rolled back behind its back.
"""

from __future__ import annotations

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
    from lakou.identity.models import Epoch, Scope, Token
    from lakou.identity.scopes import UNCLAIMED

    Token.objects.all().delete()
    Scope.objects.exclude(pk=UNCLAIMED).delete()
    Epoch.objects.update(value=0)
    return civic_database
