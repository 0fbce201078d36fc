"""The rows of MQTT over TCP and over WebSocket, and who hears of what: the same for the event stream.

A person has no credential here. What they have is tried: address and password, the key of their session; then they are
strangers, over WebSocket with the cookie that a browser would send.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lakou.sensorthings.mqtt import packets
from lakou.sensorthings.mqtt.packets import V5, V311, Connect, Publish, Unsuback, Unsubscribe, Will
from lakou.sensorthings.mqtt.reasons import Reason, connack_311
from lakou.server.endpoints import ENDPOINTS, TOKENS, Endpoint
from tests.harness import make
from tests.harness.line import Line
from tests.harness.mqtt import WebSocketWire, Wire
from tests.server.matrix.asking import marks_of, observed
from tests.server.matrix.site import DATA, PASSWORD, SIGNED_IN, Site

if TYPE_CHECKING:
    from tests.server.matrix.driving import Driven

OVER_MQTT = ("CONNECT", "PUBLISH", "SUBSCRIBE", "UNSUBSCRIBE")
TOPIC = "v1.1/"
HEAR_S, QUIET_S = 10.0, 0.2
"""How long is waited for what is told, and after all of it for what must not be."""


@dataclass(frozen=True)
class Client:
    """Somebody with one credential, or none, over one way."""

    site: Site
    column: str
    way: str
    user: str | None
    password: str | None

    def open(self, version: int = V5) -> Wire:
        """A connection before its CONNECT; over WebSocket with the cookie of a session."""
        if self.way.startswith("TCP"):
            return Wire(self.site.server.mqtt_port, version)
        column = self.column if self.column in SIGNED_IN else "administrator"
        cookie = {"Cookie": self.site.headers(column)["Cookie"]} if self.column != "anonymous" else {}
        return WebSocketWire(self.site.server.port, version, cookie)


def clients(site: Site) -> Iterator[Client]:
    """Everybody, over both ways."""
    for way in ("TCP", "WebSocket"):
        for column in ("anonymous", *SIGNED_IN):
            yield Client(site, column, way, None, None)
        for column in TOKENS:
            yield Client(site, column, way, site.names[column if column != "forged" else "admin"], site.texts[column])
        for column in ("expired", "revoked"):
            yield Client(site, "forged", f"{way}, {column} token", site.names[column], site.texts[column])
    yield Client(site, "forged", "TCP, the name of another", site.names["agent"], site.texts["admin"])


def rejected(site: Site) -> Iterator[Client]:
    """People with what they have elsewhere, as user name and password of a CONNECT."""
    for way in ("TCP", "WebSocket"):
        for column in SIGNED_IN:
            key = site.browsers[column].cookies["sessionid"]
            for password in (PASSWORD, key, f"lk_1_{key}"):
                yield Client(site, column, way, f"{column}@example.org", password)


async def drive(site: Site, driven: Driven) -> None:
    """Ask all rows of MQTT and those of HEAR and UPGRADE."""
    everybody = list(clients(site))
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(len(everybody)) as pool:
        await asyncio.gather(*(loop.run_in_executor(pool, _ask, one, driven) for one in everybody))
        await asyncio.gather(*(loop.run_in_executor(pool, _reject, one, driven) for one in rejected(site)))
    await _hear(site, driven, everybody)


def _rows(*methods: str, of: tuple[Endpoint, ...] = ENDPOINTS) -> list[Endpoint]:
    return [row for row in of if row.method in methods]


CONNECTS, WILLS = ([row for row in _rows("CONNECT") if bool(row.form) is is_will] for is_will in (False, True))


def _ask(client: Client, driven: Driven) -> None:
    """Connect, publish and subscribe with one credential."""
    if client.way == "WebSocket":
        for row in _rows("UPGRADE"):
            with client.open():
                driven.found(row, client.column, client.way, 101)
    for row in WILLS:
        if client.column not in SIGNED_IN:
            driven.found(row, client.column, client.way, _with_will(client, row, driven))
    rows = _rows("PUBLISH", "SUBSCRIBE", "UNSUBSCRIBE")
    with client.open() as wire:
        reason = wire.connect(client.user, client.password).reason
        if client.column not in SIGNED_IN:
            for row in CONNECTS:
                driven.found(row, client.column, client.way, reason)
        for row in rows:
            driven.found(row, client.column, client.way, reason or _reason(wire, client, row, driven))
    _in_old_version(client, driven)
    if reason:
        _too_early(client, driven)


def _reason(wire: Wire, client: Client, row: Endpoint, driven: Driven) -> int:
    topic = _topic(client.site, row)
    if row.method == "SUBSCRIBE":
        return int(wire.subscribe(topic).reasons[0])
    if row.method == "UNSUBSCRIBE":
        wire.send(Unsubscribe(wire.next_id(), (topic,)))
        while not isinstance(answer := wire.read(), Unsuback):
            pass  # what was published meanwhile
        return int(answer.reasons[0])
    return int(getattr(wire.publish(topic, _payload(client, row, driven)), "reason", -1))


def _topic(site: Site, row: Endpoint) -> str:
    topic = row.path
    for name, id_ in site.ids(topic).items():
        topic = topic.replace(f"{name}({{public}})", f"{name}({id_})").replace(
            f"{name}({{restricted}})", f"{name}({id_})"
        )
    return topic


def _payload(client: Client, row: Endpoint, driven: Driven) -> bytes:
    """An Observation with marks of its own, for the Datastream that the row says where the topic does not."""
    body = make.thing() if row.path == "v1.1/Things" else observed()
    if "MultiDatastreams" in row.path:
        body["result"] = [body["result"], 0]
    elif row.form or "Features" in row.path:
        body["Datastream"] = {"@iot.id": client.site.ids(row.form)["Datastreams"]}
    driven.traces.sent(row, client.column, marks_of(body))
    return json.dumps(body).encode()


def _with_will(client: Client, row: Endpoint, driven: Driven) -> int:
    """The answer to a CONNECT with a will, for a stream that is the device's alone."""
    body = observed()
    topic = f"v1.1/Datastreams({client.site.restricted.ids['Datastreams']})/Observations"
    with client.open() as wire:
        reason = wire.connect(client.user, client.password, will=Will(topic, json.dumps(body).encode(), 1)).reason
        if client.column not in ("device", "admin"):
            driven.traces.sent(_PUBLISHED, client.column, marks_of(body))
        return int(reason)


