"""The MQTT load client speaks MQTT 3.1.1 as a broker understands it."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.loading import LoadError, Outcome, run_loader, succeeded
from bench.mqtt_loader import Job, connect, packets, publish, remaining
from tests.harness.server import free_port

BROKER = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[int]:
    if BROKER is None:
        pytest.skip("mosquitto is not installed")
    port = free_port()
    settings = tmp_path / "broker.conf"
    settings.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_inflight_messages 0\n")
    process = subprocess.Popen([BROKER, "-c", str(settings)], stderr=subprocess.DEVNULL)
    time.sleep(0.3)
    yield port
    process.terminate()
    process.wait(10)


def _job(port: int) -> Job:
    return Job(port, "gauge", "secret", [7, "a'b"], 0, connections=2, window=10, seconds=0.3, warm_s=0.1)


def test_a_broker_acknowledges_everything(broker: int) -> None:
    outcome = succeeded(run_loader("bench.mqtt_loader", _job(broker), Outcome, 1))

    assert outcome.sent == outcome.statuses[200] > 20
    assert outcome.p50_ms > 0


def test_a_closed_port_is_told() -> None:
    with pytest.raises(LoadError, match=r"refused|connect"):
        run_loader("bench.mqtt_loader", _job(free_port()), Outcome, 1)


def test_remaining_lengths_are_those_of_the_standard() -> None:
    assert [remaining(n).hex() for n in (0, 127, 128, 16_383, 16_384)] == ["00", "7f", "8001", "ff7f", "808001"]


def test_packets_are_cut_where_they_end() -> None:
    sent = connect("c", "u", "p") + publish(b"t", 258, b"x" * 200) + b"\x40\x02\x00"

    found, rest = packets(sent)

    assert [kind for kind, _ in found] == [1, 3]
    assert found[1][1] == b"\x00\x01t\x01\x02" + b"x" * 200
    assert rest == b"\x40\x02\x00"
    assert packets(rest + b"\x05") == ([(4, b"\x00\x05")], b"")
