"""What the tests of connectors share: recorded and shipped samples."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import psycopg
import pytest

from lakou.connectors import samples
from lakou.sensorthings.access import ADMIN, Principal
from tests.harness.postgres import POSTGRES_URL
from tests.harness.server import fresh_database

if TYPE_CHECKING:
    from lakou.sensorthings.service import Service

SHIPPED = Path(samples.__path__[0])


@pytest.fixture
def shipped() -> Callable[[str], bytes]:
    """The bytes of a sample that ships with the product."""
    return lambda name: (SHIPPED / name).read_bytes()


@pytest.fixture
def recorded() -> Callable[[str], bytes]:
    """The bytes of a recorded answer of a source, from the folder that LAKOU_SAMPLES names."""
    folder = os.environ.get("LAKOU_SAMPLES")
    if not folder:
        pytest.skip("LAKOU_SAMPLES is not set: the recorded feeds were NOT read")

    def read(name: str) -> bytes:
        found = next((path for path in (Path(folder) / "feeds" / name, Path(folder) / name) if path.exists()), None)
        if found is None:
            pytest.skip(f"LAKOU_SAMPLES has no {name}: it was NOT read")
        return found.read_bytes()

    return read


Scenario = Callable[["Service"], Awaitable[None]]


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str | None]:
    """A database of this session, None when PostgreSQL is not there to be tested."""
    if POSTGRES_URL is None:
        yield None
        return
    with fresh_database(POSTGRES_URL) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def play(request: pytest.FixtureRequest, tmp_path: Path, postgres_url: str | None) -> Callable[[Scenario], None]:
    """Plays a scenario with a started SensorThings service over an empty store, on both databases."""
    # Models can be imported only once Django is loaded, which is after this file.
    from lakou.identity.authority import TokenAuthority
    from lakou.sensorthings.service import Service, ServiceConfig

    url = None
    if request.param == "postgres":
        if postgres_url is None:
            pytest.skip("LAKOU_TEST_POSTGRES is not set: PostgreSQL was NOT tested")
        url = postgres_url
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute("drop schema if exists observations cascade")

    def played(scenario: Scenario) -> None:
        async def whole() -> None:
            service = Service(ServiceConfig(data_dir=tmp_path, database_url=url, base_url=None), TokenAuthority())
            service.migrate()
            await service.start()
            try:
                await scenario(service)
            finally:
                await service.stop()

        asyncio.run(whole())

    return played


async def rows(service: Service, target: str, principal: Principal = ADMIN) -> list[dict[str, Any]]:
    """The `value` of a GET, all pages in one."""
    answer = await service.call(principal, "GET", quote(target, safe="/?&=$(),;:'"))
    assert answer.status == 200, answer.body
    found: list[dict[str, Any]] = json.loads(answer.body)["value"]
    return found
