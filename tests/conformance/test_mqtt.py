"""MQTT: create Observations by publishing, receive updates by subscribing (18-088 §14), on the running product.

Asked with clients that others wrote: mosquitto's own programs, paho (3.1.1, TCP and WebSocket) and gmqtt (5).
"""

from __future__ import annotations

import asyncio
import json
import queue
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import gmqtt
import paho.mqtt.client as paho
import pytest

from tests.conformance.requirements import FROST, PREFIX, requirement
from tests.harness import make
from tests.harness.client import ID, Api, Entity, key
from tests.harness.server import Server

CREATE = PREFIX + "create-observations-via-mqtt/observations-creation"
RECEIVE = PREFIX + "receive-updates-via-mqtt/receive-updates"
WAIT_S = 10.0
has_mosquitto = pytest.mark.skipif(
    shutil.which("mosquitto_pub") is None,
    reason="mosquitto's clients are NOT INSTALLED: apt-get install mosquitto-clients",
)


class Ear:
    """A paho client that keeps what it hears."""

    def __init__(self, server: Server, *, transport: Any = "tcp", protocol: Any = paho.MQTTv311) -> None:
        self.told: queue.Queue[tuple[str, Any]] = queue.Queue()
        self._ready: queue.Queue[list[int]] = queue.Queue()
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2, transport=transport, protocol=protocol)
        self.client.username_pw_set("conformance", server.token)
        self.client.on_message = lambda _c, _u, message: self.told.put((message.topic, json.loads(message.payload)))
        self.client.on_subscribe = lambda _c, _u, _m, codes, _p: self._ready.put([code.value for code in codes])
        self.client.on_connect = lambda *_: self._ready.put([])
        if transport == "websockets":
            self.client.ws_set_options(path="/mqtt")
        self.client.connect("127.0.0.1", server.port if transport == "websockets" else server.mqtt_port)
        self.client.loop_start()
        self._ready.get(timeout=WAIT_S)

    def hear(self, *paths: str) -> list[int]:
        """Subscribe with QoS 1; what was granted."""
        self.client.subscribe([(f"v1.1/{path}", 1) for path in paths])
        return self._ready.get(timeout=WAIT_S)

    def next(self) -> tuple[str, Any]:
        """The path and body of the next message."""
        topic, body = self.told.get(timeout=WAIT_S)
        return topic.removeprefix("v1.1/"), body

    def is_silent(self, wait_s: float = 0.4) -> bool:
        try:
            self.told.get(timeout=wait_s)
        except queue.Empty:
            return True
        return False

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@contextmanager
def _ear(server: Server, **more: Any) -> Iterator[Ear]:
    ear = Ear(server, **more)
    try:
        yield ear
    finally:
        ear.close()


@pytest.fixture
def ear(server: Server) -> Iterator[Ear]:
    with _ear(server) as made:
        yield made


@pytest.fixture
def station(api: Api) -> Entity:
    """A Thing with a Location, one Datastream and one MultiDatastream."""
    return api.create("Things", make.station(MultiDatastreams=[make.multi_datastream()]))


@pytest.fixture
def stream(api: Api, station: Entity) -> str:
    """The path of the station's Datastream."""
    return f"Datastreams({key(api.value(f'Things({key(station)})/Datastreams')[0])})"


def _settings(api: Api) -> dict[str, Any]:
    found: dict[str, Any] = api.read("")["serverSettings"]
    return found


@requirement("create-observations-via-mqtt/observations-creation", "receive-updates-via-mqtt/receive-updates")
@pytest.mark.parametrize("identifier", [CREATE, RECEIVE])
def test_mqtt_is_announced_with_its_endpoints(api: Api, server: Server, identifier: str) -> None:
    settings = _settings(api)
    assert identifier in settings["conformance"]
    found = {urlsplit(each).scheme: urlsplit(each) for each in settings[identifier]["endpoints"]}
    assert (found["mqtt"].hostname, found["mqtt"].port) == ("127.0.0.1", server.mqtt_port)
    assert (found["ws"].netloc, found["ws"].path) == (f"127.0.0.1:{server.port}", "/mqtt")
    assert {f"{FROST}MqttFilter.html", f"{FROST}MqttExpand.html"} <= set(settings["conformance"])


