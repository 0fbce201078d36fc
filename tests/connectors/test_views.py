"""The webhooks: a token, a body that can be read, an answer after the commit."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from asgiref.sync import sync_to_async
from django.http import HttpResponse
from django.test import AsyncClient

from lakou.connectors import inbound
from lakou.connectors.models import ConnectorState
from lakou.connectors.register import CivicRegister
from lakou.identity import actions, authority
from tests.connectors.conftest import Scenario, rows

if TYPE_CHECKING:
    from lakou.sensorthings.service import Service

Play = Callable[[Scenario], None]
Sample = Callable[[str], bytes]
Post = Callable[..., Awaitable[HttpResponse]]

CHIRPSTACK = "/api/connectors/lorawan/chirpstack?event=up"
TTS = "/api/connectors/lorawan/tts"


@pytest.fixture
def token(civic: Path) -> Iterator[str]:
    """The text of a device token that the process's authority knows."""
    made = actions.create_token(name="chirpstack", role="device")
    tokens = authority.TokenAuthority()
    tokens.refresh()
    authority.install(tokens)
    yield made.text
    inbound.uninstall()


async def post(target: str, body: bytes, token: str | None, kind: str = "application/json") -> Any:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return await AsyncClient().post(target, data=body, content_type=kind, headers=headers)


def test_an_uplink_is_stored_before_the_answer(play: Play, token: str, shipped: Sample) -> None:
    async def scenario(service: Service) -> None:
        inbound.install(service, {})
        answer = await post(CHIRPSTACK, shipped("chirpstack_up.json"), token)
        assert answer.status_code == 200
        assert json.loads(answer.content)["observations"] == 5
        assert len(await rows(service, "/Observations")) == 5
        answer = await post(TTS, shipped("tts_uplink.json"), token)
        assert answer.status_code == 200
        assert json.loads(answer.content)["things"] == ["lorawan:70b3d5e75e000002"]
        assert (await post(TTS, shipped("tts_uplink.json"), token)).status_code == 200
        assert len(await rows(service, "/Observations")) == 11

    play(scenario)


def test_other_events_are_accepted_and_ignored(play: Play, token: str) -> None:
    async def scenario(service: Service) -> None:
        inbound.install(service, {})
        body = b'{"deviceInfo": {"devEui": "70b3d5e75e000001"}, "time": "2026-11-20T12:00:00Z"}'
        for event in ("join", "status", "ack", "txack", "log", "location", "integration"):
            answer = await post(f"/api/connectors/lorawan/chirpstack?event={event}", body, token)
            assert answer.status_code == 204
        assert (await post(TTS, b'{"end_device_ids": {"device_id": "a"}, "join_accept": {}}', token)).status_code == 204
        assert await rows(service, "/Things") == []

    play(scenario)


@pytest.mark.parametrize("wrong", [None, "lk_1_" + "x" * 43, "nonsense"])
def test_without_a_known_token_nothing_is_read(play: Play, token: str, shipped: Sample, wrong: str | None) -> None:
    async def scenario(service: Service) -> None:
        inbound.install(service, {})
        answer = await post(CHIRPSTACK, shipped("chirpstack_up.json"), wrong)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert await rows(service, "/Things") == []

    play(scenario)


@pytest.mark.parametrize(
    ("target", "body", "kind", "status", "place"),
    [
        (CHIRPSTACK, b'{"time": }', "application/json", 400, "byte 9"),
        (CHIRPSTACK, b"[]", "application/json", 400, ""),
        (CHIRPSTACK, b"\xff", "application/json", 400, "byte 0"),
        (
            TTS,
            b'{"end_device_ids": {"device_id": "a"}, "uplink_message": 1}',
            "application/json",
            400,
            "/uplink_message",
        ),
        ("/api/connectors/lorawan/chirpstack", b"{}", "application/json", 400, "event"),
        ("/api/connectors/lorawan/chirpstack?event=other", b"{}", "application/json", 400, "event"),
        (CHIRPSTACK, b"\x0a", "application/octet-stream", 415, "Content-Type"),
        (TTS, b" " * (256 * 1024 + 1), "application/json", 413, None),
    ],
)
def test_a_bad_request_is_told_with_its_place(
    play: Play, token: str, target: str, body: bytes, kind: str, status: int, place: str | None
) -> None:
    async def scenario(service: Service) -> None:
        inbound.install(service, {})
        answer = await post(target, body, token, kind)
        told = json.loads(answer.content)
        assert (answer.status_code, told["status"], told.get("place")) == (status, status, place)

    play(scenario)


def test_too_many_unknown_devices_are_told_with_a_code(play: Play, token: str, shipped: Sample) -> None:
    async def scenario(service: Service) -> None:
        inbound.install(service, {"lorawan": {"max_unclaimed": 0}})
        answer = await post(CHIRPSTACK, shipped("chirpstack_up.json"), token)
        assert answer.status_code == 429
        assert json.loads(answer.content)["code"] == "unclaimed_limit"
        assert int(answer.headers["Retry-After"]) > 0

    play(scenario)


def test_before_the_service_has_started_a_message_is_told_to_come_again(
    play: Play, token: str, shipped: Sample
) -> None:
    async def scenario(service: Service) -> None:
        answer = await post(CHIRPSTACK, shipped("chirpstack_up.json"), token)
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "1"

    play(scenario)


def test_a_store_that_cannot_take_it_is_passed_through(play: Play, token: str, shipped: Sample) -> None:
    async def scenario(service: Service) -> None:
        inbound.install(service, {})
        await service.stop()
        answer = await post(CHIRPSTACK, shipped("chirpstack_up.json"), token)
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "1"

    play(scenario)


def test_a_page_visit_is_refused(play: Play, token: str) -> None:
    async def scenario(service: Service) -> None:
        assert (await AsyncClient().get(TTS)).status_code == 405

    play(scenario)


def test_the_register_of_runs_works_from_the_event_loop(play: Play, token: str) -> None:
    async def scenario(service: Service) -> None:
        await sync_to_async(ConnectorState.objects.all().delete)()
        register = CivicRegister()
        assert await register.may_run("usgs_earthquakes", 60)
        assert not await register.may_run("usgs_earthquakes", 60, scheduled=False)
        assert await register.failures("usgs_earthquakes") == 0

    play(scenario)
