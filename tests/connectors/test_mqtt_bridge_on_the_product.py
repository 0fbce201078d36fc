"""The bridge in the running product: kill -9 between receipt and commit, and what `lakou connector list` says."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from pathlib import Path

import pytest

from tests.connectors import broker as brokers
from tests.connectors.broker import USER, Broker
from tests.harness.client import Api
from tests.harness.server import Server

pytestmark = pytest.mark.slow

MESSAGES = 600
SETTINGS = """
[connectors.mqtt_bridge.town]
host = "127.0.0.1"
port = {port}
user = "{user}"
password_file = "{folder}/password"

[[connectors.mqtt_bridge.town.topics]]
filter = "sensors/+/air"
format = "json"
device = 1
time = "/time"
values = [{{ pointer = "/pm25", name = "PM2.5", unit = "µg/m³" }}]
"""


def publish_slowly(broker: Broker) -> None:
    for start in range(0, MESSAGES, 50):
        lines = [json.dumps({"time": 1_700_000_000 + n, "pm25": n}) for n in range(start, start + 50)]
        broker.publish(f"sensors/s{start % 100}/air", lines, qos=1 + start // 50 % 2)
        time.sleep(0.1)


def wait_for(api: Api, broker: Broker, count: int, publish: str = "") -> None:
    """Until so many are stored; `publish` is sent again and again until then, and stored once."""
    deadline = time.monotonic() + 60
    while api.read("Observations", count="true", top=0)["@iot.count"] < count:
        assert time.monotonic() < deadline, "they do not come"
        if publish:
            broker.publish("sensors/s0/air", [publish])
        time.sleep(0.1)


@pytest.mark.parametrize("kills", [2])
def test_a_kill_between_receipt_and_commit_loses_nothing_and_doubles_nothing(tmp_path: Path, kills: int) -> None:
    (tmp_path / "broker").mkdir()
    with brokers.running(tmp_path / "broker") as broker:
        server = Server("sqlite", tmp_path / "data")
        server.data.mkdir()
        server.config = tmp_path / "lakou.toml"
        server.config.write_text(SETTINGS.format(port=broker.port, user=USER, folder=broker.folder))
        try:
            server.start()
            # From its first subscription on the broker keeps what the bridge has not acknowledged, and not before.
            with contextlib.closing(Api(server.base, server.token)) as api:
                wait_for(api, broker, 1, publish='{"time": 1600000000, "pm25": -1}')
            sending = threading.Thread(target=publish_slowly, args=(broker,))
            sending.start()
            for number in range(kills):
                time.sleep(0.3 + 0.2 * number)
                server.kill()
                server.start()
            sending.join()
            with contextlib.closing(Api(server.base, server.token)) as api:
                wait_for(api, broker, 1 + MESSAGES)
                time.sleep(0.5)
                results = api.results("Observations", select="result", top=10_000)
            assert sorted(results) == list(range(-1, MESSAGES))
            server.stop()
        finally:
            server.stop()
