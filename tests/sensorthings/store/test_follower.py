"""PostgreSQL with several processes that write: every reader hears every commit once and in one order."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import ExitStack

import psycopg
import pytest

from lakou.kernel.time import now
from lakou.sensorthings.store import changes, follower
from lakou.sensorthings.store.changes import Cursor
from lakou.sensorthings.store.database import OBSERVATION_COLUMNS, Lookup
from lakou.sensorthings.store.follower import Follower
from lakou.sensorthings.store.postgres import PostgresDatabase
from lakou.sensorthings.store.session import ID, Changed, Commit
from tests.sensorthings import bodies
from tests.sensorthings.caller import Caller, Store
from tests.sensorthings.conftest import emptied
from tests.sensorthings.stream import Client

pytestmark = pytest.mark.postgres


class Heard:
    """One who listens while `on`."""

    def __init__(self) -> None:
        self.on: Hashable = 1
        self.commits: list[Commit] = []

    def asking(self) -> Hashable:
        return self.on

    def publish(self, commit: Commit) -> None:
        self.commits.append(commit)

    def settle(self) -> None:
        pass

    @property
    def ids(self) -> list[int]:
        """What was told, without the Observation of the beginning: a transaction of any other database of the
        server may have held it back until now."""
        return [row[ID] for commit in self.commits for _, row in commit.observed if row[ID] > 1]

    def wait(self, claim: Callable[[], bool]) -> None:
        end = time.monotonic() + 5
        while not claim() and time.monotonic() < end:
            time.sleep(0.01)

    def until(self, count: int) -> list[int]:
        self.wait(lambda: len(self.ids) >= count)
        return self.ids


@pytest.fixture
def url(postgres_urls: Callable[[int], str]) -> str:
    url = postgres_urls(0)
    emptied(url)
    return url


@pytest.fixture
def caller(url: str) -> Iterator[Caller]:
    made = emptied(url).caller()
    made.make("/Things", bodies.station())
    made.make("/Datastreams(1)/Observations", {"result": 0})
    yield made
    made.close()


@pytest.fixture
def heard(url: str, caller: Caller) -> Iterator[Heard]:
    listener, database = Heard(), PostgresDatabase(url)
    made = Follower(database, listener)
    made.start()
    listener.wait(lambda: bool(listener.commits))
    assert listener.commits[0].cursor is not None
    yield listener
    made.stop()
    database.close()


def observe(caller: Caller, count: int = 1) -> list[int]:
    return [caller.make("/Datastreams(1)/Observations", {"result": n}) for n in range(count)]


def row(id_: int) -> list[object]:
    values = {"datastream_id": 1, "time_start": now(), "id": id_, "result_type": 1, "result_number": 1.0,
              "feature_id": 1, "digest": id_}  # fmt: skip
    return [values.get(name) for name in OBSERVATION_COLUMNS]


class Worker:
    """A worker's writer, which may be slow between its log entry and its commit."""

    def __init__(self, url: str) -> None:
        self.database = PostgresDatabase(url)

    def begin(self, count: int) -> list[int]:
        tx = self.database.begin(exclusive=False)
        ids = [tx.take_id() for _ in range(count)]
        tx.add_observations([row(id_) for id_ in ids])
        tx.log([("create", "Observation", ids[0], ids[-1])])
        tx.rows("select 1")
        return ids

    def commit(self) -> None:
        self.database.commit()

    def close(self) -> None:
        self.database.close()


@pytest.fixture
def workers(url: str) -> Iterator[list[Worker]]:
    with ExitStack() as stack:
        made = [Worker(url), Worker(url)]
        for worker in made:
            stack.callback(worker.close)
        yield made


def test_commits_are_told_with_their_places(heard: Heard, caller: Caller) -> None:
    ids = observe(caller, 3)
    assert heard.until(3) == ids
    thing = caller.make("/Things", bodies.thing())
    wanted = Changed("create", "Thing", thing)
    heard.wait(lambda: any(wanted in commit.changed for commit in heard.commits))
    assert [change for commit in heard.commits for change in commit.changed].count(wanted) == 1
    cursors = [commit.cursor for commit in heard.commits]
    assert cursors == sorted(cursors)  # type: ignore[type-var]


