"""Retention: old Observations go, what they came to by hour and by day stays longer (DESIGN §4, trust R20).

Off unless it is asked for. A Datastream says for itself how long it keeps what (`@lakou.retention`), others follow the
defaults of the site; and nothing is removed before the site has said that it may be, so that `outlook` can be read
first. A day goes when all of it is old enough: its rollups move to the history, then its rows are deleted in small
batches. What is hidden, or not sealed or rolled up yet, waits.
"""

from __future__ import annotations

import msgspec

from lakou.sensorthings.access import ADMIN
from lakou.sensorthings.sql import rollups
from lakou.sensorthings.sql.dialect import Micros, Statement
from lakou.sensorthings.store.database import Row
from lakou.sensorthings.store.session import Session
from lakou.sensorthings.witness import EXPIRED

BATCH = 1_000
"""Observations, or hours, or days, removed in one transaction."""


class Keep(msgspec.Struct, frozen=True):
    """How long: micros, None for ever. `raw` Observations, `hourly` and `daily` what they came to."""

    raw: int | None = None
    hourly: int | None = None
    daily: int | None = None


class Policy(msgspec.Struct, frozen=True):
    """What the site says: how long Datastreams keep that say nothing, and whether anything may be removed at all."""

    defaults: Keep = Keep()
    applies: bool = False


class Outlook(msgspec.Struct, frozen=True):
    """What is old enough to go from one Datastream: Observations in whole days, hours and days of the history."""

    datastream_id: int
    name: str
    observations: int
    hours: int
    days: int


def _age(kept: str, default: int | None) -> str:
    """The keeping time of a Datastream as SQL."""
    return f"coalesce(d.keep_{kept}, {'null' if default is None else default})"


def _old(dialect: str, start: str, width: int, age: str, now: int) -> str:
    """The condition that a bucket ended before what is kept; unknown, so never, where all is kept."""
    if dialect == "sqlite":
        return f"{start} + {width} <= {now} - {age}"
    ended = f"(extract(epoch from {start}) * 1000000)::bigint + {width}"
    return f"{ended} <= {now} - {age}::bigint"


def outlook(dialect: str, defaults: Keep, now: int) -> Statement:
    """What would go from each Datastream, as rows of `Outlook`."""
    day = rollups.DAY.micros
    raw = _old(dialect, "r.start", day, _age("raw", defaults.raw), now)
    hourly = _old(dialect, "h.start", rollups.HOUR.micros, _age("hourly", defaults.hourly), now)
    daily = _old(dialect, "h.start", day, _age("daily", defaults.daily), now)
    number = "::bigint" if dialect == "postgres" else ""
    return Statement(
        "select * from (select d.id, d.name,"
        f" (select coalesce(sum(r.rows), 0){number} from rollup_day r where r.datastream_id = d.id and {raw}) as raw,"
        f" (select count(*) from history_hour h where h.datastream_id = d.id and {hourly}) as hourly,"
        f" (select count(*) from history_day h where h.datastream_id = d.id and {daily}) as daily"
        " from datastream d where d.scope_id >= 0) x where raw + hourly + daily > 0 order by id",
        {},
    )


def read_outlook(rows: list[Row]) -> list[Outlook]:
    """The rows of `outlook` as values."""
    return [Outlook(*row) for row in rows]


class Retention:
    """Removes what is old, a batch a call; remembers between calls which Datastream it has come to."""

    def __init__(self, defaults: Keep) -> None:
        self._defaults = defaults
        self._after = 0
        self._last = 0
        """The Datastream of the batch before."""

    def step(self, session: Session, now: int) -> bool:
        """One batch in the transaction of the session; False when nothing is left that can be removed now."""
        tx = session.tx
        old = _old(tx.dialect.name, "r.start", rollups.DAY.micros, _age("raw", self._defaults.raw), now)
        found = tx.rows(
            "select d.id, min(r.start) from datastream d join rollup_day r on r.datastream_id = d.id"
            f" where d.id > ? and d.scope_id >= 0 and {old} group by d.id order by d.id limit 1",
            (self._after,),
        )
        if not found:
            was, self._after, self._last = self._after, 0, 0
            return was > 0 or any(self._forget(session, width, now) for width in rollups.WIDTHS)
        stream_id, start = found[0]
        gone = tx.expire_observations(stream_id, start, start + rollups.DAY.micros, BATCH)
        if gone:
            session.log.append(("expire", "Datastream", stream_id, stream_id))
            counts = {"observations": gone, "datastreams": int(stream_id != self._last)}
            session.note(EXPIRED, ADMIN, counts=counts)
            self._last = stream_id
        else:
            self._after = stream_id  # it has to wait; the next time comes round to it again
        return True

    def _forget(self, session: Session, width: rollups.Width, now: int) -> bool:
        """Remove a batch of old buckets of the history."""
        tx = session.tx
        kept = "hourly" if width is rollups.HOUR else "daily"
        old = _old(tx.dialect.name, "h.start", width.micros, _age(kept, getattr(self._defaults, kept)), now)
        gone = tx.rows(
            f"select h.datastream_id, h.start, h.quality from {width.history} h join datastream d"
            f" on d.id = h.datastream_id where {old} limit ?",
            (BATCH,),
        )
        for stream_id, start, quality in gone:
            tx.rows(
                f"delete from {width.history} where datastream_id = ? and start = ? and quality = ?",
                (stream_id, Micros(start), quality),
            )
        if gone:
            session.note(EXPIRED, ADMIN, counts={kept: len(gone)})
        return bool(gone)
