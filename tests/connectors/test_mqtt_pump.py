"""The bridge between a real mosquitto and the real service: stored exactly once, acknowledged after the commit."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lakou.connectors import mqtt_pump, mqtt_session
from lakou.connectors.entities import Entities
from lakou.connectors.guard import Policy
from lakou.connectors.mqtt_bridge import Bridge, bridges
from lakou.connectors.mqtt_pump import Pump
from lakou.connectors.running import RunResult
from lakou.sensorthings.access import ADMIN
from tests.connectors import broker as brokers
from tests.connectors.broker import PASSWORD, USER, Broker
from tests.connectors.conftest import Scenario, rows
from tests.connectors.test_mqtt_bridge import AIR
from tests.harness import make

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from lakou.sensorthings.service import Service

Play = Callable[[Scenario], None]


def bridge_to(broker: Broker, **changes: Any) -> Bridge:
    table = {
        "host": "127.0.0.1",
        "port": broker.port,
        "user": USER,
        "password_file": str(broker.folder / "password"),
        "topics": [AIR],
        **changes,
    }
    return bridges({"town": table})[0]


def air(number: int) -> str:
    return json.dumps({"time": 1_700_000_000 + number, "pm25": number})


async def results(service: Service) -> list[int]:
    """All results that the service has, in order."""
    found = await rows(service, "/Observations?$select=result&$top=10000&$orderby=phenomenonTime")
    return [row["result"] for row in found]


async def until(holds: Callable[[], Any], seconds: float = 40.0) -> None:
    deadline = time.monotonic() + seconds
    while True:
        found = holds()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return
        assert time.monotonic() < deadline, "did not happen in time"
        await asyncio.sleep(0.05)


class Listening:
    """A pump that runs for the while."""

    def __init__(self, service: Service, bridge: Bridge) -> None:
        self.pump = Pump(bridge, Entities(service, 100), Policy())

    async def __aenter__(self) -> Pump:
        self.task = asyncio.create_task(self.pump.run())
        await until(lambda: self.pump.session.connected)
        return self.pump

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_messages_of_every_quality_are_stored_once_and_a_session_persists(
    play: Play, tmp_path: Path, protocol: str
) -> None:
    async def scenario(service: Service) -> None:
        with brokers.running(tmp_path) as broker:
            bridge = bridge_to(broker, protocol=protocol)
            async with Listening(service, bridge) as pump:
                await asyncio.to_thread(broker.publish, "sensors/a/air", [air(n) for n in range(50)], 1)
                await asyncio.to_thread(broker.publish, "sensors/b/air", [air(n) for n in range(50, 60)], 2)
                await until(lambda: pump.stored == 60)
            await asyncio.to_thread(broker.publish, "sensors/a/air", [air(n) for n in range(60, 65)] + [air(0)], 1)
            async with Listening(service, bridge) as pump:
                await until(lambda: pump.stored == 6)
            assert await results(service) == list(range(65))
            assert [row["name"] for row in await rows(service, "/Things?$orderby=name")] == ["Air a", "Air b"]

    play(scenario)


def test_what_can_never_be_stored_is_acknowledged_and_told(
    play: Play, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(service: Service) -> None:
        with brokers.running(tmp_path) as broker:
            bridge = bridge_to(broker)
            async with Listening(service, bridge) as pump:
                bad = ["nonsense", "[]", '{"pm25":1}', '{"time":1e40,"pm25":1}', "x" * 300_000]
                await asyncio.to_thread(broker.publish, "sensors/a/air", [*bad[:4], air(1)])
                await until(lambda: pump.stored == 1 and pump.refused == 4)
                assert "sensors/a/air" in pump.take_counts()[3]
            # Nothing comes again: what was refused was acknowledged too.
            async with Listening(service, bridge) as pump:
                await asyncio.to_thread(broker.publish, "sensors/a/air", [air(2)])
                await until(lambda: pump.stored == 1)
                assert pump.refused == 0
            assert await results(service) == [1, 2]

    play(scenario)


def test_while_the_store_says_no_nothing_is_acknowledged_and_little_is_taken(
    play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt_pump, "RETRY_S", (0.05, 0.2))

    async def scenario(service: Service) -> None:
        with brokers.running(tmp_path) as broker:
            bridge = bridge_to(broker, in_flight=20)
            async with Listening(service, bridge) as pump:
                await asyncio.to_thread(broker.publish, "sensors/a/air", [air(0)])
                await until(lambda: pump.stored == 1)
                writer, service._writer = service._writer, None  # the store is closed: 503
                await asyncio.to_thread(broker.publish, "sensors/a/air", [air(n) for n in range(1, 1500)])
                await asyncio.sleep(0.5)
                assert pump.stored == 1
                assert pump._waiting.qsize() <= 40
                service._writer = writer
                await until(lambda: pump.stored == 1500, 30)
            assert await results(service) == list(range(1500))

    play(scenario)


def test_a_restart_of_the_broker_is_survived(play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt_session, "BACK_OFF_S", (0.1, 0.5))

    async def scenario(service: Service) -> None:
        with brokers.running(tmp_path) as broker:
            async with Listening(service, bridge_to(broker)) as pump:
                await asyncio.to_thread(broker.publish, "sensors/a/air", [air(n) for n in range(10)])
                await until(lambda: pump.stored == 10)
                await asyncio.to_thread(broker.stop)
                await until(lambda: not pump.session.connected)
                await asyncio.sleep(0.3)
                await asyncio.to_thread(broker.start)
                await until(lambda: pump.session.connected)
                await asyncio.to_thread(broker.publish, "sensors/a/air", [air(n) for n in range(10, 20)])
                await until(lambda: pump.stored >= 20)
            assert await results(service) == list(range(20))

    play(scenario)


def test_observations_go_to_the_datastream_that_is_named(play: Play, tmp_path: Path) -> None:
    async def scenario(service: Service) -> None:
        await service.call(ADMIN, "POST", "/Things", json.dumps(make.station()).encode())
        (stream,) = await rows(service, "/Datastreams?$select=id")
        rule = {"filter": "o/v1.1/+/Observations", "format": "sensorthings", "datastreams": {"7": stream["@iot.id"]}}
        with brokers.running(tmp_path) as broker:
            async with Listening(service, bridge_to(broker, topics=[rule])) as pump:
                lines = [f'{{"phenomenonTime":"2024-01-01T00:00:0{n}Z","result":{n}}}' for n in range(5)]
                await asyncio.to_thread(broker.publish, "o/v1.1/Datastreams(7)/Observations", [*lines, lines[0]])
                await asyncio.to_thread(broker.publish, "o/v1.1/Datastreams(8)/Observations", lines[:1])
                await until(lambda: pump.stored == 6 and pump.refused == 1)
        assert await results(service) == [0, 1, 2, 3, 4]

    play(scenario)


class Book:
    """A register that lets this process run, and keeps what is written."""

    def __init__(self) -> None:
        self.results: list[RunResult] = []

    async def failures(self, name: str) -> int:
        return 0

    async def may_run(self, name: str, lasts_s: float) -> bool:
        return True

    async def record(self, result: RunResult, failures: int, next_in_s: float) -> None:
        self.results.append(result)


def test_state_and_counts_are_written_down(play: Play, tmp_path: Path) -> None:
    async def scenario(service: Service) -> None:
        with brokers.running(tmp_path) as broker:
            book = Book()
            (tmp_path / "wrong").write_text("wrong")
            heard = [
                bridge_to(broker),
                bridges({"shut": {"host": "127.0.0.1", "port": 1, "topics": [AIR]}})[0],
                bridges({"inner": {"host": "10.0.0.1", "topics": [AIR]}})[0],
            ]
            work = mqtt_pump.run_bridges(heard, Entities(service, 100), Policy(), book, report_every_s=0.5)
            task = asyncio.create_task(work)
            await until(lambda: book.results and "town" not in book.results[-1].error)
            await asyncio.to_thread(broker.publish, "sensors/a/air", [air(1), "nonsense"])
            await until(lambda: sum(result.count for result in book.results) == 1)
            await until(lambda: sum(result.refused for result in book.results) == 1)
            task.cancel()
            await asyncio.wait([task])
            told = " ".join(result.error for result in book.results)
            assert {result.outcome for result in book.results} == {"partial"}
            assert "shut: Nothing answers at 127.0.0.1:1." in told
            assert "inner: The host name leads to an address that is not public." in told
            assert PASSWORD not in told

    play(scenario)


def test_a_wrong_password_is_told_and_one_that_cannot_be_read_is_looked_for_again(
    play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt_session, "BACK_OFF_S", (0.1, 0.5))

    async def scenario(service: Service) -> None:
        with brokers.running(tmp_path) as broker:
            (tmp_path / "wrong").write_text("wrong")
            pump = Pump(bridge_to(broker, password_file=str(tmp_path / "wrong")), Entities(service, 100), Policy())
            task = asyncio.create_task(pump.run())
            await until(lambda: "refused by the broker" in pump.session.state)
            (tmp_path / "wrong").unlink()
            await until(lambda: pump.session.fault is not None and pump.session.fault.error_code == "configuration")
            assert pump.session.fault is not None
            assert pump.session.fault.place == "connectors.mqtt_bridge.town.password_file"
            (tmp_path / "wrong").write_text(PASSWORD)
            await until(lambda: pump.session.connected)
            task.cancel()
            await asyncio.wait([task])

    play(scenario)
