"""LoRaWAN uplinks pushed by a network server: ChirpStack v4 and The Things Stack v3, both in proto3 JSON.

proto3 leaves out what is zero, false or empty: an absent `fCnt` is 0, an absent `rssi` of a gateway that is listed
is 0. Absent means unknown only where a whole message (a gateway list, a decoded payload) is missing.
Every field of the decoded payload becomes a Datastream of the device; a payload without decoder is kept as text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from lakou.connectors.lorawan_normalized import NORMALIZED, SCHEMA
from lakou.connectors.reading import (
    NO_OPTIONS,
    OM_MEASUREMENT,
    OM_TEXT,
    OM_TRUTH,
    UNKNOWN_UNIT,
    Datastream,
    Json,
    Location,
    Meta,
    Observation,
    ObservedProperty,
    Options,
    Reading,
    Sensor,
    Thing,
    Unit,
    is_number,
    member,
    parse_time,
)
from lakou.kernel.errors import BadRequest
from lakou.kernel.jsontext import decode

META = Meta(
    name="lorawan",
    title="LoRaWAN uplinks (ChirpStack v4, The Things Stack v3)",
    licence="The territory's own data: the operator of the devices decides",
    period_s=None,
    region="Wherever the territory's gateways hear",
    grade="silver",
    home="https://lora-alliance.org/",
    formats=("ChirpStack v4 HTTP integration (JSON)", "The Things Stack v3 webhook (JSON)"),
    options={"max_unclaimed": "unknown devices kept before new ones are refused (default 100)"},
)

MAX_FIELDS = 48  # Datastreams of one device from its decoded payload; a decoder may make up names without end
MAX_TEXT = 4000
_EUI = re.compile(r"[0-9a-f]{16}")
_TTS_ID = re.compile(r"[a-z0-9](?:-?[a-z0-9]){1,35}")
_FIELD = re.compile(r"[^A-Za-z0-9._-]+")
_SIGNAL = {
    "rssi": ("Niveau de réception (RSSI)", "Puissance reçue par la meilleure passerelle.", Unit("dBm", "dBm", None)),
    "snr": ("Rapport signal sur bruit (SNR)", "SNR à la meilleure passerelle.", Unit("decibel", "dB", None)),
}


class _Field(NamedTuple):
    """One value of an uplink: where it came from, its dotted path, its own time where it has one."""

    source: str
    path: str
    value: Json
    time: int | None = None


class _Uplink(NamedTuple):
    """What both servers say, in one form. `payload` is base64 text; `gateway` has rssi and snr of the best one."""

    device: str
    name: str
    origin: Mapping[str, Json]
    time: int
    f_cnt: int
    f_port: int | None
    payload: str
    fields: tuple[_Field, ...]
    gateway: Mapping[str, float]
    gateways: int
    position: Location | None


def read(data: bytes, origin: str = "", options: Options = NO_OPTIONS) -> Reading:
    """The measurements in one message of either server, told apart by its form.

    Other messages of these servers (join, acknowledgement, status …) give an empty Reading. Raises BadRequest.
    """
    message = decode(data)
    if isinstance(message, dict) and "end_device_ids" in message:
        return read_tts(data)
    if isinstance(message, dict) and "deviceInfo" in message:
        # Only an uplink has a radio part: `rxInfo` is never empty in `up` and absent from other events.
        return read_chirpstack(data, "up" if "rxInfo" in message else "other")
    raise BadRequest(
        "This is no message of ChirpStack v4 or The Things Stack v3.",
        place="",
        hint="Choose JSON as the encoding of the integration.",
        code="source_form",
    )


def read_chirpstack(data: bytes, event: str) -> Reading:
    """An event of ChirpStack's HTTP integration; `event` is its query parameter. Only `up` carries measurements."""
    message = _message(data)
    if event != "up":
        return Reading(notes=(f"event {event[:40]!r} carries no measurement",))
    info = member(message, "deviceInfo", "")
    gateways = [entry for entry in _list(message, "rxInfo", "") if isinstance(entry, dict)]
    device = str(info.get("devEui", "")).lower()
    if not _EUI.fullmatch(device):
        raise BadRequest("The device has no EUI of 16 hexadecimal digits.", place="/deviceInfo/devEui")
    uplink = _Uplink(
        device=device,
        name=_text(info.get("deviceName"), device),
        origin={"server": "chirpstack", **_texts(info, "tenantName", "applicationName", "deviceProfileName")},
        time=parse_time(message.get("time"), "/time"),
        f_cnt=_count(message, "fCnt", "", 0) or 0,
        f_port=_count(message, "fPort", "", None),
        payload=_text(message.get("data"), ""),
        fields=tuple(_leaves("decoded", member(message, "object", ""))),
        gateway=_best(gateways),
        gateways=len(gateways),
        position=None,
    )
    return _reading(uplink)


