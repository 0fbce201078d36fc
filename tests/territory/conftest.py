"""The register of the territory on each database, and the samples that LAKOU_SAMPLES names."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections

from lakou.identity.policy import system
from lakou.server import databases
from lakou.server.config import Config
from tests.conftest import DATABASES
from tests.harness.postgres import POSTGRES_URL
from tests.harness.server import fresh_database

WHO = system("agent")
"""Who imports and removes."""
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
TODAY = date(2026, 11, 26)


@pytest.fixture(scope="module", params=DATABASES)
def register(request: pytest.FixtureRequest, civic_database: Path) -> Iterator[str]:
    """Django's own database is that of this test run's kind, migrated."""
    if request.param == "sqlite":
        yield "sqlite"
        return
    assert POSTGRES_URL
    with fresh_database(POSTGRES_URL) as url:
        databases.make_civic_schema(url)
        described = databases.civic_database(Config(data_dir=civic_database.parent, database_url=url))
        before = connections.settings["default"]
        connections.close_all()
        connections.settings["default"] = connections.configure_settings({"default": described})["default"]
        del connections["default"]
        try:
            call_command("migrate", interactive=False, verbosity=0)
            yield "postgres"
        finally:
            connections.close_all()
            connections.settings["default"] = before
            del connections["default"]


@pytest.fixture
def civic_rows(register: str) -> str:
    """The name of the database, its places and layers removed."""
    from lakou.territory.models import Layer, Place

    Place.objects.all().delete()
    Layer.objects.all().delete()
    return register


@pytest.fixture(scope="session")
def sample() -> Callable[[str], bytes]:
    """The bytes of a sample by its path below the folder that LAKOU_SAMPLES names."""
    folder = os.environ.get("LAKOU_SAMPLES")
    if not folder:
        pytest.skip("LAKOU_SAMPLES is not set: the real files were NOT read")

    def read(name: str) -> bytes:
        path = Path(folder) / name
        if not path.exists():
            pytest.skip(f"LAKOU_SAMPLES has no {name}: it was NOT read")
        return path.read_bytes()

    return read


def acts(*names: str) -> list[tuple[str, str, str, Any]]:
    """What the journal tells of acts of these names: act, actor, subject and detail, in their order."""
    from lakou.identity.journal.models import JournalRow

    rows = JournalRow.objects.filter(act__in=names).order_by("seq")
    return [(row.act, row.actor_name, row.subject, json.loads(row.detail)) for row in rows]
