"""MQTT: what the service announces must be there (18-088 §14). Checked with mosquitto's own clients.

A service that does not announce the two MQTT requirements is not asked for them; these tests then say so.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from urllib.parse import urlsplit

import pytest

from tests.conformance.requirements import PREFIX, requirement
from tests.harness import make
from tests.harness.client import Api, key
from tests.harness.server import Server

CREATE = PREFIX + "create-observations-via-mqtt/observations-creation"
RECEIVE = PREFIX + "receive-updates-via-mqtt/receive-updates"


def _endpoint(api: Api, identifier: str) -> tuple[str, int]:
    """Host and port that the root announces for this requirement; skips when it is not announced."""
    settings = api.read("")["serverSettings"]
    if identifier not in settings["conformance"]:
        pytest.skip("the service does not announce MQTT")
    addresses = [urlsplit(each) for each in settings[identifier]["endpoints"]]
    plain = next(each for each in addresses if each.scheme == "mqtt")
    if shutil.which("mosquitto_pub") is None:
        pytest.skip("mosquitto's clients are not installed")
    return plain.hostname or "127.0.0.1", plain.port or 1883


@requirement("create-observations-via-mqtt/observations-creation", "receive-updates-via-mqtt/receive-updates")
def test_mqtt_is_announced_only_with_endpoints(api: Api) -> None:
    settings = api.read("")["serverSettings"]
    for identifier in (CREATE, RECEIVE):
        announced = identifier in settings["conformance"]
        assert announced is bool(settings.get(identifier, {}).get("endpoints"))


@requirement("create-observations-via-mqtt/observations-creation")
def test_a_published_observation_is_created(api: Api, server: Server) -> None:
    host, port = _endpoint(api, CREATE)
    thing = api.create("Things", make.station())
    stream = api.value(f"Things({key(thing)})/Datastreams")[0]
    body = json.dumps(make.observation(4.5, phenomenonTime="2024-01-01T00:00:00Z"))
    subprocess.run(
        [
            "mosquitto_pub",
            "-h",
            host,
            "-p",
            str(port),
            "-u",
            "conformance",
            "-P",
            server.token,
            "-q",
            "1",
            "-t",
            f"v1.1/Datastreams({key(stream)})/Observations",
            "-m",
            body,
        ],
        check=True,
        timeout=20,
    )
    assert api.results(f"Datastreams({key(stream)})/Observations") == [4.5]


@requirement("receive-updates-via-mqtt/receive-updates")
def test_a_new_observation_is_told_to_subscribers(api: Api, server: Server) -> None:
    host, port = _endpoint(api, RECEIVE)
    thing = api.create("Things", make.station())
    stream = api.value(f"Things({key(thing)})/Datastreams")[0]
    path = f"Datastreams({key(stream)})/Observations"
    listener = subprocess.Popen(
        [
            "mosquitto_sub",
            "-h",
            host,
            "-p",
            str(port),
            "-u",
            "conformance",
            "-P",
            server.token,
            "-q",
            "1",
            "-C",
            "1",
            "-W",
            "15",
            "-t",
            f"v1.1/{path}",
        ],
        stdout=subprocess.PIPE,
    )
    time.sleep(1.0)
    made = api.create(path, make.observation(8.5))
    told, _ = listener.communicate(timeout=20)
    assert json.loads(told)["@iot.id"] == made["@iot.id"]