# ── creating Observations ──


def _mosquitto(server: Server, program: str, *words: str) -> list[str]:
    return [
        program, "-h", "127.0.0.1", "-p", str(server.mqtt_port), "-u", "conformance", "-P", server.token, *words,
    ]  # fmt: skip


@has_mosquitto
@requirement("create-observations-via-mqtt/observations-creation")
@pytest.mark.parametrize("version", ["311", "5"])
@pytest.mark.parametrize("qos", ["0", "1", "2"])
def test_a_published_observation_is_created(api: Api, server: Server, stream: str, qos: str, version: str) -> None:
    body = json.dumps(make.observation(4.5, phenomenonTime="2024-01-01T00:00:00Z"))
    words = ["-V", "mqttv" + version if version == "311" else version, "-q", qos]
    command = _mosquitto(server, "mosquitto_pub", *words, "-t", f"v1.1/{stream}/Observations", "-m", body)
    subprocess.run(command, check=True, timeout=20)
    for _ in range(50):  # QoS 0 is not acknowledged
        if api.results(f"{stream}/Observations"):
            break
        asyncio.run(asyncio.sleep(0.05))
    assert api.results(f"{stream}/Observations") == [4.5]


@requirement("create-observations-via-mqtt/observations-creation")
def test_observations_are_created_in_every_set_of_the_standard(
    api: Api, station: Entity, stream: str, ear: Ear
) -> None:
    multi = api.value(f"Things({key(station)})/MultiDatastreams")[0]
    feature = api.create("FeaturesOfInterest", make.feature())
    datastream = {"Datastream": {ID: api.read(stream)[ID]}}
    sent = {
        "Observations": make.observation(1, **datastream),
        f"{stream}/Observations": make.observation(2),
        f"MultiDatastreams({key(multi)})/Observations": make.observation([3, 4]),
        f"FeaturesOfInterest({key(feature)})/Observations": make.observation(5, **datastream),
    }
    for path, body in sent.items():
        ear.client.publish(f"v1.1/{path}", json.dumps(body), 1).wait_for_publish(WAIT_S)
    assert sorted(api.results(f"{stream}/Observations")) == [1, 2, 5]
    assert api.results(f"MultiDatastreams({key(multi)})/Observations") == [[3, 4]]
    assert api.results(f"FeaturesOfInterest({key(feature)})/Observations") == [5]


@requirement("create-observations-via-mqtt/observations-creation")
def test_an_observation_may_bring_its_feature(api: Api, stream: str, ear: Ear) -> None:
    body = make.observation(1, FeatureOfInterest=make.feature(name="inline"))
    ear.client.publish(f"v1.1/{stream}/Observations", json.dumps(body), 2).wait_for_publish(WAIT_S)
    made = api.value(f"{stream}/Observations", expand="FeatureOfInterest")[0]
    assert made["FeatureOfInterest"]["name"] == "inline"


@requirement("create-observations-via-mqtt/observations-creation")
@pytest.mark.parametrize("path", ["Things", "Locations", "Sensors", "Datastreams", "Things(1)"])
def test_nothing_but_observations_is_created(api: Api, ear: Ear, path: str) -> None:
    before = api.read("Things", count="true", top=0)["@iot.count"]
    ear.client.publish(f"v1.1/{path}", json.dumps(make.thing()), 1).wait_for_publish(WAIT_S)
    assert api.read("Things", count="true", top=0)["@iot.count"] == before


# ── receiving updates ──


@has_mosquitto
@requirement("receive-updates-via-mqtt/receive-updates")
def test_mosquitto_hears_of_a_new_observation(api: Api, server: Server, stream: str) -> None:
    words = ["-q", "1", "-C", "1", "-W", "15", "-t", f"v1.1/{stream}/Observations"]
    listener = subprocess.Popen(_mosquitto(server, "mosquitto_sub", *words), stdout=subprocess.PIPE)
    asyncio.run(asyncio.sleep(0.8))
    made = api.create(f"{stream}/Observations", make.observation(8.5))
    told, _ = listener.communicate(timeout=20)
    assert json.loads(told) == api.read(f"Observations({key(made)})")