def read_tts(data: bytes) -> Reading:
    """A webhook message of The Things Stack; only one with `uplink_message` carries measurements."""
    message = _message(data)
    ids = member(message, "end_device_ids", "")
    if not ids:
        raise BadRequest("This is no message of The Things Stack v3.", place="/end_device_ids", code="source_form")
    if "uplink_message" not in message:
        return Reading(notes=("this message carries no measurement",))
    if message.get("simulated") is True:
        return Reading(notes=("a simulated uplink was received and not stored: it measures nothing",))
    up = member(message, "uplink_message", "")
    gateways = [entry for entry in _list(up, "rx_metadata", "/uplink_message") if isinstance(entry, dict)]
    received = up.get("received_at") or message.get("received_at")
    uplink = _Uplink(
        device=_tts_device(ids),
        name=_text(ids.get("device_id"), str(ids.get("dev_eui", ""))),
        origin={"server": "tts", **_texts(member(ids, "application_ids", "/end_device_ids"), "application_id")},
        time=parse_time(received, "/uplink_message/received_at"),
        f_cnt=_count(up, "f_cnt", "/uplink_message", 0) or 0,
        f_port=_count(up, "f_port", "/uplink_message", None),
        payload=_text(up.get("frm_payload"), ""),
        fields=(
            *_normalized(_list(up, "normalized_payload", "/uplink_message")),
            *_leaves("decoded", member(up, "decoded_payload", "/uplink_message")),
        ),
        gateway=_best(gateways),
        gateways=len(gateways),
        position=_position(member(up, "locations", "/uplink_message")),
    )
    return _reading(uplink)


def _reading(uplink: _Uplink) -> Reading:
    """The Thing with one Datastream a field, and the Observations; never more than MAX_FIELDS fields."""
    key = f"lorawan:{uplink.device}"
    sensor = Sensor(key, uplink.name, f"Capteur LoRaWAN {uplink.device}.", META.home)
    notes: list[str] = []
    streams: dict[str, Datastream] = {}
    observations: list[Observation] = []
    parameters = {
        "fCnt": uplink.f_cnt,
        "gateways": uplink.gateways,
        **({} if uplink.f_port is None else {"fPort": uplink.f_port}),
    }
    fields = list(uplink.fields)
    if not fields and uplink.payload:
        fields = [_Field("raw", "payload", uplink.payload)]
    for field in (*fields, *(_Field("signal", name, value) for name, value in uplink.gateway.items())):
        stream = _datastream(key, uplink, field, sensor)
        if field.value is None:
            continue
        if not _is_storable(field.value):
            notes.append(f"field {field.path!r} is left out: too long or out of range")
        elif field.source != "signal" and stream.key not in streams and len(streams) >= MAX_FIELDS:
            notes.append(f"field {field.path!r} is left out: more than {MAX_FIELDS} fields")
        else:
            streams.setdefault(stream.key, stream)
            time = uplink.time if field.time is None else field.time
            observations.append(Observation(stream.key, time, field.value, uplink.time, parameters))
    if not streams:
        return Reading(notes=("the uplink carries neither payload nor radio data",))
    thing = Thing(
        key=key,
        name=uplink.name,
        description="Appareil LoRaWAN inconnu, créé à son premier message ; à rattacher à un lieu et à un service.",
        datastreams=tuple(streams.values()),
        location=uplink.position,
        properties={"device": uplink.device, **uplink.origin},
        claimed=False,
    )
    return Reading((thing,), tuple(observations), (), tuple(notes))


def _datastream(key: str, uplink: _Uplink, field: _Field, sensor: Sensor) -> Datastream:
    """The Datastream of a field. Names of a decoder belong to the device, those of a vocabulary are shared."""
    path = _FIELD.sub("_", field.path)[:80]
    unit, kind = UNKNOWN_UNIT, _observation_type(field.value)
    if field.source == "signal":
        name, words, unit = _SIGNAL[field.path]
        measured = ObservedProperty(f"lorawan:{path}", name, META.home, words)
    elif field.source == "normalized" and field.path in NORMALIZED:
        name, unit = NORMALIZED[field.path]
        measured = ObservedProperty(f"lorawan:normalized:{path}", name, f"{SCHEMA}#{path}", name)
    elif field.source == "raw":
        name = "Message brut (base64)"
        measured = ObservedProperty("lorawan:raw", name, META.home, "Contenu du message, sans décodeur.")
    else:
        name = field.path[:200]
        words = "Champ du décodeur de l'appareil ; grandeur et unité à préciser."
        measured = ObservedProperty(f"{key}:{field.source}:{path}", name, META.home, words, shared=False)
    return Datastream(
        key=f"{key}:{field.source}:{path}",
        name=name,
        description=f"{uplink.name} : {name}",
        observed_property=measured,
        sensor=sensor,
        unit=unit,
        observation_type=kind,
        properties={"field": field.path, "from": field.source},
    )


