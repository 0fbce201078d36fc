"""Messages of outside MQTT brokers: which topics, and what their payloads mean. No input or output.

A rule belongs to a topic filter and says how a payload is read: `sensorthings` (an Observation as the standard has
it), `lorawan` (ChirpStack and The Things Stack over MQTT) or `json` (any JSON, by JSON pointers). `mqtt_session`
listens, `mqtt_pump` delivers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec

from lakou.connectors import lorawan
from lakou.connectors.reading import (
    NO_OPTIONS,
    OM_MEASUREMENT,
    OM_TEXT,
    OM_TRUTH,
    Datastream,
    Json,
    Meta,
    Observation,
    ObservedProperty,
    Options,
    Reading,
    Sensor,
    Thing,
    Unit,
    is_number,
    parse_time,
)
from lakou.kernel.errors import BadRequest
from lakou.kernel.jsontext import decode

META = Meta(
    name="mqtt_bridge",
    title="Outside MQTT brokers (MQTT 5 and 3.1.1)",
    licence="The territory's own data: the operator of the broker decides",
    period_s=None,
    region="Wherever a broker can be reached",
    grade="silver",
    home="https://mqtt.org/",
    formats=("SensorThings Observations", "JSON by pointers", "ChirpStack v4 and The Things Stack v3 over MQTT"),
    options={
        "NAME.host, NAME.port": "the broker; the port is 8883 with TLS, 1883 without",
        "NAME.tls": "true or false (default: true, except for a broker on this machine)",
        "NAME.ca_file": "certificate of the authority that signed the broker's (default: those of the system)",
        "NAME.certificate_file, NAME.key_file": "our own certificate with its chain, for a broker that asks for one",
        "NAME.user, NAME.password_file, NAME.password_env": "who we are; the password stands in a file or a variable",
        "NAME.client_id": "name of our session at the broker (default `lakou-NAME`); one session, one name",
        "NAME.protocol": '"5" (default) or "3.1.1"',
        "NAME.in_flight": "messages taken and not yet acknowledged, 1 to 1000 (default 100)",
        "NAME.topics": "rules with `filter` and `format`, see docs/how-to/bridge-a-broker.md",
    },
)

Format = Literal["sensorthings", "json", "lorawan"]
ARRIVAL = "arrival"
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")
_STREAM = re.compile(r"(?:Multi)?Datastreams\((\d{1,18})\)")
_SLUG = re.compile(r"[^A-Za-z0-9._-]+")
_SENSOR = "Appareil relié par MQTT"


class Value(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One measured value of a `json` payload: where it stands, and the Datastream that it becomes."""

    pointer: str
    name: str
    unit: str | None = None
    unit_name: str | None = None
    definition: str = "http://www.opengis.net/def/nil/OGC/0/unknown"


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the messages of a topic filter are read. `device` is the level of the topic that names it, from 0."""

    filter: str
    format: Format
    device: int | None = None
    thing: str = "{device}"
    time: str = "/time"
    time_unit: Literal["s", "ms"] = "s"
    values: tuple[Value, ...] = ()
    datastreams: dict[str, int] | None = None


class Bridge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One broker. `password` never stands in the configuration itself."""

    host: str
    topics: tuple[Rule, ...]
    port: int | None = None
    tls: bool | None = None
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None
    user: str | None = None
    password_file: str | None = None
    password_env: str | None = None
    client_id: str | None = None
    protocol: Literal["5", "3.1.1"] = "5"
    in_flight: int = 100
    enabled: bool = True
    name: str = ""

    @property
    def place(self) -> str:
        """Where it stands in `lakou.toml`."""
        return f"connectors.mqtt_bridge.{self.name}"


def uses_tls(bridge: Bridge) -> bool:
    return bridge.host not in LOOPBACK if bridge.tls is None else bridge.tls


def port_of(bridge: Bridge) -> int:
    return bridge.port or (8883 if uses_tls(bridge) else 1883)


@dataclass(frozen=True, slots=True)
class Direct:
    """An Observation that is sent as it is to one of our Datastreams."""

    target: str
    body: bytes


