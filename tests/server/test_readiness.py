"""Readiness: by plane, with reasons; a broken civic database silences no sensor, and the other way round."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from lakou.kernel.errors import Unavailable
from lakou.server import clock, readiness
from lakou.server.readiness import CHECKS, Readiness
from tests.harness import make
from tests.harness.client import Api, key
from tests.harness.server import running


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


def test_a_broken_store_is_told_and_pages_stay_ready() -> None:
    with running("sqlite") as server:
        assert ready(server.origin).status_code == 200
        for path in server.data.glob("observations.db*"):
            with path.open("r+b") as file:
                file.write(b"\xff" * path.stat().st_size)
        assert within(5, lambda: ready(server.origin, "?for=data").status_code == 503)
        keys = {reason["key"] for reason in ready(server.origin).json()["reasons"]}
        assert keys <= {"store_silent", "writer_silent"}
        assert ready(server.origin, "?for=civic").status_code == 200
        assert httpx.get(f"{server.origin}/healthz", trust_env=False).status_code == 200


class Service:
    """The few things that readiness asks of a service."""

    def __init__(self, *, writer_s: float = 0.0, refuses: bool = False, queue_share: float = 0.0) -> None:
        self.writer_s, self.refuses, self.queue_share = writer_s, refuses, queue_share
        self.probes = 0

    async def call(self, principal: object, method: str, target: str) -> SimpleNamespace:
        return SimpleNamespace(status=200)

    async def probe(self) -> None:
        self.probes += 1
        await asyncio.sleep(self.writer_s)
        if self.refuses:
            raise Unavailable("The store does not answer")


def asked(service: Service, folder: Path, times: int = 1) -> tuple[int, list[str]]:
    async def ask() -> tuple[int, list[str]]:
        found = Readiness(service, folder, lambda: True)  # type: ignore[arg-type]
        found.started = True
        answers = await asyncio.gather(*(found.answer(None) for _ in range(times)))
        return answers[0][0], [reason["key"] for reason in answers[0][1].get("reasons", ())]

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("service", "keys"),
    [
        (Service(), []),
        (Service(refuses=True), ["writer_silent"]),
        (Service(queue_share=0.81), ["queue_full"]),
        (Service(writer_s=60), ["writer_silent"]),
    ],
)
def test_a_writer_that_is_silent_or_behind_is_told(
    service: Service, keys: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "PROBE_S", 0.2)
    assert asked(service, tmp_path) == (503 if keys else 200, keys)


def test_a_disk_without_room_or_gone_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(Service(), tmp_path / "gone") == (503, ["disk_low"])
    monkeypatch.setattr(readiness, "MIN_FREE_BYTES", 2**62)
    assert asked(Service(), tmp_path) == (503, ["disk_low"])


def test_many_who_ask_at_once_cost_one_probe(tmp_path: Path) -> None:
    service = Service()
    asked(service, tmp_path, times=50)
    assert service.probes == 1


def test_before_the_start_only_that_is_told(tmp_path: Path) -> None:
    found = Readiness(Service(), tmp_path, lambda: True)  # type: ignore[arg-type]
    status, body = asyncio.run(found.answer(None))
    assert (status, [reason["key"] for reason in body["reasons"]]) == (503, ["starting"])


def test_a_clock_that_is_off_is_a_warning_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def warned(found: clock.Clock) -> list[str]:
        monkeypatch.setattr(clock, "read", lambda: found)
        ready_for = Readiness(Service(), tmp_path, lambda: True)  # type: ignore[arg-type]
        ready_for.started = True
        status, body = asyncio.run(ready_for.answer(None))
        assert status == 200
        return [warning["key"] for warning in body.get("warnings", ())]

    assert warned(clock.Clock("synchronised", 0.002)) == []
    assert warned(clock.Clock("synchronised", -1.5)) == ["clock_off"]
    assert warned(clock.Clock("free")) == ["clock_free"]
    assert warned(clock.Clock("unknown")) == []


def test_the_kernel_s_clock_can_be_asked() -> None:
    found = clock.read()
    assert found.state in ("synchronised", "free", "unknown")
    assert (found.offset_s is not None) == (found.state == "synchronised")


def test_every_check_has_a_key_and_words_of_its_own() -> None:
    assert len({check.key for check in CHECKS}) == len({check.message for check in CHECKS}) == len(CHECKS)
