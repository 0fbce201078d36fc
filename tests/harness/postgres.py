"""Which PostgreSQL the tests of this process use.

LAKOU_TEST_POSTGRES holds the URL of a superuser's database, or several with spaces between, of different servers.
Processes of one run (pytest-xdist) then share them out: the change log is read up to the oldest transaction of the
whole server (DESIGN §4 rule 10), so that what is tested elsewhere on it may hold up what a test waits for.
"""

from __future__ import annotations

import os


def _mine() -> str | None:
    urls = os.environ.get("LAKOU_TEST_POSTGRES", "").split()
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    return urls[number % len(urls)] if urls else None


POSTGRES_URL = _mine()
"""None when PostgreSQL is not to be tested."""