def _observation_type(value: Json) -> str:
    if isinstance(value, bool):
        return OM_TRUTH
    return OM_MEASUREMENT if is_number(value) else OM_TEXT


def _is_storable(value: Json) -> bool:
    return len(value) <= MAX_TEXT if isinstance(value, str) else not isinstance(value, list) or len(value) <= 1000


def _leaves(source: str, value: Mapping[str, Json], before: str = "", time: int | None = None) -> Iterator[_Field]:
    """Values below an object with their dotted paths; a list is one value."""
    for name, inner in value.items():
        path = f"{before}{name}"
        if isinstance(inner, dict):
            yield from _leaves(source, inner, f"{path}.", time)
        else:
            yield _Field(source, path, inner, time)


def _normalized(measurements: list[Json]) -> Iterator[_Field]:
    """Fields of `normalized_payload`; a measurement with its own `time` keeps it (a device that sends its past)."""
    for index, measurement in enumerate(measurements):
        if isinstance(measurement, dict):
            place = f"/uplink_message/normalized_payload/{index}/time"
            time = parse_time(measurement["time"], place) if measurement.get("time") else None
            rest = {name: value for name, value in measurement.items() if name != "time"}
            yield from _leaves("normalized", rest, "", time)


def _best(gateways: Sequence[Mapping[str, Json]]) -> dict[str, float]:
    """rssi and snr of the gateway that heard best; nothing when no gateway is listed."""
    heard = [
        {name: value if is_number(value := entry.get(name, 0)) else 0 for name in ("rssi", "snr")} for entry in gateways
    ]
    return max(heard, key=lambda values: (values["snr"], values["rssi"])) if heard else {}


def _position(locations: Mapping[str, Json]) -> Location | None:
    """Where the device says it is (`frm-payload`), else where it is registered (`user`)."""
    for name, words in (("frm-payload", "Position envoyée par l'appareil."), ("user", "Position du registre.")):
        found = locations.get(name)
        if isinstance(found, dict):
            longitude, latitude = found.get("longitude", 0), found.get("latitude", 0)
            if is_number(longitude) and is_number(latitude) and abs(longitude) <= 180 and abs(latitude) <= 90:
                return Location("Position", words, {"type": "Point", "coordinates": [longitude, latitude]})
    return None


def _tts_device(ids: Mapping[str, Json]) -> str:
    """The EUI, or application and device id for a device without one."""
    eui = str(ids.get("dev_eui", "")).lower()
    if _EUI.fullmatch(eui):
        return eui
    application = str(member(ids, "application_ids", "/end_device_ids").get("application_id", ""))
    device = str(ids.get("device_id", ""))
    if _TTS_ID.fullmatch(application) and _TTS_ID.fullmatch(device):
        return f"tts.{application}.{device}"
    raise BadRequest("The device has neither an EUI nor usable ids.", place="/end_device_ids")


def _message(data: bytes) -> Mapping[str, Json]:
    message = decode(data)
    if not isinstance(message, dict):
        raise BadRequest("A JSON object is expected.", place="", code="source_form")
    return message


def _list(value: Mapping[str, Json], name: str, place: str) -> list[Json]:
    found = value.get(name)
    if found is None:
        return []
    if not isinstance(found, list):
        raise BadRequest("A list is expected here.", place=f"{place}/{name}")
    return found


def _count(value: Mapping[str, Json], name: str, place: str, absent: int | None) -> int | None:
    found = value.get(name)
    if found is None:
        return absent
    if isinstance(found, bool) or not isinstance(found, int) or not 0 <= found < 2**32:
        raise BadRequest("A whole number from 0 to 4294967295 is expected here.", place=f"{place}/{name}")
    return found


def _text(value: Json, absent: str) -> str:
    return value[:MAX_TEXT] if isinstance(value, str) and value else absent


def _texts(value: Mapping[str, Json], *names: str) -> dict[str, str]:
    return {name: value[name][:200] for name in names if isinstance(value.get(name), str)}