def bridges(options: Options) -> tuple[Bridge, ...]:
    """The brokers of `[connectors.mqtt_bridge.NAME]`. Raises BadRequest (code `configuration`) with the place."""
    return tuple(_bridge(name, table) for name, table in options.items() if name != "enabled")


def _bridge(name: str, table: Json) -> Bridge:
    if not _NAME.fullmatch(name) or not isinstance(table, Mapping):
        raise _wrong(name, "must be a table with a short name", "Write [connectors.mqtt_bridge.town].")
    if "password" in table:
        raise _wrong(f"{name}.password", "does not belong in a configuration", "Give password_file or password_env.")
    try:
        found = msgspec.convert({**table, "name": name}, Bridge)
    except msgspec.ValidationError as error:
        raise _wrong(name, f"cannot be used: {error}", "See docs/how-to/bridge-a-broker.md.") from None
    if not found.topics or not 1 <= found.in_flight <= 1000:
        raise _wrong(name, "needs topics, and in_flight from 1 to 1000", "See docs/how-to/bridge-a-broker.md.")
    if found.key_file and not found.certificate_file:
        raise _wrong(f"{name}.key_file", "needs a certificate_file", "The certificate that belongs to this key.")
    if (found.ca_file or found.certificate_file) and not uses_tls(found):
        raise _wrong(f"{name}.tls", "is off, and certificates are for TLS", "Set tls = true, or leave them out.")
    for number, rule in enumerate(found.topics):
        _check_rule(f"{name}.topics[{number}]", rule)
    return found


def _check_rule(place: str, rule: Rule) -> None:
    levels = rule.filter.split("/")
    if not rule.filter or any(
        ("#" in e and (e != "#" or e is not levels[-1])) or ("+" in e and e != "+") for e in levels
    ):
        raise _wrong(place, f"has no topic filter: {rule.filter[:80]!r}", "For example sensors/+/air or town/#.")
    if rule.format == "json" and (not rule.values or rule.device is None):
        raise _wrong(place, "needs values and device", 'device = 1, values = [{ pointer = "/pm25", name = "PM2.5" }]')
    if any(not pointer.startswith("/") for pointer in (*(v.pointer for v in rule.values),)):
        raise _wrong(place, "has a pointer that is none", 'A JSON pointer begins with "/" (RFC 6901).')
    if rule.time != ARRIVAL and not rule.time.startswith("/"):
        raise _wrong(place, "has a time that is none", f'A JSON pointer such as "/time", or "{ARRIVAL}".')


def matches(topic_filter: str, topic: str) -> bool:
    """Whether a topic falls under a filter (MQTT 5 §4.7)."""
    wanted, found = topic_filter.split("/"), topic.split("/")
    if topic.startswith("$") and wanted[0] in ("+", "#"):
        return False
    for index, level in enumerate(wanted):
        if level == "#":
            return True
        if index >= len(found) or level not in ("+", found[index]):
            return False
    return len(wanted) == len(found)


def meaning(bridge: Bridge, topic: str, payload: bytes, arrived: int) -> Reading | Direct:
    """What a message says, by the first rule that its topic falls under. Raises BadRequest for what cannot be read."""
    rule = next((rule for rule in bridge.topics if matches(rule.filter, topic)), None)
    if rule is None:
        raise BadRequest("No rule is for this topic.", place=topic[:200], code="source_form")
    match rule.format:
        case "sensorthings":
            return _direct(rule, topic, payload)
        case "lorawan":
            return lorawan.read(payload, topic)
        case "json":
            return _mapped(bridge, rule, topic, payload, arrived)


def read(data: bytes, origin: str, options: Options = NO_OPTIONS) -> Reading:
    """A recorded message, `{"topic": …, "payload": …}`, by the rules of the first bridge that knows its topic."""
    recorded = decode(data)
    if (
        not isinstance(recorded, dict)
        or not isinstance(topic := recorded.get("topic"), str)
        or "payload" not in recorded
    ):
        raise BadRequest("A recorded message has a topic and a payload.", place="", code="source_form")
    payload = msgspec.json.encode(recorded["payload"])
    for bridge in bridges(options):
        if any(matches(rule.filter, topic) for rule in bridge.topics):
            found = meaning(bridge, topic, payload, 0)
            if isinstance(found, Direct):
                raise BadRequest(
                    "An Observation for a Datastream of ours is sent to it.", place=topic, hint=found.target
                )
            return found
    raise BadRequest("No bridge of lakou.toml has a rule for this topic.", place=topic[:200], code="source_form")