_PUBLISHED = next(row for row in _rows("PUBLISH") if row.path == "v1.1/Datastreams({restricted})/Observations")


def _in_old_version(client: Client, driven: Driven) -> None:
    """3.1.1 knows no refusal of a message: it is acknowledged, and nothing is stored (§4.3.2)."""
    (row,) = CONNECTS
    with client.open(V311) as wire:
        answer = wire.connect(client.user, client.password).reason
        wanted = row.status(client.column) if client.column not in SIGNED_IN else 0
        assert answer == (connack_311(Reason(wanted)) if wanted else 0), (client.column, client.way, answer)
        if not answer:
            for published in _rows("PUBLISH"):
                wire.publish(_topic(client.site, published), _payload(client, published, driven))


def _too_early(client: Client, driven: Driven) -> None:
    """Messages right behind a CONNECT that is refused are not taken either."""
    with client.open() as wire:
        sent = [packets.encode(Connect(V5, "", user=client.user, password=(client.password or "").encode()), V5)]
        for row in _rows("PUBLISH"):
            message = Publish(_topic(client.site, row), _payload(client, row, driven), 1, wire.next_id())
            sent.append(packets.encode(message, V5))
        with contextlib.suppress(OSError):
            wire.socket.sendall(b"".join(sent))
        wire.ended()


def _reject(client: Client, driven: Driven) -> None:
    """Nothing that a person has is a credential."""
    for row in (*CONNECTS, *WILLS):
        with client.open() as wire:
            will = Will("v1.1/Observations", b"{}") if row.form else None
            driven.found(row, client.column, client.way, wire.connect(client.user, client.password, will=will).reason)
    _too_early(client, driven)


# ── who hears of what ──


@dataclass
class News:
    """What happens while everybody listens: a mark for the subject of each row of HEAR, and one that ends it all."""

    marks: dict[str, str]
    last: str


Heard = Callable[[Endpoint], bool]


