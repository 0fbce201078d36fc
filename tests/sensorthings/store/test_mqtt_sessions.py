"""Durable MQTT sessions in the database, on both of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lakou.kernel import time
from lakou.sensorthings.sql.dialect import Micros
from lakou.sensorthings.store import changes, mqtt_sessions
from lakou.sensorthings.store.changes import Cursor
from lakou.sensorthings.store.database import Database, Transaction
from lakou.sensorthings.store.mqtt_sessions import Kept
from tests.sensorthings.caller import Store

KEY = (7, "one")


@pytest.fixture
def tx(store: Store) -> Iterator[Transaction]:
    """A transaction that is rolled back."""
    database: Database = store.open()
    database.migrate()
    yield database.begin(exclusive=False)
    database.rollback()
    database.close()


def _stored(tx: Transaction) -> bool:
    return bool(tx.read(mqtt_sessions.is_stored(tx.dialect, KEY)))


def _holds_the_log(tx: Transaction) -> bool:
    return bool(tx.rows("select 1 from change_reader where name = ?", (mqtt_sessions.READER,)))


def test_a_session_is_found_as_it_was_left_by_whoever_claims_it(tx: Transaction) -> None:
    assert not _stored(tx)
    assert mqtt_sessions.claim(tx, KEY, "a") is None
    end = mqtt_sessions.save(tx, KEY, "a", 60)
    kept = Kept("v1.1/Things", 1, end, b'{"name":"x"}')
    mqtt_sessions.subscribe(tx, KEY, kept)
    mqtt_sessions.subscribe(tx, KEY, Kept("v1.1/Sensors", 0, end, None))
    assert _stored(tx)
    found = mqtt_sessions.claim(tx, KEY, "b")
    assert found is not None
    assert (found.holder, found.expiry_s, found.place) == ("a", 60, end)
    assert found.subscriptions == (Kept("v1.1/Sensors", 0, end, None), kept)
    assert tx.read(mqtt_sessions.held(tx.dialect, "b")) == [KEY]
    assert tx.read(mqtt_sessions.held(tx.dialect, "a")) == []


def test_only_the_holder_moves_the_place(tx: Transaction) -> None:
    mqtt_sessions.save(tx, KEY, "a", 60)
    mqtt_sessions.advance(tx, KEY, "a", Cursor(3, 4), 60)
    mqtt_sessions.advance(tx, KEY, "b", Cursor(5, 6), 60)
    found = mqtt_sessions.claim(tx, KEY, "a")
    assert found is not None
    assert found.place == Cursor(3, 4)


def test_saving_again_keeps_the_place(tx: Transaction) -> None:
    mqtt_sessions.save(tx, KEY, "a", 60)
    mqtt_sessions.advance(tx, KEY, "a", Cursor(3, 4), 60)
    mqtt_sessions.save(tx, KEY, "a", 90)
    found = mqtt_sessions.claim(tx, KEY, "a")
    assert found is not None
    assert (found.place, found.expiry_s) == (Cursor(3, 4), 90)


def test_what_is_ended_is_gone(tx: Transaction) -> None:
    end = mqtt_sessions.save(tx, KEY, "a", 60)
    for topic in ("v1.1/Things", "v1.1/Sensors"):
        mqtt_sessions.subscribe(tx, KEY, Kept(topic, 1, end, None))
    mqtt_sessions.note_seen(tx, KEY, "v1.1/Things", b"x")
    mqtt_sessions.unsubscribe(tx, KEY, "v1.1/Sensors")
    found = mqtt_sessions.claim(tx, KEY, "a")
    assert found is not None
    assert found.subscriptions == (Kept("v1.1/Things", 1, end, b"x"),)
    mqtt_sessions.forget(tx, KEY)
    assert mqtt_sessions.claim(tx, KEY, "a") is None
    assert tx.rows("select * from mqtt_subscription") == []


def test_a_session_that_is_over_is_removed_and_holds_up_no_pruning(tx: Transaction) -> None:
    mqtt_sessions.save(tx, KEY, "a", 60)
    mqtt_sessions.upkeep(tx)
    assert _holds_the_log(tx)
    tx.rows("update mqtt_session set seen_at = ?", (Micros(time.now() - 61_000_000),))
    mqtt_sessions.upkeep(tx)
    assert not _stored(tx)
    assert not _holds_the_log(tx)


def test_the_log_is_kept_for_those_who_are_away_within_reason(tx: Transaction, monkeypatch: pytest.MonkeyPatch) -> None:
    start = mqtt_sessions.save(tx, KEY, "a", 60)
    for number in range(1, 31):
        tx.rows(
            "insert into change (at, verb, type, first_id, last_id) values (?, 'create', 'Thing', ?, ?)",
            (Micros(time.now()), number, number),
        )
    mqtt_sessions.upkeep(tx)
    assert changes.cursor_of(tx, mqtt_sessions.READER) == start
    monkeypatch.setattr(mqtt_sessions, "MOST_BEHIND", 20)
    mqtt_sessions.upkeep(tx)
    assert not _holds_the_log(tx)
