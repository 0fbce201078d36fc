"""A short run of the subscribers that come and go; the long ones are run by hand."""

from __future__ import annotations

import pytest

from tests.conftest import DATABASES
from tests.harness.postgres import POSTGRES_URL
from tests.harness.server import running
from tests.torture import subscribers

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("database", DATABASES)
def test_subscribers_that_come_and_go_miss_nothing(database: str) -> None:
    with running(database, POSTGRES_URL) as server:
        report = subscribers.run(server, 3.0)
    assert report.passed, report
