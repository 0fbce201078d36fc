"""Entries of the change log → the commits they stand for, as the feed would have told them.

For readers that must miss nothing: statements to be run by a reader, and the values made from their rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lakou.sensorthings.sql.dialect import Dialect, Statement
from lakou.sensorthings.store.changes import Entry
from lakou.sensorthings.store.database import OBSERVATION_COLUMNS, Row
from lakou.sensorthings.store.registry import NEVER, Stream
from lakou.sensorthings.store.session import ID, Changed, Commit

_COLUMNS = ", ".join(OBSERVATION_COLUMNS)


RANGES = 300
"""Ranges of ids that one statement may ask for."""


def piece(entries: Sequence[Entry], rows: int) -> Sequence[Entry]:
    """So many of the first entries that their Observations are about `rows` at most, and one statement reads them."""
    size = ranges = 0
    last = None
    for number, entry in enumerate(entries):
        if makes_observations(entry):
            size += entry.last_id - entry.first_id + 1
            ranges += last is None or entry.first_id != last + 1
            last = entry.last_id
            if number and (size > rows or ranges > RANGES):
                return entries[:number]
    return entries


def makes_observations(entry: Entry) -> bool:
    """Whether an entry stands for new Observations."""
    return entry.type == "Observation" and entry.verb == "create"


def observations(dialect: Dialect, entries: Sequence[Entry], streams: Iterable[int] | None) -> Statement | None:
    """Reads the Observations that entries have made, of these Datastreams or of all; None when they made none."""
    parameters: dict[str, object] = {}
    ranges: list[list[int]] = []
    for entry in entries:
        if makes_observations(entry):
            if ranges and ranges[-1][1] + 1 == entry.first_id:
                ranges[-1][1] = entry.last_id
            else:
                ranges.append([entry.first_id, entry.last_id])
    if not ranges:
        return None
    conditions = []
    for number, (first, last) in enumerate(ranges):
        parameters |= {f"a{number}": first, f"b{number}": last}
        low, high = dialect.placeholder(f"a{number}"), dialect.placeholder(f"b{number}")
        conditions.append(f"id between {low} and {high}")
    where = "(" + " or ".join(conditions) + ")"
    if streams is not None:
        parameters["streams"] = dialect.encode_set(sorted(streams))
        # The plus keeps this from being the access path: the range of ids is the small one.
        where += " and " + dialect.sets("+datastream_id", dialect.placeholder("streams"))
    return Statement(f"select {_COLUMNS} from observation_by_id where {where} order by id", parameters)  # noqa: S608  fixed names


def streams(dialect: Dialect, rows: Sequence[Row]) -> Statement:
    """Reads what must be known of the Datastreams of Observations."""
    ids = dialect.sets("d.id", dialect.placeholder("streams"))
    members = "(select count(*) from datastream_observed_property p where p.datastream_id = d.id)"
    return Statement(
        f"select d.id, d.multi, d.thing_id, d.scope_id, d.owner_id, {members} from datastream d where {ids}",  # noqa: S608
        {"streams": dialect.encode_set(sorted({row[0] for row in rows}))},
    )


def commits(entries: Sequence[Entry], rows: Sequence[Row], known: Sequence[Row]) -> list[Commit]:
    """One commit for each entry, in order; `rows` are those of `observations`, `known` those of `streams`."""
    found = {
        id_: Stream(id_, members if multi else 0, thing, scope, owner, "keep-all", NEVER, False)
        for id_, multi, thing, scope, owner, members in known
    }
    by_id = {row[ID]: row for row in rows}
    made: list[Commit] = []
    for entry in entries:
        ids = range(entry.first_id, entry.last_id + 1)
        if makes_observations(entry):
            there = (by_id[id_] for id_ in ids if id_ in by_id)
            made.append(Commit([(found[row[0]], list(row)) for row in there if row[0] in found], []))
        else:
            made.append(Commit([], [Changed(entry.verb, entry.type, id_) for id_ in ids]))
    return made
