"""Other services by URL, measured with the same loader on the same work, and Lakou beside them in the same rounds.

Only what any SensorThings 1.1 service understands: entities by deep insert, single POSTs, data arrays, reads. Ids are
taken from the answers and may be texts. Each service begins with what it holds already; the measurement adds Things
of its own and leaves them there.
"""

from __future__ import annotations

import base64
import http.client
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from bench import entities, loader
from bench.dataset import DAY_ROWS, END_US, MINUTE_US
from bench.loading import LoadError, Outcome, run_loader, succeeded
from bench.promises import Measured
from bench.reading import LATEST_TARGET
from bench.server import Server, get
from bench.session import (
    ARRAY_CONNECTIONS,
    ARRAY_ROWS,
    CONNECTIONS,
    LARGE_ARRAY_CONNECTIONS,
    LARGE_ARRAY_ROWS,
    Load,
    Settings,
    median,
    rate,
    strained,
)
from bench.traffic import Arrays, Gets, Id, Posts, Traffic, Wire, in_path, second

WINDOW_STREAMS = 50
_ENTITY = re.compile(r"([A-Z]\w+\([^/]+\))$")


class Peer(NamedTuple):
    """A service and how it is reached."""

    name: str
    address: str
    port: int
    wire: Wire


class Made(NamedTuple):
    """What was made at a peer: paths of Things and ids of Datastreams; days of minutes in the first of them."""

    things: list[str]
    streams: list[Id]
    windows: list[Id]


def peer(text: str, environment: Mapping[str, str]) -> Peer:
    """`NAME=URL`; the variable BENCH_PEER_NAME_AUTH may hold a token or user:password. Raises ValueError."""
    name, _, url = text.partition("=")
    parts = urlsplit(url)
    if not re.fullmatch(r"\w+", name) or parts.scheme != "http" or parts.hostname is None:
        raise ValueError(f"{text}: NAME=http://host:port/path is expected; name of letters, digits and _")
    given = environment.get(f"BENCH_PEER_{name.upper()}_AUTH")
    authorization = None
    if given:
        basic = base64.b64encode(given.encode()).decode()
        authorization = f"Basic {basic}" if ":" in given else f"Bearer {given}"
    host = parts.netloc.rpartition("@")[2]
    return Peer(name, parts.hostname, parts.port or 80, Wire(host, parts.path.rstrip("/"), authorization))


def itself(server: Server) -> Peer:
    """Lakou, as any other service."""
    return Peer("Lakou", "127.0.0.1", server.port, server.wire)


class Comparison:
    """The same work at several services; `found` and `left_out` fill as it goes."""

    def __init__(self, peers: list[Peer], settings: Settings, start_s: int, say: Callable[[str], None]) -> None:
        self._peers = peers
        self._settings = settings
        self._clock = start_s
        self._say = say
        self._made: dict[str, Made] = {}
        self.found: list[Measured] = []
        self.left_out: list[str] = []

    def run(self) -> None:
        """Make, write, read."""
        for one in self._peers:
            self._say(f"{one.name}: making {self._settings.things} Things")
            try:
                self._made[one.name] = _make(one, self._settings)
            except LoadError as error:
                self.left_out.append(f"{one.name}: {error}")
        self._each("single POST", lambda made: Posts(made.streams, self._later()), CONNECTIONS, self._singles)
        for key, rows, connections in (
            ("array_rate", ARRAY_ROWS, ARRAY_CONNECTIONS),
            ("array_large_rate", LARGE_ARRAY_ROWS, LARGE_ARRAY_CONNECTIONS),
        ):
            self._each(
                f"data array of {rows:,}",
                lambda made, rows=rows: Arrays(made.streams, self._later(), rows),  # type: ignore[misc]
                connections,
                lambda name, done, key=key, rows=rows: self._note(key, name, median(done, rate) * rows, strained(done)),  # type: ignore[misc]
            )
        for key, targets in (
            ("window_p50", _windows),
            ("latest_p50", lambda made: [LATEST_TARGET]),
            ("thing_p50", lambda made: [f"{thing}?$expand=Datastreams" for thing in made.things]),
        ):
            self._each(
                key,
                lambda made, targets=targets: Gets(targets(made)),  # type: ignore[misc]
                1,
                lambda name, done, key=key: self._note(key, name, median(done, lambda one: one.outcome.p50_ms)),  # type: ignore[misc]
            )

    def _singles(self, name: str, done: list[Load]) -> None:
        self._note("single_rate", name, median(done, rate), strained(done))
        self._note("single_p50", name, median(done, lambda one: one.outcome.p50_ms))
        self._note("single_p99", name, median(done, lambda one: one.outcome.p99_ms))

    def _each(
        self,
        what: str,
        traffic: Callable[[Made], Traffic],
        connections: int,
        tell: Callable[[str, list[Load]], None],
    ) -> None:
        """Rounds that go from service to service; one that fails is left out of the rest of this work."""
        done: dict[str, list[Load]] = {name: [] for name in self._made}
        self._say(f"peers: {what}")
        for _ in range(self._settings.rounds):
            for one in self._peers:
                if one.name not in done:
                    continue
                try:
                    done[one.name].append(self._load(one, traffic(self._made[one.name]), connections))
                except LoadError as error:
                    del done[one.name]
                    self.left_out.append(f"{one.name}, {what}: {error}")
        for name, loads in done.items():
            tell(name, loads)

    def _load(self, one: Peer, traffic: Traffic, connections: int) -> Load:
        chosen = self._settings
        job = loader.Job(one.address, one.port, one.wire, traffic, connections, chosen.seconds, chosen.warm_s)
        return Load(succeeded(run_loader("bench.loader", job, Outcome, chosen.seconds + chosen.warm_s)), 0.0)

    def _later(self) -> int:
        self._clock += 86_400
        return self._clock

    def _note(self, key: str, name: str, value: float, note: str = "") -> None:
        self.found.append(Measured(key, name, value, note))