async def _hear(site: Site, driven: Driven, everybody: list[Client]) -> None:
    """Everybody listens to everything, then the device tells something of each subject."""
    rows = _rows("HEAR")
    over_mqtt = [row for row in rows if row.path.startswith(TOPIC)]
    streams = [row for row in rows if not row.path.startswith(TOPIC)]
    news = News({row.form: "" for row in rows}, "")
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(len(everybody)) as pool, contextlib.ExitStack() as stack:
        opened = await asyncio.gather(
            *(loop.run_in_executor(pool, _listen, one, sorted({_topic(site, row) for row in over_mqtt}))
              for one in everybody)
        )  # fmt: skip
        wires = [
            (one, stack.enter_context(wire), reason) for one, (wire, reason) in zip(everybody, opened, strict=True)
        ]
        lines = await asyncio.gather(
            *(_open(site, column, way, path) for column, way in _watchers(site) for path in _paths(streams))
        )
        await loop.run_in_executor(pool, _tell, site, news)
        heard = await asyncio.gather(
            *(
                loop.run_in_executor(pool, _heard, wire, over_mqtt, one, news)
                for one, wire, reason in wires
                if not reason
            )
        )
        told = await asyncio.gather(*(_read(line, streams, news) for line in lines))
    ends = {id(one): found for (one, _, _), found in zip([w for w in wires if not w[2]], heard, strict=True)}
    for one, _, reason in wires:
        for row in over_mqtt:
            driven.found(row, one.column, one.way, reason or int(_is_heard(site, row, ends[id(one)], news)))
    for line, text in zip(lines, told, strict=True):
        for row in streams:
            if row.path == line.path:
                driven.found(
                    row, line.column, line.way, int(news.marks[row.form] in text) if line.status == 200 else line.status
                )


def _tell(site: Site, news: News) -> None:
    """The device adds an Observation to each stream and renames each Thing; the last Observation is public."""
    for subject in news.marks:
        name, ids = subject.partition("(")[0], site.ids(subject)
        if name == "Datastreams":
            news.marks[subject] = _observe(site, ids["Datastreams"])
        else:
            body = {"name": make.unique("renamed")}
            site.send("device", "PATCH", f"{DATA}Things({ids['Things']})", json=body).raise_for_status()
            news.marks[subject] = body["name"]
    news.last = _observe(site, site.public.ids["Datastreams"])


def _observe(site: Site, stream: int) -> str:
    body = observed()
    site.send("device", "POST", f"{DATA}Datastreams({stream})/Observations", json=body).raise_for_status()
    return str(body["result"])


def _listen(client: Client, topics: list[str]) -> tuple[Wire, int]:
    """A connection with these subscriptions, and why there are none."""
    wire = client.open()
    reason = wire.connect(client.user, client.password).reason
    if not reason:
        wire.subscribe(*topics)
    return wire, int(reason)


def _heard(wire: Wire, rows: list[Endpoint], client: Client, news: News) -> list[tuple[str, str]]:
    """(topic, payload) of all messages until the last one, and all that must come, has come; then a little longer."""
    found: list[tuple[str, str]] = []
    due = [row for row in rows if row.status(client.column) == 1]
    end = time.monotonic() + HEAR_S
    with contextlib.suppress(TimeoutError):
        while True:
            is_over = any(news.last in text for _, text in found) and all(
                _is_heard(client.site, row, found, news) for row in due
            )
            (message,) = wire.messages(1, QUIET_S if is_over else max(0.01, end - time.monotonic()))
            found.append((message.topic, message.payload.decode()))
    return found


def _is_heard(site: Site, row: Endpoint, found: list[tuple[str, str]], news: News) -> bool:
    topic = _topic(site, row)
    return any(topic == where and news.marks[row.form] in text for where, text in found)


class Watcher(Line):
    """One client of the event stream."""

    def __init__(self, site: Site, column: str, way: str, path: str) -> None:
        super().__init__(site.server.port)
        self.column, self.way, self.path, self.status = column, way, path, 0


def _watchers(site: Site) -> Iterator[tuple[str, str]]:
    yield from ((column, "session") for column in ("anonymous", *SIGNED_IN))
    yield from ((column, "token") for column in TOKENS)


def _paths(rows: list[Endpoint]) -> list[str]:
    return list(dict.fromkeys(row.path for row in rows))


async def _open(site: Site, column: str, way: str, path: str) -> Watcher:
    line = Watcher(site, column, way, path)
    target = path.format(public=site.public.ids["Datastreams"], restricted=site.restricted.ids["Datastreams"])
    reply = await line.head("GET", target, site.headers(column))
    line.status = reply.status
    if reply.status == 200:
        while b"id:" not in await line.chunk():  # the place from which on a client is told
            pass
    return line


async def _read(line: Watcher, rows: list[Endpoint], news: News) -> str:
    """What comes until the last Observation, and a little longer."""
    text = ""
    if line.status == 200:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HEAR_S):
                while news.last not in text:
                    text += (await line.chunk()).decode()
            async with asyncio.timeout(QUIET_S):
                while True:
                    text += (await line.chunk()).decode()
    await line.close()
    return text
