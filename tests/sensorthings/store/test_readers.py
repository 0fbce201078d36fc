"""The end of the readers does not wait for what a slow read still does."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from lakou.kernel.errors import LakouError
from lakou.sensorthings.sql.dialect import Statement
from lakou.sensorthings.store.readers import Readers
from tests.conftest import DATABASES
from tests.sensorthings.caller import Store

SLOW = {
    "sqlite": "with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) from n",
    "postgres": "select pg_sleep(60)",
}


@pytest.mark.parametrize("database", DATABASES)
def test_a_read_under_way_is_stopped_when_the_store_closes(
    database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgres_urls")(0) if database == "postgres" else None
    store = Store(database, folder=None if url else tmp_path, url=url).open()
    store.migrate()

    async def scene() -> float:
        readers = Readers(store)
        slow = asyncio.create_task(readers.rows(Statement(SLOW[database], {}), 30.0))
        await asyncio.sleep(0.3)
        assert readers.busy == 1
        began = time.monotonic()
        await asyncio.to_thread(readers.close)
        took = time.monotonic() - began
        with pytest.raises(LakouError):
            await slow
        assert readers.busy == 0
        return took

    assert asyncio.run(scene()) < 3
    store.close()
