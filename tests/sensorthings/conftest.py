"""Stores and callers for the tests of the SensorThings package, on SQLite and on PostgreSQL.

PostgreSQL is used when LAKOU_TEST_POSTGRES names a superuser's database: each process of the tests makes a
database of its own, empties it between tests and drops it at the end. Golden files: `pytest --update-golden`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from tests.harness.postgres import POSTGRES_URL
from tests.harness.server import fresh_database
from tests.sensorthings.caller import Caller, Store

_ENTITIES = ("thing", "location", "historical_location", "sensor", "observed_property", "datastream", "feature")
_OTHERS = (
    "thing_location", "historical_location_location", "datastream_observed_property", "observation",
    "feature_datastream", "moved_identity", "observation_history", "purge", "idempotency", "change",
    "rollup_hour", "rollup_day", "rollup_stale", "history_hour", "history_day", "mqtt_session", "mqtt_subscription",
    "outbox",
)  # fmt: skip


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write tests/sensorthings/golden again")


@pytest.fixture(scope="session")
def postgres_urls() -> Iterator[Callable[[int], str]]:
    """URLs of the databases of this process, by number; made when first asked for."""
    if POSTGRES_URL is None:
        pytest.skip("PostgreSQL is not tested: set LAKOU_TEST_POSTGRES to the URL of a superuser's database")
    with contextlib.ExitStack() as stack:
        found: dict[int, str] = {}

        def url(number: int) -> str:
            if number not in found:
                found[number] = stack.enter_context(fresh_database(POSTGRES_URL))
                store = Store("postgres", url=found[number]).open()
                store.migrate()
                store.close()
            return found[number]

        yield url


def emptied(url: str) -> Store:
    """The store at this URL, without rows and with ids from 1. Deleting is far faster than truncating here."""
    statements = [f"delete from {name}" for name in (*_ENTITIES, *_OTHERS)]  # noqa: S608  fixed names
    statements += ["delete from change_reader where name <> 'rollups'"]
    statements += [f"select setval('{name}_id_seq', 1, false)" for name in (*_ENTITIES, "observation")]
    options = "-c search_path=observations,public -c synchronous_commit=off"
    with psycopg.connect(url, options=options) as connection:
        connection.execute(";".join(statements).encode())
    return Store("postgres", url=url)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[int], Store]:
    """Makes empty stores of one kind, by number: the same number again gives the store emptied."""
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_urls")
        return lambda number: emptied(url(number))
    count = [0]

    def make(number: int) -> Store:
        count[0] += 1
        folder = tmp_path / f"{number}-{count[0]}"
        folder.mkdir()
        return Store("sqlite", folder=folder)

    return make


@pytest.fixture
def store(stores: Callable[[int], Store]) -> Store:
    """One empty store."""
    return stores(0)


@pytest.fixture
def caller(store: Store) -> Iterator[Caller]:
    """A started service over an empty store."""
    made = store.caller()
    yield made
    made.close()


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are to be written instead of compared."""
    return bool(request.config.getoption("update_golden", default=False))
