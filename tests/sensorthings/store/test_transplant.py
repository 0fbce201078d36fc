"""A change log that comes from another cluster keeps its order and its readers' places."""

import contextlib
import time

import psycopg
import pytest

from lakou.sensorthings.store import transplant
from lakou.sensorthings.store.changes import Cursor, advance, cursor_of, read
from lakou.sensorthings.store.database import Lookup
from lakou.sensorthings.store.postgres import PostgresDatabase
from tests.harness.postgres import POSTGRES_URL
from tests.harness.server import fresh_database
from tests.sensorthings.stream import PATIENCE_S


@pytest.mark.skipif(POSTGRES_URL is None, reason="this needs LAKOU_TEST_POSTGRES")
def test_entries_of_a_future_transaction_become_readable_in_their_old_order() -> None:
    assert POSTGRES_URL is not None
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(fresh_database(POSTGRES_URL))
        database = stack.enter_context(contextlib.closing(PostgresDatabase(url)))
        database.migrate()
        log = Lookup(database, 5.0)
        with psycopg.connect(url, autocommit=True, options="-c search_path=observations") as connection:
            far = 10**15
            # A slower worker took an earlier sequence number in a later transaction.
            for transaction, seq in ((far, 1), (far + 2, 2), (far + 1, 3), (far + 3, 4)):
                connection.execute(
                    "insert into change (seq, at, verb, type, first_id, last_id, transaction)"
                    " values (%s, now(), 'create', 'Thing', %s, %s, %s::text::xid8)",
                    (seq, seq, seq, str(transaction)),
                )
        tx = database.begin(exclusive=True)
        advance(tx, "reader", Cursor(far + 1, 3))
        database.commit()
        with psycopg.connect(url, autocommit=True) as connection:
            transplant.renumber_changes(connection)
        tx = database.begin(exclusive=True)
        tx.log([("create", "Thing", 5, 5)])
        database.commit()
        # It is read up to the oldest transaction of the server, which may be of another database.
        end = time.monotonic() + PATIENCE_S
        while len(found := read(log, Cursor())) < 5 and time.monotonic() < end:
            time.sleep(0.05)
        assert [entry.first_id for entry in found] == [1, 3, 2, 4, 5]
        assert [entry.first_id for entry in read(log, cursor_of(log, "reader"))] == [2, 4, 5]