def test_a_slow_worker_is_told_late_and_loses_nothing(heard: Heard, caller: Caller, workers: list[Worker]) -> None:
    slow, quick = workers
    first = slow.begin(2)
    second = quick.begin(3)
    quick.commit()
    time.sleep(0.15)
    assert heard.ids == []  # the quick one came later in the order, and waits
    slow.commit()
    assert heard.until(5) == first + second
    time.sleep(0.1)
    assert heard.ids == first + second


def test_a_reader_with_a_cursor_misses_nothing_of_two_workers(url: str, caller: Caller, workers: list[Worker]) -> None:
    written: list[list[int]] = [[], []]

    def write(number: int, pause_s: float) -> None:
        choice = random.Random(number)
        for _ in range(60):
            ids = workers[number].begin(choice.randint(1, 4))
            time.sleep(choice.random() * pause_s)
            workers[number].commit()
            written[number].extend(ids)

    threads = [threading.Thread(target=write, args=given) for given in ((0, 0.02), (1, 0.001))]
    database = PostgresDatabase(url)
    rows = Lookup(database, 5.0)
    cursor = changes.end(rows)
    found: list[int] = []

    def read(cursor: Cursor) -> Cursor:
        for entry in changes.read(rows, cursor, limit=7):
            if entry.first_id > 1:  # what the fixture made may have been held back by another database of the server
                found.extend(range(entry.first_id, entry.last_id + 1))
            cursor = entry.cursor
        return cursor

    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        cursor = read(cursor)
    end = time.monotonic() + 5
    while len(found) < sum(map(len, written)) and time.monotonic() < end:
        cursor = read(cursor)
    database.close()
    assert sorted(found) == sorted(written[0] + written[1])
    for ids in written:
        assert [id_ for id_ in found if id_ in set(ids)] == ids


def test_the_follower_goes_on_after_its_connection_was_cut(heard: Heard, caller: Caller, url: str) -> None:
    before = observe(caller, 2)
    heard.until(2)
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(
            "select pg_terminate_backend(pid, 2000) from pg_stat_activity where datname = current_database()"
            " and query ilike '%change%' and pid <> pg_backend_pid()"
        )
    after = observe(caller, 2)
    assert heard.until(4) == before + after


def test_nothing_is_read_while_nobody_listens(heard: Heard, caller: Caller) -> None:
    heard.on = None
    time.sleep(0.1)
    told = len(heard.commits)
    observe(caller, 2)
    time.sleep(0.2)
    assert len(heard.commits) == told
    heard.on = 2
    heard.wait(lambda: len(heard.commits) > told)
    marker = heard.commits[told]
    assert (marker.entries, marker.gap) == ([], False)
    (late,) = observe(caller)
    heard.wait(lambda: late in heard.ids)
    assert heard.ids[-1] == late


def test_who_is_far_behind_is_told_of_a_gap(
    heard: Heard, workers: list[Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "PAGE", 3)
    monkeypatch.setattr(follower, "BEHIND", 5)
    slow, quick = workers
    slow.begin(1)
    for _ in range(8):
        quick.begin(2)
        quick.commit()
    slow.commit()
    heard.wait(lambda: any(commit.gap for commit in heard.commits))
    assert any(commit.gap for commit in heard.commits)
    later = quick.begin(1)
    quick.commit()
    heard.wait(lambda: later[0] in heard.ids)
    assert heard.ids[-1:] == later


def test_clients_of_every_process_get_every_event_once(url: str) -> None:
    with ExitStack() as stack:
        callers = [emptied(url).caller(), Store("postgres", url=url).caller()]
        for caller in callers:
            stack.callback(caller.close)
        callers[0].make("/Things", bodies.station())
        clients = [Client(caller) for caller in callers]
        ids = [caller.make("/Datastreams(1)/Observations", {"result": 1}) for _ in range(10) for caller in callers]
        told = [[event.data["id"] for event in client.until(20)] for client in clients]
        assert told[0] == told[1]
        assert sorted(told[0]) == sorted(ids)
        # Who was cut off from one process goes on at the other.
        last = clients[0].events[7].id
        back = Client(callers[1], last=last)
        assert [event.data["id"] for event in back.until(12)] == told[0][8:]
