"""Reading a store of N: each target by one client, once its answer was seen to hold what it should."""

from __future__ import annotations

import http.client
import math
import random
import statistics
import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from bench.dataset import DAY_ROWS, END_US, MINUTE_US, YEAR_ROWS, Dataset
from bench.loading import LoadError
from bench.server import Server, get
from bench.session import Session
from bench.traffic import Gets

WINDOWS = 2_000
LATEST = 100
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
HOURLY = "aggregate(result with mean as mean)"
BUCKET = "bucket(phenomenonTime,duration'PT1H') as hour"
CHECKED_GROUPS = 5
LEAST_ROUNDS = 3
LATEST_TARGET = quote(
    f"Datastreams?$top={LATEST}&$expand=Observations($orderby=phenomenonTime desc;$top=1)", safe="?&=$(;)/"
)


def reads(session: Session, server: Server, filled: Dataset) -> None:
    """All reads of DESIGN §8."""
    with session.part("24 h window"):
        if filled.windows:
            _read(session, server, "window_p50", _windows(filled), DAY_ROWS)
        else:
            session.note("window_p50", None, "needs a day of minutes: a larger N")
    with session.part("latest of 100 Datastreams"):
        _read(session, server, "latest_p50", [LATEST_TARGET], min(LATEST, filled.shape.streams))
    with session.part("Thing with Datastreams"):
        things = [f"Things({n})?$expand=Datastreams" for n in range(1, filled.things + 1)]
        _read(session, server, "thing_p50", things, 0)
    with session.part("year by hour"):
        _year(session, server, filled)
    with session.part("day by hour of all"):
        _day(session, server, filled)


def _read(session: Session, server: Server, key: str, targets: list[str], least: int) -> None:
    page = server.get(targets[0])
    got = len(page.get("value", ()))
    if got < least:
        raise LoadError(f"{targets[0]} gave {got} instead of {least}")
    session.say(key.removesuffix("_p50"))
    session.note(key, session.load(server, Gets(targets), 1).outcome.p50_ms)


def _year(session: Session, server: Server, filled: Dataset) -> None:
    rows = min(YEAR_ROWS, filled.shape.dense_rows)
    condition = between(END_US - rows * MINUTE_US, END_US)
    apply = f"filter({condition})/groupby(({BUCKET}),{HOURLY})"
    target = f"Datastreams({filled.shape.dense})/Observations?$apply={quote(apply, safe='()/,')}&$top=10000"
    groups = server.get(target)["value"]
    expected = hours_between(END_US - rows * MINUTE_US, END_US)
    if len(groups) != expected:
        raise LoadError(f"One Datastream by hour gave {len(groups)} groups instead of {expected}")
    _compare(server, [(filled.shape.dense, group["hour"], group["mean"]) for group in groups], filled)
    session.say("year by hour")
    short = rows < YEAR_ROWS
    note = f"{rows:,} rows" if short else ""
    session.note("year_p50", session.load(server, Gets([target]), 1).outcome.p50_ms, note, short=short)


def _day(session: Session, server: Server, filled: Dataset) -> None:
    """The last day; a service that gives it in several pages is asked for all of them."""
    begin = END_US - DAY_US
    apply = f"filter({between(begin, END_US)})/groupby((Datastream/id,{BUCKET}),{HOURLY})"
    target = f"Observations?$resultFormat=dataArray&$apply={quote(apply, safe='()/,')}"
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    try:
        targets, groups = _pages(connection, server, target)
        shape = filled.shape
        expected = sum(
            hours_between(max(begin, END_US - rows * MINUTE_US), END_US) * streams
            for rows, streams in ((shape.dense_rows, 1), (shape.rows_each, shape.streams - 1))
        )
        if len(groups) != expected:
            raise LoadError(f"A day by hour of all gave {len(groups)} groups instead of {expected}")
        _compare(server, groups, filled)
        session.say("day by hour of all")
        took = _timed(connection, server, targets, session.settings.seconds)
    finally:
        connection.close()
    note = f"{len(groups):,} groups" + (f" in {len(targets)} pages" if len(targets) > 1 else "")
    session.note("day_p50", statistics.median(took) * 1e3, note, short=shape.rows_each < DAY_ROWS)


def _pages(
    connection: http.client.HTTPConnection, server: Server, target: str
) -> tuple[list[str], list[tuple[int, str, float]]]:
    targets, groups = [target], []
    while True:
        page = get(connection, server.wire, targets[-1])
        names = page["components"]
        stream, hour, mean = (names.index(name) for name in ("Datastream/id", "hour", "mean"))
        groups += [(int(row[stream]), str(row[hour]), float(row[mean])) for row in page["dataArray"]]
        if "@iot.nextLink" not in page:
            return targets, groups
        targets.append(str(page["@iot.nextLink"]).partition(f"{server.wire.root}/")[2])


def _timed(connection: http.client.HTTPConnection, server: Server, targets: list[str], seconds: float) -> list[float]:
    headers = {"authorization": server.wire.authorization or ""}
    took: list[float] = []
    while len(took) < LEAST_ROUNDS or sum(took) < seconds:
        begun = time.perf_counter()
        for target in targets:
            connection.request("GET", f"{server.wire.root}/{target}", headers=headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise LoadError(f"GET {target}: {answer.status}")
        took.append(time.perf_counter() - begun)
    return took


def _compare(server: Server, groups: list[tuple[int, str, float]], filled: Dataset) -> None:
    """A few groups against the Observations that they are made of."""
    last = END_US - MINUTE_US
    for stream, hour, mean in random.Random(3).sample(groups, min(CHECKED_GROUPS, len(groups))):
        begin = int(datetime.fromisoformat(hour).timestamp()) * 1_000_000
        condition = quote(between(begin, begin + HOUR_US))
        page: Any = server.get(f"Datastreams({stream})/Observations?$filter={condition}&$select=result&$top=100")
        found = [float(row["result"]) for row in page["value"]]
        # Rows are a minute apart: an hour has as many as there are minutes since the first row of the Datastream.
        first = END_US - filled.shape.rows_of(stream) * MINUTE_US
        expected = (min(last, begin + HOUR_US - MINUTE_US) - max(first, begin)) // MINUTE_US + 1
        if len(found) != expected or not math.isclose(statistics.fmean(found), mean, rel_tol=1e-9):
            raise LoadError(f"Datastream {stream}, {hour}: the mean {mean} is not that of its {len(found)} rows")


def hours_between(begin_us: int, end_us: int) -> int:
    """Slots of an hour from the epoch that hold a minute of this time."""
    return -(-end_us // HOUR_US) - begin_us // HOUR_US


def between(start_us: int, end_us: int) -> str:
    """A condition on phenomenonTime."""
    return f"phenomenonTime ge {_iso(start_us)} and phenomenonTime lt {_iso(end_us)}"


def _iso(micros: int) -> str:
    return datetime.fromtimestamp(micros / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _windows(filled: Dataset) -> list[str]:
    """Days of minutes at changing places, each asked once: no plan and few pages are known already."""
    place = random.Random(2)
    found = []
    for _ in range(WINDOWS):
        stream = place.choice(filled.windows)
        room = filled.shape.rows_of(stream) - DAY_ROWS
        start = END_US - DAY_US - place.randint(0, room) * MINUTE_US
        condition = quote(between(start, start + DAY_US))
        found.append(f"Datastreams({stream})/Observations?$filter={condition}&$top={DAY_ROWS}")
    return found
