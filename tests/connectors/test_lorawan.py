"""LoRaWAN: both servers' messages, zeros that proto3 leaves out, and what is not a measurement."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from lakou.connectors import lorawan
from lakou.connectors.reading import OM_MEASUREMENT, OM_TEXT, OM_TRUTH, Reading
from lakou.kernel.errors import BadRequest
from lakou.kernel.time import parse_instant

Sample = Callable[[str], bytes]


def chirpstack(**changes: Any) -> bytes:
    message = {
        "time": "2026-11-20T12:00:00Z",
        "deviceInfo": {"deviceName": "Sonde", "devEui": "70B3D5E75E000001"},
        "object": {"level": 1},
        "rxInfo": [{"gatewayId": "a"}],
    }
    return json.dumps({**message, **changes}).encode()


def tts(**changes: Any) -> bytes:
    uplink = {"received_at": "2026-11-20T12:00:00Z", "decoded_payload": {"level": 1}, **changes}
    ids = {"device_id": "sonde", "application_ids": {"application_id": "eau"}, "dev_eui": "70B3D5E75E000001"}
    return json.dumps({"end_device_ids": ids, "uplink_message": uplink}).encode()


def results(reading: Reading) -> dict[str, Any]:
    return {observation.datastream.split(":", 2)[2]: observation.result for observation in reading.observations}


def test_chirpstack_zeros_left_out_by_proto3_are_zeros() -> None:
    reading = lorawan.read_chirpstack(chirpstack(), "up")
    assert results(reading) == {"decoded:level": 1, "signal:rssi": 0, "signal:snr": 0}
    assert reading.observations[0].parameters == {"fCnt": 0, "gateways": 1}


def test_chirpstack_without_any_gateway_says_nothing_of_the_signal() -> None:
    reading = lorawan.read_chirpstack(chirpstack(rxInfo=[]), "up")
    assert results(reading) == {"decoded:level": 1}


def test_chirpstack_shipped_sample(shipped: Sample) -> None:
    reading = lorawan.read(shipped("chirpstack_up.json"))
    assert results(reading) == {
        "decoded:level_cm": 44.3,
        "decoded:battery_pct": 98,
        "decoded:tilted": False,
        "signal:rssi": 0,
        "signal:snr": 8.5,
    }
    kinds = {stream.key.split(":", 2)[2]: stream.observation_type for stream in reading.things[0].datastreams}
    assert kinds["decoded:level_cm"] == OM_MEASUREMENT
    assert kinds["decoded:tilted"] == OM_TRUTH
    assert reading.observations[0].phenomenon_time == parse_instant("2026-11-20T12:00:00.123456Z")
    assert not reading.things[0].claimed


def test_payload_without_decoder_is_kept_as_text(recorded: Sample) -> None:
    reading = lorawan.read_chirpstack(recorded("chirpstack_v4/up.json"), "up")
    assert results(reading) == {"raw:payload": "qg==", "signal:rssi": -36, "signal:snr": 10.5}
    assert reading.things[0].key == "lorawan:0101010101010101"
    assert reading.things[0].datastreams[0].observation_type == OM_TEXT
    assert reading.observations[0].parameters == {"fCnt": 0, "gateways": 1, "fPort": 1}


@pytest.mark.parametrize("event", ["ack", "integration", "join", "location", "log", "status", "txack"])
def test_chirpstack_other_events_carry_no_measurement(recorded: Sample, event: str) -> None:
    data = recorded(f"chirpstack_v4/{event}.json")
    assert lorawan.read_chirpstack(data, event).observations == ()
    assert lorawan.read(data).observations == ()


def test_tts_recorded_uplink(recorded: Sample) -> None:
    reading = lorawan.read(recorded("tts_v3/uplink_message_example.json"))
    assert reading.things[0].key == "lorawan:0004a30b001c0530"
    assert results(reading) == {
        "decoded:temperature": 1.0,
        "decoded:luminosity": 0.64,
        "signal:rssi": -35,
        "signal:snr": 5,
    }
    assert reading.observations[0].phenomenon_time == parse_instant("2020-02-12T15:15:45.789585Z")
    assert reading.things[0].location is not None


@pytest.mark.parametrize(
    "name", ["downlink_event_message_example", "downlink_failed_event_message_example", "join_message_example"]
)
def test_tts_other_messages_carry_no_measurement(recorded: Sample, name: str) -> None:
    assert lorawan.read_tts(recorded(f"tts_v3/{name}.json")).observations == ()


def test_tts_normalized_payload_has_units_and_decoded_fields_are_kept(shipped: Sample) -> None:
    reading = lorawan.read_tts(shipped("tts_uplink.json"))
    symbols = {stream.key.split(":", 2)[2]: stream.unit.symbol for stream in reading.things[0].datastreams}
    assert symbols["normalized:air.temperature"] == "°C"
    assert symbols["normalized:air.relativeHumidity"] == "%"
    assert symbols["decoded:temp"] is None
    assert results(reading)["decoded:flags.low_battery"] is False
    shared = {stream.observed_property.key: stream.observed_property.shared for stream in reading.things[0].datastreams}
    assert shared["lorawan:normalized:air.temperature"]
    assert not shared["lorawan:70b3d5e75e000002:decoded:temp"]


def test_tts_normalized_measurement_keeps_its_own_time() -> None:
    past = {"time": "2026-11-20T10:00:00Z", "air": {"temperature": 26.5}}
    reading = lorawan.read_tts(tts(normalized_payload=[past], decoded_payload=None))
    assert reading.observations[0].phenomenon_time == parse_instant("2026-11-20T10:00:00Z")
    assert reading.observations[0].result_time == parse_instant("2026-11-20T12:00:00Z")


def test_tts_simulated_uplink_is_not_a_measurement() -> None:
    message = json.loads(tts())
    reading = lorawan.read_tts(json.dumps({**message, "simulated": True}).encode())
    assert reading.observations == ()
    assert "simulated" in reading.notes[0]


def test_tts_device_without_eui_is_known_by_application_and_device() -> None:
    message = json.loads(tts())
    del message["end_device_ids"]["dev_eui"]
    assert lorawan.read_tts(json.dumps(message).encode()).things[0].key == "lorawan:tts.eau.sonde"


def test_null_fields_are_gaps_and_lists_are_one_value() -> None:
    reading = lorawan.read_chirpstack(chirpstack(object={"a": None, "b": [1, 2], "c": {"d": "x"}}), "up")
    assert {name: value for name, value in results(reading).items() if name.startswith("decoded")} == {
        "decoded:b": [1, 2],
        "decoded:c.d": "x",
    }


def test_a_decoder_cannot_make_datastreams_without_end() -> None:
    reading = lorawan.read_chirpstack(chirpstack(object={f"f{i}": i for i in range(500)}), "up")
    decoded = [stream for stream in reading.things[0].datastreams if ":decoded:" in stream.key]
    assert len(decoded) == lorawan.MAX_FIELDS
    assert "left out" in reading.notes[0]


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b"{", None),
        (b"[]", ""),
        (chirpstack(time="yesterday"), "/time"),
        (chirpstack(time=None), "/time"),
        (chirpstack(deviceInfo={"devEui": "xyz"}), "/deviceInfo/devEui"),
        (chirpstack(deviceInfo=[1]), "/deviceInfo"),
        (chirpstack(rxInfo={}), "/rxInfo"),
        (chirpstack(fCnt="one"), "/fCnt"),
        (chirpstack(fPort=-1), "/fPort"),
        (chirpstack(object=[]), "/object"),
    ],
)
def test_a_bad_chirpstack_message_is_refused_with_its_place(data: bytes, place: str | None) -> None:
    with pytest.raises(BadRequest) as refused:
        lorawan.read_chirpstack(data, "up")
    assert refused.value.place == place


@pytest.mark.parametrize("data", [tts(received_at=5), tts(f_cnt=1.5), tts(decoded_payload=3), b"{}", b'{"a": 1e999}'])
def test_a_bad_tts_message_is_refused(data: bytes) -> None:
    with pytest.raises(BadRequest):
        lorawan.read_tts(data)


def test_reading_twice_gives_the_same_values(shipped: Sample) -> None:
    data = shipped("tts_uplink.json")
    assert lorawan.read(data) == lorawan.read(data)
