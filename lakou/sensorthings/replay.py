"""Idempotency-Key: a keyed request that comes again gets the outcome of the first one, and changes nothing.

For requests without an identity of their own, such as an Observation without phenomenonTime (DESIGN §4 rule 6;
draft-ietf-httpapi-idempotency-key-header). A key belongs to its token, is stored in the commit of its work and
kept for a day; the same key with another request is a conflict.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import msgspec

from lakou.kernel import time
from lakou.kernel.errors import BadRequest, Conflict
from lakou.sensorthings.model import BY_NAME
from lakou.sensorthings.request import Request
from lakou.sensorthings.sql.dialect import Micros
from lakou.sensorthings.store.session import Session
from lakou.sensorthings.work import Work, Written

KEPT_US = 24 * 3600 * 1_000_000
MAX_KEY = 200


def once(work: Work, request: Request, key: str) -> Work:
    """The same work, done only once for this token and key. Raises BadRequest for a bad key."""
    if not 0 < len(key) <= MAX_KEY or not key.isprintable():
        raise BadRequest(f"A key has 1 to {MAX_KEY} characters", place="Idempotency-Key", code="idempotency_key")
    digest = blake2b(
        b"\0".join((request.method.encode(), request.path.encode(), request.query.encode(), request.body)),
        digest_size=16,
    ).digest()
    owner = request.principal.id

    def run(session: Session) -> Any:
        tx = session.tx
        rows = tx.rows("select digest, answer from idempotency where owner_id = ? and key = ?", (owner, key))
        if rows:
            if bytes(rows[0][0]) != digest:
                raise Conflict("This key was used for another request", place="Idempotency-Key", code="idempotency_key")
            return _outcome(rows[0][1])
        now = time.now()
        tx.rows("delete from idempotency where at < ?", (Micros(now - KEPT_US),))
        done = work.run(session)
        if isinstance(done, int):
            done = session.stored_id(done)
        tx = session.tx
        tx.rows(
            "insert into idempotency (owner_id, key, digest, answer, at) values (?, ?, ?, ?, ?)",
            (owner, key, digest, _text(done), Micros(now)),
        )
        return done

    return Work(run, work.answer, entities=work.entities, whole=True)


def _text(done: Any) -> str:
    if isinstance(done, Written):
        return msgspec.json.encode([done.type.name, done.id, done.created]).decode()
    return msgspec.json.encode(done).decode()


def _outcome(text: str) -> Any:
    found = msgspec.json.decode(text)
    if isinstance(found, list):
        return Written(BY_NAME[found[0]], found[1], created=found[2])
    return found
