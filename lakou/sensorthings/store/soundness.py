"""Is what is stored in itself consistent? A table of questions to the store, each answered by the number of wrong rows.

The questions are read-only, written for both databases, and run beside a working server. Those over Observations look
at a sample of Datastreams; in full they read every row. What a deletion has hidden and not yet purged is not looked at.
A further check is one more line of `CHECKS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import apsw
import psycopg

from lakou.sensorthings.sql import rollups, slot
from lakou.sensorthings.sql.dialect import Dialect
from lakou.sensorthings.sql.postgres import Postgres
from lakou.sensorthings.sql.sqlite import SQLite
from lakou.sensorthings.store.postgres_connecting import SCHEMA

SAMPLE = 50
Ask = Callable[[str], list[tuple[Any, ...]]]


class Check(NamedTuple):
    """A question: its name, what is wrong when the number is above 0, and the SQL that counts.

    `{o}` stands for a condition on `o.datastream_id`, within the sample or none, and `{b}` for the same on `b`. `only`
    names the one database that is asked.
    """

    name: str
    wrong: str
    sql: str
    only: str | None = None


_ALIVE = "exists (select 1 from datastream d where d.id = o.datastream_id and d.scope_id >= 0)"
_SEEN = (
    "seen as materialized (select distinct o.datastream_id, o.feature_id from observation o where {o})"
    " select count(*) from seen o"
)

# On SQLite the digest of a number alone is stored as 1 (store.tiers).
_OWN_NUMBER = "case when o.digest = 1 then o.result_number end"


def _rolled_up(width: rollups.Width, dialect: Dialect) -> Check:
    """Rollups by hour against the rows that they are to hold, those by day against those by hour."""
    source, known = "(select o.* from sealed o where {o}) o", "1 = 1"
    if dialect.name == "postgres":
        source = f"(select o.* from observation o where {{o}} and {rollups.ROLLED_UP}) o"
        stale = dialect.bucket("r.start", str(width.micros))
        same = f"r.datastream_id = b.datastream_id and {stale} = b.start"
        known = f"not exists (select 1 from rollup_stale r where {same})"
    if width is rollups.HOUR:
        partials = rollups.aggregate(source, dialect.bucket("time_start", str(width.micros)))
        name, against = "hour", "rows"
    else:
        hours = "(select o.* from rollup_hour o where {o}) o"
        partials = rollups.fold(hours, dialect.bucket("start", str(width.micros)))
        name, against = "day", "hours"
    text = rollups.differing(width.table, partials, known)
    return Check(f"Rollups by {name} against {against}", "buckets are not what they come to", text, dialect.name)


CHECKS: tuple[Check, ...] = (
    Check(
        "Observations have a Datastream",
        "Datastreams are missing that have Observations",
        "select count(*) from (select distinct o.datastream_id from observation o where {o}) o"
        " where not exists (select 1 from datastream d where d.id = o.datastream_id)",
    ),
    Check(
        "Observations have a FeatureOfInterest",
        "FeaturesOfInterest are missing that Observations name",
        f"with {_SEEN} where {_ALIVE} and not exists (select 1 from feature f where f.id = o.feature_id)",
    ),
    Check(
        "Pairs of FeatureOfInterest and Datastream",
        "pairs are missing that Observations have",
        f"with {_SEEN} where {_ALIVE} and not exists (select 1 from feature_datastream p"
        " where p.feature_id = o.feature_id and p.datastream_id = o.datastream_id)",
    ),
    Check(
        "Pairs have Observations",
        "pairs are there without an Observation",
        "with seen as materialized (select distinct o.datastream_id, o.feature_id from observation o where {o})"
        f" select count(*) from feature_datastream o where {{o}} and {_ALIVE} and not exists"
        " (select 1 from history_day h where h.datastream_id = o.datastream_id) and not exists (select 1 from seen s"
        " where s.datastream_id = o.datastream_id and s.feature_id = o.feature_id)",
    ),
    Check(
        "Pairs lead somewhere",
        "pairs name a FeatureOfInterest or a Datastream that is missing",
        "select count(*) from feature_datastream p where not exists (select 1 from datastream d"
        " where d.id = p.datastream_id) or not exists (select 1 from feature f where f.id = p.feature_id)",
    ),
    Check(
        "Identities are unique",
        "identities are there twice",
        "select count(*) from (select 1 from observation o where o.digest is not null and {o}"
        f" group by o.datastream_id, o.time_start, o.digest, {_OWN_NUMBER} having count(*) > 1) twice",
    ),
    Check(
        "Ids are unique",
        "ids are there twice",
        "select count(*) from (select 1 from observation o where {o} group by o.id having count(*) > 1) twice",
    ),
    Check(
        "Datastreams have Thing, Sensor and ObservedProperty",
        "Datastreams lack one of them",
        "select count(*) from datastream d where d.scope_id >= 0 and ("
        "not exists (select 1 from thing t where t.id = d.thing_id and t.scope_id >= 0)"
        " or not exists (select 1 from sensor s where s.id = d.sensor_id and s.scope_id >= 0)"
        " or (d.multi = 0 and not exists (select 1 from observed_property p"
        " where p.id = d.observed_property_id and p.scope_id >= 0)))",
    ),
    Check(
        "Places of Things",
        "links between Things and Locations lead nowhere",
        "select count(*) from thing_location l where not exists (select 1 from thing t where t.id = l.thing_id)"
        " or not exists (select 1 from location p where p.id = l.location_id)",
    ),
    Check(
        "Order of the change log",
        "entries of created Observations overlap",
        "select count(*) from (select first_id, last_id, lag(last_id) over (order by first_id) as before from change"
        " where type = 'Observation' and verb = 'create') o where last_id < first_id or before >= first_id",
    ),
    Check(
        "Ascent of the change log",
        "entries of created Observations go back",
        "select count(*) from (select first_id, lag(last_id) over (order by seq) as before from change"
        " where type = 'Observation' and verb = 'create') o where before >= first_id",
        only="sqlite",
    ),
    Check(
        "Readers of the change log",
        "readers claim to have read what is not yet written",
        "select count(*) from change_reader r where r.seq > (select coalesce(max(seq), 0) from change)"
        " and exists (select 1 from change)",
        only="sqlite",
    ),
    Check(
        "Keys of sealed rows",
        "sealed Observations cannot be found by their id",
        "select count(*) from sealed o where {o} and not exists (select 1 from sealed_key k where k.id = o.id"
        f" and k.datastream_id = o.datastream_id and k.slot = {slot.of('o.time_start')})",
        only="sqlite",
    ),
    *(_rolled_up(width, dialect) for dialect in (SQLite(), Postgres()) for width in rollups.WIDTHS),
)


def statement(check: Check, *, full: bool) -> str:
    """The SQL of a check, over the sample or over all."""
    if full or "{o}" not in check.sql:
        return check.sql.replace("{o}", "1 = 1").replace("{b}", "1 = 1")
    sample = f"sample as materialized (select id from datastream where scope_id >= 0 order by random() limit {SAMPLE})"
    body = check.sql.replace("{o}", "o.datastream_id in (select id from sample)")
    body = body.replace("{b}", "b.datastream_id in (select id from sample)")
    return f"with {sample}, {body[5:]}" if body.startswith("with ") else f"with {sample} {body}"


def count_wrong(ask: Ask, check: Check, *, full: bool) -> int:
    """The number of wrong rows; raises what the database raises."""
    ((count,),) = ask(statement(check, full=full))
    return int(count)


def ask_sqlite(connection: apsw.Connection) -> Ask:
    """Questions to `observations.db`, on a connection that changes nothing."""
    connection.execute("pragma query_only = on")
    return lambda text: connection.execute(text).fetchall()


def ask_postgres(connection: psycopg.Connection[Any]) -> Ask:
    """Questions to the schema of the observations, on a connection that changes nothing."""
    connection.execute(f"set search_path = {SCHEMA}, public; set default_transaction_read_only = on")
    return lambda text: connection.execute(text.encode()).fetchall()