def _direct(rule: Rule, topic: str, payload: bytes) -> Direct:
    body = decode(payload)
    found = next((m for level in topic.split("/") if (m := _STREAM.fullmatch(level))), None)
    if found is None:
        raise BadRequest("The topic names no Datastream.", place=topic[:200], hint="…/Datastreams(7)/Observations")
    if not isinstance(body, dict) or "phenomenonTime" not in body:
        raise BadRequest(
            "An Observation from a broker needs its phenomenonTime.",
            place="/phenomenonTime",
            hint="Without it a message that the broker sends twice would be stored twice.",
        )
    number = found.group(1)
    ours = rule.datastreams.get(number) if rule.datastreams is not None else int(number)
    if ours is None:
        raise BadRequest("This Datastream of the broker is none of ours.", place=topic[:200], hint="See `datastreams`.")
    return Direct(f"/{found.group(0).partition('(')[0]}({ours})/Observations", payload)


def _mapped(bridge: Bridge, rule: Rule, topic: str, payload: bytes, arrived: int) -> Reading:
    message = decode(payload)
    levels = topic.split("/")
    device = _SLUG.sub("-", levels[rule.device or 0] if (rule.device or 0) < len(levels) else "")[:80]
    if not device:
        raise BadRequest("The topic does not name the device.", place=topic[:200])
    time = arrived if rule.time == ARRIVAL else _time(rule, _at(message, rule.time))
    key = f"mqtt:{bridge.name}:{device}"
    sensor = Sensor(f"mqtt:{bridge.name}", _SENSOR, "Décrit par l'exploitant du serveur MQTT.", META.home)
    streams, observations = [], []
    for value in rule.values:
        result = _at(message, value.pointer)
        if result is None:
            continue
        if not (isinstance(result, bool | str) or is_number(result)):
            raise BadRequest("A value is neither a number, a text nor true or false.", place=value.pointer)
        stream = _datastream(key, value, sensor, result)
        streams.append(stream)
        observations.append(Observation(stream.key, time, result))
    if not observations:
        raise BadRequest("None of the values is in the message.", place=rule.values[0].pointer, code="source_form")
    name = rule.thing.replace("{device}", device)
    thing = Thing(key, name, f"Appareil {device}, par le serveur MQTT {bridge.name}.", tuple(streams))
    return Reading((thing,), tuple(observations))


def _datastream(key: str, value: Value, sensor: Sensor, result: Json) -> Datastream:
    slug = _SLUG.sub("-", value.name)[:80]
    kind = OM_TRUTH if isinstance(result, bool) else OM_TEXT if isinstance(result, str) else OM_MEASUREMENT
    return Datastream(
        f"{key}:{slug}",
        value.name,
        f"{value.name}, tel que l'appareil l'envoie.",
        ObservedProperty(f"mqtt:{slug}", value.name, value.definition, value.name),
        sensor,
        Unit(value.unit_name or value.unit, value.unit, None),
        kind,
    )


def _at(document: Json, pointer: str) -> Json:
    """The value at a JSON pointer (RFC 6901); None where there is none."""
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(document, dict):
            document = document.get(name)
        elif isinstance(document, list) and name.isdecimal() and int(name) < len(document):
            document = document[int(name)]
        else:
            return None
    return document


def _time(rule: Rule, value: Json) -> int:
    if is_number(value):
        micros = float(value) * (1_000_000 if rule.time_unit == "s" else 1_000)
        if not 0 <= micros < 253_402_300_800_000_000:
            raise BadRequest("The time is out of range.", place=rule.time)
        return round(micros)
    return parse_time(value, rule.time)


def _wrong(name: str, message: str, hint: str) -> BadRequest:
    place = f"connectors.mqtt_bridge.{name}"
    return BadRequest(f"{place} {message}.", place=place, hint=hint, code="configuration")
