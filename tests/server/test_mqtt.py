"""MQTT as the server opens it: its port, its figures, its end; and a subscriber that outlives a kill -9."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from lakou.kernel.errors import Unavailable
from lakou.sensorthings.mqtt.packets import Disconnect, Publish
from lakou.sensorthings.mqtt.reasons import Reason
from lakou.server import processes
from lakou.server.config import Config, load
from tests.conftest import DATABASES
from tests.harness import make
from tests.harness.client import Api, key
from tests.harness.mqtt import Wire
from tests.harness.postgres import POSTGRES_URL
from tests.harness.server import Server, running
from tests.server.test_cli import lakou

pytestmark = pytest.mark.slow

KEPT: dict[str, Any] = {"clean": False, "properties": {"session_expiry": 600}}


@pytest.mark.parametrize("given", ["none", "NONE", 0, "0"])
def test_the_port_may_be_none(given: object) -> None:
    found = load({"mqtt_port": given}, environ={})
    assert found.mqtt_port == 0
    assert not processes.opens_mqtt(found)


def test_a_taken_port_is_refused_with_a_hint(tmp_path: Path) -> None:
    with processes.bind("127.0.0.1", 0) as listener:
        config = Config(data_dir=tmp_path, mqtt_port=listener.getsockname()[1])
        with pytest.raises(Unavailable) as caught:
            processes.check_mqtt_port(config)
    assert caught.value.place == "LAKOU_MQTT_PORT"
    assert "--mqtt-port" in (caught.value.hint or "")


def test_pages_alone_open_no_port(tmp_path: Path) -> None:
    assert not processes.opens_mqtt(Config(data_dir=tmp_path, role="civic"))


def test_a_server_on_a_taken_mqtt_port_is_refused_at_once(server: Server, tmp_path: Path) -> None:
    done = lakou("serve", "--port", "1026", "--mqtt-port", str(server.mqtt_port), "--data", str(tmp_path))
    assert done.returncode == 4
    assert "--mqtt-port" in done.stderr


def test_the_figures_are_in_metrics(server: Server, api: Api) -> None:
    thing = api.create("Things", make.station())
    topic = f"v1.1/Datastreams({key(api.value(f'Things({key(thing)})/Datastreams')[0])})/Observations"
    headers = {"authorization": f"Bearer {server.token}"}

    def figures() -> dict[str, float]:
        page = httpx.get(f"{server.origin}/metrics", headers=headers, trust_env=False).text
        lines = [line.split() for line in page.splitlines() if line.startswith("lakou_mqtt_")]
        return {name.removeprefix("lakou_mqtt_"): float(value) for name, value in lines}

    before = figures()
    with Wire(server.mqtt_port) as wire:
        wire.connect("conformance", server.token)
        wire.subscribe(topic)
        wire.publish(topic, b"{}")
        wire.send(Publish(topic, b'{"result":1}', 1, wire.next_id()))
        assert {type(wire.read()).__name__, type(wire.read()).__name__} == {"Ack", "Publish"}
        after = figures()
    rise = {name: after[name] - before[name] for name in ("published_total", "refused_total", "sent_total")}
    assert rise == {"published_total": 1, "refused_total": 1, "sent_total": 1}
    assert after["connections"] >= 1


def test_a_device_publishes_to_what_it_owns_until_its_token_is_revoked(server: Server, api: Api) -> None:
    name = make.unique("gauge")
    device = Api(server.base, token := server.make_token(name, "device"))
    streams = []
    for owner in (device, api):
        thing = owner.create("Things", make.station())
        streams.append(key(owner.value(f"Things({key(thing)})/Datastreams")[0]))
    own, other = (f"v1.1/Datastreams({stream})/Observations" for stream in streams)
    with Wire(server.mqtt_port) as wire:
        assert wire.connect(name, token).reason == 0
        answers = [wire.publish(topic, b'{"result":1}') for topic in (own, other)]
        assert [getattr(answer, "reason", None) for answer in answers] == [0, Reason.NOT_AUTHORISED]
        where = ["--data", str(server.data), *(["--database-url", server.database_url] if server.database_url else [])]
        assert lakou("token", "revoke", name, *where).returncode == 0
        started = time.monotonic()
        last = wire.ended()
        assert isinstance(last, Disconnect)
        assert last.reason == Reason.NOT_AUTHORISED
        assert time.monotonic() - started < 2
    with Wire(server.mqtt_port) as wire:
        assert wire.connect(name, token).reason == Reason.BAD_CREDENTIALS
    device.close()


@pytest.mark.parametrize("database", DATABASES)
def test_a_subscriber_misses_nothing_by_kill_9_and_by_a_polite_end(database: str) -> None:
    with running(database, POSTGRES_URL) as server:
        api = Api(server.base, server.token)
        thing = api.create("Things", make.station())
        path = f"Datastreams({key(api.value(f'Things({key(thing)})/Datastreams')[0])})/Observations"
        found: set[int] = set()

        def observe(*numbers: int) -> None:
            with Wire(server.mqtt_port) as wire:
                wire.connect("conformance", server.token)
                for number in numbers:
                    body = {"result": number, "phenomenonTime": f"2024-01-01T00:00:{number:02}Z"}
                    assert getattr(wire.publish(f"v1.1/{path}", json.dumps(body).encode()), "reason", 1) == 0

        def hear(upto: int) -> Wire:
            wire = Wire(server.mqtt_port)
            wire.connect("conformance", server.token, "survivor", **KEPT)
            while found != set(range(upto)):
                found.update(json.loads(m.payload)["result"] for m in wire.messages(1))
            return wire

        with hear(0) as wire:
            wire.subscribe(f"v1.1/{path}")
            observe(*range(10))
            found.update(json.loads(m.payload)["result"] for m in wire.messages(4))
            server.kill()
        server.start()
        observe(*range(10, 20))
        with hear(20) as wire:
            started = time.monotonic()
            assert server.process is not None
            server.process.terminate()
            last = wire.ended()
        assert isinstance(last, Disconnect)
        assert last.reason == Reason.SHUTTING_DOWN
        assert server.process.wait(10) == 0
        assert time.monotonic() - started < 6
        server.start()
        observe(20)
        hear(21).socket.close()
        api.close()
