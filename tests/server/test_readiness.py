"""Readiness: by plane, with reasons; a broken civic database silences no sensor, and the other way round."""

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest

from lakou.kernel.histogram import Histogram
from lakou.sensorthings.limits import Limits
from lakou.sensorthings.service import Service, ServiceConfig
from lakou.sensorthings.store.held import Held
from lakou.server import clock, readiness
from lakou.server.readiness import CHECKS, Readiness
from tests.harness import make
from tests.harness.client import Api, key
from tests.harness.server import running
from tests.sensorthings.caller import Tokens


def ready(origin: str, plane: str = "") -> httpx.Response:
    return httpx.get(f"{origin}/readyz{plane}", trust_env=False)


def within(seconds: float, claim: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if claim():
            return True
        time.sleep(0.1)
    return False


def test_a_broken_civic_database_leaves_the_sensors_their_way() -> None:
    with running("sqlite") as server:
        api = Api(server.base, server.token)
        thing = api.create("Things", make.station(Datastreams=[make.datastream()]))
        [stream] = api.value(f"Things({key(thing)})/Datastreams")
        assert ready(server.origin).json()["checks"]["civic"] is True
        time.sleep(1.0)  # the tokens have been read from the file, which then lies in memory
        civic = server.data / "civic.db"
        for path in (civic, civic.with_name("civic.db-wal")):
            if path.exists():
                path.write_bytes(b"\xff" * path.stat().st_size)
        assert within(5, lambda: ready(server.origin).status_code == 503)
        body = ready(server.origin).json()
        assert [reason["key"] for reason in body["reasons"]] == ["civic_silent"]
        assert "base civique" in body["reasons"][0]["message"]
        assert ready(server.origin, "?for=data").status_code == 200
        assert ready(server.origin, "?for=civic").status_code == 503
        assert api.post(f"Datastreams({key(stream)})/Observations", {"result": 1}).status_code == 201
        api.close()
        for path in server.data.glob("observations.db*"):
            with path.open("r+b") as file:
                file.write(b"\xff" * path.stat().st_size)
        assert within(5, lambda: ready(server.origin, "?for=data").status_code == 503)
        found = {reason["key"] for reason in ready(server.origin, "?for=data").json()["reasons"]}
        assert found <= {"store_silent", "writer_silent"}
        assert httpx.get(f"{server.origin}/healthz", trust_env=False).status_code == 200


@contextlib.asynccontextmanager
async def opened(folder: Path, **limits: int) -> AsyncIterator[tuple[Service, Readiness]]:
    """A real service over a new store, and readiness that has started."""
    service = Service(ServiceConfig(data_dir=folder, limits=Limits(**limits)), Tokens())
    service.migrate()
    await service.start()
    found = Readiness(service, folder, lambda: True)
    found.started = True
    try:
        yield service, found
    finally:
        await service.stop()


async def keys(found: Readiness) -> tuple[int, list[str]]:
    status, body = await found.answer(None)
    return status, [reason["key"] for reason in body.get("reasons", ())]


def test_a_writer_that_is_silent_is_told_and_its_queue_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "PROBE_S", 0.2)
    monkeypatch.setattr(readiness, "KEPT_S", 0.0)

    async def scene() -> None:
        async with opened(tmp_path, queue_rows=10) as (service, found):
            assert await keys(found) == (200, [])
            held = threading.Event()
            submit = service.submitter()
            jobs = [submit(lambda session: held.wait(5))]
            await asyncio.sleep(0.05)
            assert await keys(found) == (503, ["writer_silent"])
            jobs.append(submit(lambda session: None, rows=9))
            assert await keys(found) == (503, ["writer_silent", "queue_full"])
            held.set()
            await asyncio.gather(*jobs)
            assert await keys(found) == (200, [])

    asyncio.run(scene())


def test_a_closed_store_is_told(tmp_path: Path) -> None:
    async def scene() -> tuple[int, list[str]]:
        async with opened(tmp_path) as (service, found):
            await service.stop()
            return await keys(found)

    assert asyncio.run(scene()) == (503, ["store_silent", "writer_silent"])


def test_a_disk_without_room_or_gone_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> list[tuple[int, list[str]]]:
        async with opened(tmp_path) as (service, found):
            gone = Readiness(service, tmp_path / "gone", lambda: True)
            gone.started = True
            first = await keys(gone)
            monkeypatch.setattr(readiness, "MIN_FREE_BYTES", 2**62)
            return [first, await keys(found)]

    assert asyncio.run(scene()) == [(503, ["disk_low"])] * 2


def test_many_who_ask_at_once_cost_one_probe(tmp_path: Path) -> None:
    async def scene() -> float:
        async with opened(tmp_path) as (service, found):
            await asyncio.gather(*(found.answer(None) for _ in range(50)))
            commits = [value for name, _, value in service.figures() if name == "lakou_commit_rows"]
            assert isinstance(commits[0], Histogram)
            return commits[0].cumulative()[-1][1]

    assert asyncio.run(scene()) == 1


def test_before_the_start_only_that_is_told(tmp_path: Path) -> None:
    async def scene() -> tuple[int, list[str]]:
        async with opened(tmp_path) as (_, found):
            found.started = False
            return await keys(found)

    assert asyncio.run(scene()) == (503, ["starting"])


def test_a_clock_that_is_off_is_a_warning_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def warned(found: Readiness, said: clock.Clock) -> list[str]:
        monkeypatch.setattr(clock, "read", lambda: said)
        status, body = await found.answer(None)
        assert status == 200
        return [warning["key"] for warning in body.get("warnings", ())]

    async def scene() -> list[list[str]]:
        async with opened(tmp_path) as (_, found):
            said = (
                clock.Clock("synchronised", 0.002),
                clock.Clock("synchronised", -1.5),
                clock.Clock("free"),
                clock.Clock("unknown"),
            )
            return [await warned(found, each) for each in said]

    assert asyncio.run(scene()) == [[], ["clock_off"], ["clock_free"], []]


def test_a_log_that_is_held_up_is_a_warning_and_who_it_is_is_logged_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(readiness, "KEPT_S", 0.0)
    monkeypatch.setattr(clock, "read", lambda: clock.Clock("synchronised", 0.0))
    said = [None, Held(9.0, "town", "admin", 7), Held(11.0, "town", "admin", 7), Held(12.0, "town", "admin", 7), None]

    async def scene() -> list[list[str]]:
        async with opened(tmp_path) as (service, found):
            coming = iter(said)

            async def held() -> Held | None:
                return next(coming)

            monkeypatch.setattr(service, "held", held)
            told = []
            for _ in said:
                status, body = await found.answer("data")
                assert status == 200
                told.append([warning["key"] for warning in body.get("warnings", ())])
            return told

    assert asyncio.run(scene()) == [[], [], ["change_log_held"], ["change_log_held"], []]
    assert caplog.text.count("Nothing is told for 11 s: a transaction in database 'town' of user 'admin'") == 1
    assert caplog.text.count("Nothing is told") == 1


def test_the_kernel_s_clock_can_be_asked() -> None:
    found = clock.read()
    assert found.state in ("synchronised", "free", "unknown")
    assert (found.offset_s is not None) == (found.state == "synchronised")


def test_every_check_has_a_key_and_words_of_its_own() -> None:
    assert len({check.key for check in CHECKS}) == len({check.message for check in CHECKS}) == len(CHECKS)