@requirement("receive-updates-via-mqtt/receive-updates")
@pytest.mark.parametrize("set_name", ["Things", "Locations", "Sensors", "ObservedProperties", "FeaturesOfInterest"])
def test_a_set_is_told_of_new_and_changed_entities(api: Api, ear: Ear, set_name: str) -> None:
    bodies = {
        "Things": make.thing, "Locations": make.location, "Sensors": make.sensor,
        "ObservedProperties": make.observed_property, "FeaturesOfInterest": make.feature,
    }  # fmt: skip
    ear.hear(set_name)
    made = api.create(set_name, bodies[set_name]())
    path = f"{set_name}({key(made)})"
    assert ear.next() == (set_name, api.read(path))
    api.change(path, {"description": "changed"})
    assert ear.next() == (set_name, api.read(path))


@requirement("receive-updates-via-mqtt/receive-updates")
def test_sets_of_datastreams_locations_and_history_are_told(api: Api, station: Entity, ear: Ear) -> None:
    thing = f"Things({key(station)})"
    sets = ("Datastreams", "MultiDatastreams", "HistoricalLocations", f"{thing}/Datastreams", f"{thing}/Locations")
    ear.hear(*sets)
    api.create(f"{thing}/Datastreams", make.datastream())
    assert {ear.next()[0], ear.next()[0]} == {"Datastreams", f"{thing}/Datastreams"}
    api.create(f"{thing}/MultiDatastreams", make.multi_datastream())
    assert ear.next()[0] == "MultiDatastreams"
    api.create(f"{thing}/Locations", make.location())
    assert {ear.next()[0], ear.next()[0]} == {"HistoricalLocations", f"{thing}/Locations"}


@requirement("receive-updates-via-mqtt/receive-updates")
def test_an_entity_is_told_whole_when_it_changes(api: Api, station: Entity, ear: Ear) -> None:
    thing = f"Things({key(station)})"
    ear.hear(thing, f"{thing}?$select=name,properties")
    api.change(thing, {"name": "renamed"})
    told = dict((ear.next(), ear.next()))
    assert told[thing] == api.read(thing)
    assert told[f"{thing}?$select=name,properties"] == api.read(thing, select="name,properties")


@requirement("receive-updates-via-mqtt/receive-updates")
def test_a_property_is_told_only_when_it_changes(api: Api, station: Entity, ear: Ear) -> None:
    thing = f"Things({key(station)})"
    ear.hear(f"{thing}/description")
    api.change(thing, {"name": "renamed"})
    api.change(thing, {"description": "changed"})
    assert ear.next() == (f"{thing}/description", {"description": "changed"})
    api.change(thing, {"description": "changed"})
    assert ear.is_silent()


@requirement("receive-updates-via-mqtt/receive-updates")
def test_a_set_is_told_only_the_selected_properties(api: Api, stream: str, ear: Ear) -> None:
    topic = f"{stream}/Observations?$select=phenomenonTime,result"
    ear.hear(topic)
    api.create(f"{stream}/Observations", make.observation(3, phenomenonTime="2024-01-01T00:00:00Z"))
    assert ear.next() == (topic, {"phenomenonTime": "2024-01-01T00:00:00Z", "result": 3})


@requirement("receive-updates-via-mqtt/receive-updates")
def test_observations_are_told_below_each_of_their_parents(api: Api, station: Entity, stream: str, ear: Ear) -> None:
    first = api.create(f"{stream}/Observations", make.observation(0))
    feature = api.read(f"Observations({key(first)})/FeatureOfInterest")
    sets = (
        "Observations", f"{stream}/Observations", f"FeaturesOfInterest({key(feature)})/Observations",
        f"Things({key(station)})/{stream}/Observations",
    )  # fmt: skip
    assert ear.hear(*sets) == [1] * 4
    made = api.create(f"{stream}/Observations", make.observation(1))
    told = dict(ear.next() for _ in sets)
    assert told == dict.fromkeys(sets, api.read(f"Observations({key(made)})"))
    multi = api.value(f"Things({key(station)})/MultiDatastreams")[0]
    ear.client.unsubscribe("v1.1/Observations")
    ear.hear(f"MultiDatastreams({key(multi)})/Observations")
    made = api.create(f"MultiDatastreams({key(multi)})/Observations", make.observation([1, 2]))
    assert ear.next()[1] == api.read(f"Observations({key(made)})")


