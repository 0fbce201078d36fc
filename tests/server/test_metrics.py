"""The figures: all from the table, rising with what happens, per worker where there are several."""

import os
import re
import time
from collections.abc import Callable

import httpx
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from lakou.server.families import FAMILIES
from lakou.server.metrics import Metrics
from lakou.server.readiness import KEPT_S
from tests.harness import make
from tests.harness.client import Api, key
from tests.harness.postgres import POSTGRES_URL
from tests.harness.server import Server


def figures(server: Server) -> dict[str, float]:
    """Samples as the text names them."""
    headers = {"authorization": f"Bearer {server.token}"}
    page = httpx.get(f"{server.origin}/metrics", headers=headers, trust_env=False)
    assert page.status_code == 200
    samples = [s for family in text_string_to_metric_families(page.text) for s in family.samples]
    return {s.name + "".join(f"|{value}" for value in s.labels.values()): s.value for s in samples}


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.05)


def settled(server: Server, begun: dict[str, float]) -> dict[str, float]:
    """The figures once the acts that were done since are in the journal: carrying them commits too."""
    for _ in range(30):
        time.sleep(KEPT_S + 0.1)  # the probe of the figures commits too, and is fresh now
        found = figures(server)
        told = found["lakou_acts_told_total"] - begun["lakou_acts_told_total"]
        if told and not found["lakou_acts_waiting"]:
            return found
    raise AssertionError("the acts do not come into the journal")


def test_what_is_stored_refused_and_read_is_counted(server: Server, api: Api) -> None:
    begun = figures(server)
    thing = api.create("Things", make.station(Datastreams=[make.datastream()]))
    [stream] = api.value(f"Things({key(thing)})/Datastreams")
    before = settled(server, begun)
    for _ in range(3):
        body = {"phenomenonTime": "2026-01-01T00:00:00Z", "result": 1}
        assert api.post(f"Datastreams({key(stream)})/Observations", body).status_code == 201
    assert api.get("Nonsense").status_code == 404
    after = figures(server)

    def more(name: str) -> float:
        return after.get(name, 0) - before.get(name, 0)

    assert more("lakou_observations_total") == 1
    assert more("lakou_replays_total") == 2
    assert more("lakou_commit_rows_count") == 3
    assert more("lakou_commit_duration_seconds_count") == 3
    assert more("lakou_requests_total|POST|sensorthings|2xx") == 3
    assert sum(value for name, value in after.items() if name.startswith("lakou_refused_total")) > sum(
        value for name, value in before.items() if name.startswith("lakou_refused_total")
    )
    assert after["lakou_queue_rows"] == 0
    assert after["lakou_database_bytes|observations"] > 0
    assert after["lakou_change_log_entries"] > before["lakou_change_log_entries"] - 1
    assert after["process_resident_memory_bytes"] > 10_000_000
    assert after["process_open_fds"] > 3


def test_every_figure_is_in_the_table_and_every_lakou_name_of_the_page_too(server: Server) -> None:
    httpx.get(f"{server.origin}/readyz", trust_env=False)
    known = {family.name.removesuffix("_total") for family in FAMILIES}
    names = {re.sub(r"_(total|bucket|count|sum|created)$", "", name.partition("|")[0]) for name in figures(server)}
    assert {name for name in names if name.startswith("lakou_")} <= known
    absent = known - names
    may = {"lakou_wal_bytes", "lakou_clock_offset_seconds", "lakou_change_log_lag_entries", "lakou_refused"}
    assert absent <= may | ({"lakou_change_log_delay_seconds"} if server.database == "sqlite" else set())


@pytest.mark.skipif(POSTGRES_URL is None, reason="this needs LAKOU_TEST_POSTGRES")
def test_a_transaction_of_another_database_that_holds_the_log_is_named(servers: Callable[[str], Server]) -> None:
    """It keeps readers from what is committed after it, on this server of databases and not in this database alone."""
    server = servers("postgres")
    name = "lakou_change_log_delay_seconds|"
    api = Api(server.base, server.token)
    with psycopg.connect(str(POSTGRES_URL)) as elsewhere:
        other = elsewhere.info.dbname
        assert other not in str(server.database_url).rpartition("/")[2]
        elsewhere.execute("select pg_current_xact_id()")
        assert api.post("Things", {"name": "held", "description": "d"}).status_code == 201
        # Tests beside this one hold it too, though not for long.
        until(lambda: figures(server).get(name + other, 0) >= 0.3)
        elsewhere.rollback()
    until(lambda: figures(server).get(name + other, 0) < 0.3)
    api.close()


def test_a_source_of_another_part_is_asked_and_a_name_that_is_not_in_the_table_is_a_fault() -> None:
    metrics = Metrics()
    metrics.add(lambda: [("lakou_live_listeners", (), 7)])
    assert b"\nlakou_live_listeners 7.0\n" in metrics.page()
    metrics.add(lambda: [("lakou_unknown", (), 1)])
    with pytest.raises(KeyError):
        metrics.page()


def test_one_of_several_processes_puts_its_number_on_every_figure() -> None:
    lines = [line for line in Metrics(several=True).page().decode().splitlines() if not line.startswith("#")]
    assert lines
    assert all(f'worker="{os.getpid()}"' in line for line in lines)