def _windows(made: Made) -> list[str]:
    begin, end = second(END_US // 1_000_000 - DAY_ROWS * 60), second(END_US // 1_000_000)
    condition = f"phenomenonTime%20ge%20{begin}Z%20and%20phenomenonTime%20lt%20{end}Z"
    return [f"Datastreams({in_path(id_)})/Observations?$filter={condition}&$top={DAY_ROWS}" for id_ in made.windows]


def _make(one: Peer, settings: Settings) -> Made:
    """Things by deep insert, then a day of minutes in some of their Datastreams. Raises LoadError."""
    connection = http.client.HTTPConnection(one.address, one.port, timeout=120)
    try:
        things: list[str] = []
        streams: list[Id] = []
        for number in range(settings.things):
            location, _ = _post(connection, one, "Things", entities.thing(number, settings.datastreams_each))
            found = _ENTITY.search(location.rstrip("/"))
            if found is None:
                raise LoadError(f"POST Things gave no Location but '{location[:100]}'")
            things.append(found[1])
            page = get(connection, one.wire, f"{found[1]}/Datastreams?$top={settings.datastreams_each}")
            streams += [stream["@iot.id"] for stream in page["value"]]
        if len(streams) != settings.things * settings.datastreams_each:
            raise LoadError(f"{len(streams)} Datastreams were made of {settings.things * settings.datastreams_each}")
        windows = streams[:WINDOW_STREAMS]
        for id_ in windows:
            _day(connection, one, id_)
        page = get(connection, one.wire, _windows(Made(things, streams, windows))[0])
        if len(page["value"]) != DAY_ROWS:
            raise LoadError(f"A window of {DAY_ROWS} rows gave {len(page['value'])}")
        return Made(things, streams, windows)
    except (OSError, http.client.HTTPException, KeyError, TypeError) as error:
        raise LoadError(f"{type(error).__name__}: {error}") from error
    finally:
        connection.close()


def _day(connection: http.client.HTTPConnection, one: Peer, id_: Id) -> None:
    """A day of minutes up to the common end, by data array, or one by one at a service that knows none."""
    times = [f"{second(END_US // 1_000_000 - (DAY_ROWS - n) * MINUTE_US // 1_000_000)}Z" for n in range(DAY_ROWS)]
    rows = [[time, n % 1000 / 10] for n, time in enumerate(times)]
    group: dict[str, Any] = {
        "Datastream": {"@iot.id": id_},
        "components": ["phenomenonTime", "result"],
        "dataArray@iot.count": len(rows),
        "dataArray": rows,
    }
    try:
        _, answer = _post(connection, one, "CreateObservations", json.dumps([group]).encode())
    except LoadError:
        for time, value in rows:
            body = json.dumps({"phenomenonTime": time, "result": value}).encode()
            _post(connection, one, f"Datastreams({in_path(id_)})/Observations", body)
        return
    if b'"error' in answer:
        raise LoadError(f"CreateObservations refused rows: {answer[:200].decode(errors='replace')}")


def _post(connection: http.client.HTTPConnection, one: Peer, target: str, body: bytes) -> tuple[str, bytes]:
    """Location and body of a 201."""
    headers = {"content-type": "application/json"}
    if one.wire.authorization is not None:
        headers["authorization"] = one.wire.authorization
    connection.request("POST", f"{one.wire.root}/{target}", body, headers)
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != 201:
        raise LoadError(f"POST {target}: {answer.status} {text[:300].decode(errors='replace')}")
    return answer.getheader("location") or "", text
