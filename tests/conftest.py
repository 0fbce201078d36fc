"""Fixtures of all tests: the running product (`server`) and its callers (`api`, `anon`).

SQLite is always tested. PostgreSQL is tested when LAKOU_TEST_POSTGRES holds the URL of a superuser's
database; without it the run says so, in red, at its end.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator

import pytest

from tests.harness.client import Api
from tests.harness.postgres import POSTGRES_URL
from tests.harness.server import Server, running

DATABASES = ["sqlite", "postgres"] if POSTGRES_URL else ["sqlite"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first: at the end one of them would keep one process busy and the others idle."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for report in (*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")):
        for name, said in report.user_properties:
            if name == "matrix":
                terminalreporter.write_line(f"Matrix of rights on {said}")
    if POSTGRES_URL is None:
        terminalreporter.write_sep("!", "PostgreSQL was NOT tested: set LAKOU_TEST_POSTGRES", red=True, bold=True)


@pytest.fixture(scope="session")
def servers() -> Iterator[Callable[[str], Server]]:
    """Gives the product on a database, started once per test process. A fixture with parameters would be ended at each
    change of its parameter.
    """
    with contextlib.ExitStack() as stack:

        @functools.cache
        def started(database: str) -> Server:
            return stack.enter_context(running(database, POSTGRES_URL))

        yield started


@pytest.fixture(scope="session", params=DATABASES)
def server(request: pytest.FixtureRequest, servers: Callable[[str], Server]) -> Server:
    """The product on each database."""
    return servers(request.param)


@pytest.fixture(scope="session")
def api(server: Server) -> Iterator[Api]:
    """A caller with an administrator's token."""
    caller = Api(server.base, server.token)
    yield caller
    caller.close()


@pytest.fixture(scope="session")
def anon(server: Server) -> Iterator[Api]:
    """A caller without a token."""
    caller = Api(server.base)
    yield caller
    caller.close()