@requirement("receive-updates-via-mqtt/receive-updates")
def test_a_datastream_is_told_when_an_observation_widens_it(api: Api, stream: str, ear: Ear) -> None:
    ear.hear(stream, f"{stream}/phenomenonTime", f"{stream}/observedArea")
    api.create(f"{stream}/Observations", make.observation(1, phenomenonTime="2024-01-01T00:00:00Z"))
    told = dict(ear.next() for _ in range(3))
    assert told[stream] == api.read(stream)
    assert told[f"{stream}/phenomenonTime"] == {"phenomenonTime": api.read(stream)["phenomenonTime"]}
    assert told[f"{stream}/observedArea"]["observedArea"]["type"] == "Polygon"


@requirement("receive-updates-via-mqtt/receive-updates")
def test_filter_and_expand_are_understood_in_topics(api: Api, stream: str, ear: Ear) -> None:
    name = api.read(stream)["name"]
    topic = f"Observations?$filter=result gt 10 and Datastream/name eq '{name}'&$expand=Datastream($select=name)"
    ear.hear(topic)
    for result in (5, 15):
        api.create(f"{stream}/Observations", make.observation(result))
    told, body = ear.next()
    assert (told, body["result"], body["Datastream"]) == (topic, 15, {"name": name})
    assert ear.is_silent()


@requirement("receive-updates-via-mqtt/receive-updates")
@pytest.mark.parametrize("transport", ["tcp", "websockets"])
@pytest.mark.parametrize("protocol", [paho.MQTTv311, paho.MQTTv5])
def test_other_topics_are_refused(server: Server, transport: str, protocol: Any) -> None:
    with _ear(server, transport=transport, protocol=protocol) as ear:
        granted = ear.hear("#", "+", "Nothings", "Things(1)/nothing", "Things")
    assert [code >= 0x80 for code in granted] == [True, True, True, True, False]


@requirement("create-observations-via-mqtt/observations-creation", "receive-updates-via-mqtt/receive-updates")
@pytest.mark.parametrize("protocol", [paho.MQTTv311, paho.MQTTv5])
def test_all_of_it_over_websocket(api: Api, server: Server, stream: str, protocol: Any) -> None:
    with _ear(server, transport="websockets", protocol=protocol) as ear:
        ear.hear(f"{stream}/Observations")
        for qos in (0, 1, 2):
            body = make.observation(qos, phenomenonTime=f"2024-01-0{qos + 1}T00:00:00Z")
            ear.client.publish(f"v1.1/{stream}/Observations", json.dumps(body), qos).wait_for_publish(WAIT_S)
            assert ear.next()[1]["result"] == qos
    assert api.results(f"{stream}/Observations") == [0, 1, 2]


@requirement("create-observations-via-mqtt/observations-creation", "receive-updates-via-mqtt/receive-updates")
def test_gmqtt_publishes_and_hears_over_mqtt_5(api: Api, server: Server, stream: str) -> None:
    topic = f"v1.1/{stream}/Observations"

    async def run() -> list[Any]:
        told: asyncio.Queue[Any] = asyncio.Queue()
        subscribed = asyncio.Event()
        client = gmqtt.Client("gmqtt-conformance", clean_session=True)
        client.set_auth_credentials("conformance", server.token)
        client.on_message = lambda _c, _t, payload, _q, _p: told.put_nowait(json.loads(payload)) or 0
        client.on_subscribe = lambda *_: subscribed.set()
        await client.connect("127.0.0.1", server.mqtt_port, version=gmqtt.constants.MQTTv50)
        client.subscribe(topic, qos=1)
        await asyncio.wait_for(subscribed.wait(), WAIT_S)
        for qos in (0, 1, 2):
            client.publish(topic, make.observation(qos, phenomenonTime=f"2024-02-0{qos + 1}T00:00:00Z"), qos=qos)
        found = [await asyncio.wait_for(told.get(), WAIT_S) for _ in range(3)]
        await client.disconnect()
        return found

    assert sorted(body["result"] for body in asyncio.run(run())) == [0, 1, 2]
    assert api.results(f"{stream}/Observations") == [0, 1, 2]
