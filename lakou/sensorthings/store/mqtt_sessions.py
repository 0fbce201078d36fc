"""Durable MQTT sessions in the database: who subscribed to what, and how far in the change log each session is."""

from __future__ import annotations

import msgspec

from lakou.kernel import time
from lakou.sensorthings.sql.dialect import Dialect, Micros, Statement
from lakou.sensorthings.store import changes
from lakou.sensorthings.store.changes import Cursor
from lakou.sensorthings.store.database import Transaction

Key = tuple[int, str]
"""(token, client id)."""
READER = "mqtt"
MOST_BEHIND = 5_000_000
"""Entries of the change log that are kept for subscribers who are away."""


class Kept(msgspec.Struct, frozen=True):
    """One stored subscription. `since`: nothing up to there is told. `seen` is the last payload, where it matters."""

    topic: str
    qos: int
    since: Cursor
    seen: bytes | None


class Stored(msgspec.Struct, frozen=True):
    """A stored session, as the process that claims it finds it."""

    holder: str
    expiry_s: int
    place: Cursor
    subscriptions: tuple[Kept, ...]


def is_stored(dialect: Dialect, key: Key) -> Statement:
    """One row when there is a stored session with this key."""
    token, client = dialect.placeholder("p1"), dialect.placeholder("p2")
    text = f"select 1 from mqtt_session where token_id = {token} and client_id = {client}"  # noqa: S608  placeholders
    return Statement(text, {"p1": key[0], "p2": key[1]})


def held(dialect: Dialect, holder: str) -> Statement:
    """The keys of the sessions of a process."""
    text = f"select token_id, client_id from mqtt_session where holder = {dialect.placeholder('p1')}"  # noqa: S608
    return Statement(text, {"p1": holder})


def claim(tx: Transaction, key: Key, holder: str) -> Stored | None:
    """Make a stored session that of this process; how it was found, None when it is not there or over."""
    rows = tx.rows(
        "select holder, expiry_s, seen_at, place_transaction, place_seq from mqtt_session"
        " where token_id = ? and client_id = ?",
        key,
    )
    if not rows:
        return None
    before, expiry_s, seen_at, transaction, seq = rows[0]
    if seen_at + expiry_s * 1_000_000 < time.now():
        forget(tx, key)
        return None
    tx.rows(
        "update mqtt_session set holder = ?, seen_at = ? where token_id = ? and client_id = ?",
        (holder, Micros(time.now()), *key),
    )
    kept = tx.rows(
        "select topic, qos, since_transaction, since_seq, seen from mqtt_subscription"
        " where token_id = ? and client_id = ? order by topic",
        key,
    )
    subscriptions = tuple(Kept(t, q, Cursor(a, b), None if s is None else bytes(s)) for t, q, a, b, s in kept)
    return Stored(before, expiry_s, Cursor(transaction, seq), subscriptions)


def save(tx: Transaction, key: Key, holder: str, expiry_s: int) -> Cursor:
    """Store a session that is not stored yet, from the end of the change log on; that end."""
    end = changes.end(tx)
    tx.rows(
        "insert into mqtt_session (token_id, client_id, holder, expiry_s, seen_at, place_transaction, place_seq)"
        " values (?, ?, ?, ?, ?, ?, ?) on conflict (token_id, client_id)"
        " do update set holder = excluded.holder, expiry_s = excluded.expiry_s, seen_at = excluded.seen_at",
        (*key, holder, expiry_s, Micros(time.now()), end.transaction, end.seq),
    )
    return end


def subscribe(tx: Transaction, key: Key, kept: Kept) -> None:
    """Store a subscription, in place of one to the same topic."""
    tx.rows(
        "insert into mqtt_subscription (token_id, client_id, topic, qos, since_transaction, since_seq, seen)"
        " values (?, ?, ?, ?, ?, ?, ?) on conflict (token_id, client_id, topic) do update set qos = excluded.qos,"
        " since_transaction = excluded.since_transaction, since_seq = excluded.since_seq, seen = excluded.seen",
        (*key, kept.topic, kept.qos, kept.since.transaction, kept.since.seq, kept.seen),
    )


def unsubscribe(tx: Transaction, key: Key, topic: str) -> None:
    """Remove a subscription."""
    tx.rows("delete from mqtt_subscription where token_id = ? and client_id = ? and topic = ?", (*key, topic))


def advance(tx: Transaction, key: Key, holder: str, place: Cursor, expiry_s: int) -> None:
    """Store how far a session is, unless another process has it now."""
    tx.rows(
        "update mqtt_session set place_transaction = ?, place_seq = ?, seen_at = ?, expiry_s = ?"
        " where token_id = ? and client_id = ? and holder = ?",
        (place.transaction, place.seq, Micros(time.now()), expiry_s, *key, holder),
    )


def note_seen(tx: Transaction, key: Key, topic: str, seen: bytes | None) -> None:
    """Store what was last told of a property or entity."""
    tx.rows(
        "update mqtt_subscription set seen = ? where token_id = ? and client_id = ? and topic = ?", (seen, *key, topic)
    )


def forget(tx: Transaction, key: Key) -> None:
    """Remove a session and its subscriptions."""
    tx.rows("delete from mqtt_subscription where token_id = ? and client_id = ?", key)
    tx.rows("delete from mqtt_session where token_id = ? and client_id = ?", key)


def upkeep(tx: Transaction) -> None:
    """Remove sessions that are over; keep the change log back to the place of the others, within MOST_BEHIND."""
    now = time.now()
    rows = tx.rows("select token_id, client_id, expiry_s, seen_at, place_transaction, place_seq from mqtt_session")
    places: list[Cursor] = []
    for token, client, expiry_s, seen_at, transaction, seq in rows:
        if seen_at + expiry_s * 1_000_000 < now:
            forget(tx, (token, client))
        else:
            places.append(Cursor(transaction, seq))
    ((highest,),) = tx.rows("select coalesce(max(seq), 0) from change")
    near = [place for place in places if changes.seq_at(tx, place) >= highest - MOST_BEHIND]
    if near:
        changes.advance(tx, READER, min(near))
    else:
        changes.forget(tx, READER)
