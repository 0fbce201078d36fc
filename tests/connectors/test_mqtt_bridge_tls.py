"""A real mosquitto behind TLS, with an authority made for the test: who is believed, and what is told."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from lakou.connectors import mqtt_pump
from lakou.connectors.guard import Policy
from lakou.connectors.mqtt_bridge import bridges
from lakou.connectors.mqtt_session import Session
from lakou.kernel.errors import BadRequest, LakouError
from tests.connectors.broker import PASSWORD, Broker
from tests.connectors.test_mqtt_bridge import AIR
from tests.connectors.test_mqtt_pump import Listening, Play, air, bridge_to, results, until
from tests.harness.authority import OPENSSL, Authority, Certificate
from tests.harness.server import free_port

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed: TLS to a broker was NOT tested"),
]

if TYPE_CHECKING:
    from lakou.sensorthings.service import Service


class Town(NamedTuple):
    """One broker with a listener of each kind."""

    broker: Broker
    authority: Authority
    client: Certificate
    unknown: Certificate
    """A client's certificate of an authority that the broker does not know."""
    expired: Certificate
    tls: int
    other_name: int
    expired_server: int
    asks: int
    """The port that asks for the client's certificate."""

    def settings(self, port: int, **changes: Any) -> dict[str, Any]:
        return {"port": port, "tls": True, "ca_file": str(self.authority.certificate), **changes}

    def shown(self, certificate: Certificate) -> dict[str, str]:
        return {"certificate_file": str(certificate.chain), "key_file": str(certificate.key)}


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("tls")
    authority, stranger = Authority(folder, "town"), Authority(folder, "stranger")
    server = authority.issue("broker", "IP:127.0.0.1,DNS:localhost")
    other = authority.issue("other", "DNS:broker.example.org")
    ended = authority.issue("ended", "IP:127.0.0.1", days=-1)
    broker = Broker(folder)
    ports = [free_port() for _ in range(4)]
    shown = zip(ports, (server, other, ended, server), strict=True)
    with (folder / "mosquitto.conf").open("a") as settings:
        for port, certificate in shown:
            settings.write(
                f"listener {port} 127.0.0.1\ncafile {authority.certificate}\n"
                f"certfile {certificate.chain}\nkeyfile {certificate.key}\n"
            )
        settings.write("require_certificate true\n")
    clients = (authority.issue("lakou"), stranger.issue("lakou"), authority.issue("former", days=-1))
    broker.start()
    try:
        yield Town(broker, authority, *clients, *ports)
    finally:
        broker.stop()


def fault_of(town: Town, **changes: Any) -> LakouError:
    """Why a session with these settings cannot listen."""

    async def asked() -> LakouError:
        session = Session(bridge_to(town.broker, **changes), Policy(), lambda _: None)
        session.start()
        try:
            await until(lambda: session.fault is not None or session.connected)
            assert not session.connected
            assert session.fault is not None
            assert PASSWORD not in session.state
            return session.fault
        finally:
            await session.stop()

    return asyncio.run(asked())


def test_over_tls_a_message_is_stored_before_it_is_acknowledged(
    play: Play, town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With our certificate and our password; what was not stored comes again at the next connection."""
    monkeypatch.setattr(mqtt_pump, "RETRY_S", (0.05, 0.2))
    topic = f"sensors/{tmp_path.name}/air"

    async def scenario(service: Service) -> None:
        settings = town.settings(town.asks, client_id=tmp_path.name, **town.shown(town.client))
        settings["topics"] = [AIR | {"filter": topic}]
        bridge = bridge_to(town.broker, **settings)
        async with Listening(service, bridge) as pump:
            await asyncio.to_thread(town.broker.publish, topic, [air(n) for n in range(300)])
            await until(lambda: pump.stored == 300)
            writer, service._writer = service._writer, None  # the store is closed: 503
            await asyncio.to_thread(town.broker.publish, topic, [air(n) for n in range(300, 330)])
            await asyncio.sleep(0.3)
            assert pump.stored == 300
        service._writer = writer
        async with Listening(service, bridge) as pump:
            await until(lambda: pump.stored >= 30)
        assert await results(service) == list(range(330))

    play(scenario)


def test_certificates_are_verified_and_a_refusal_says_what_to_mend(town: Town, tmp_path: Path) -> None:
    stranger = {"ca_file": str(town.unknown.chain)}
    encrypted = tmp_path / "encrypted.key"
    words = ("ec", "-in", str(town.client.key), "-aes256", "-passout", "pass:x", "-out", str(encrypted))
    subprocess.run([str(OPENSSL), *words], check=True, capture_output=True)
    nothing = tmp_path / "empty.pem"
    nothing.write_text("")
    wrong = tmp_path / "wrong"
    wrong.write_text("wrong")
    cases: list[tuple[dict[str, Any], str, str]] = [
        (town.settings(town.other_name), "broker_name", "host"),
        (town.settings(town.other_name, host="localhost"), "broker_name", "host"),
        (town.settings(town.tls, **stranger), "broker_authority", "ca_file"),
        (town.settings(town.tls, ca_file=None), "broker_authority", "ca_file"),
        (town.settings(town.expired_server), "broker_certificate", "host"),
        # Its reason may be lost when the broker closes at once; the setting to look at is the same.
        (town.settings(town.asks), "client_certificate broker_closed", "certificate_file"),
        (town.settings(town.asks, **town.shown(town.unknown)), "client_certificate broker_closed", "certificate_file"),
        (town.settings(town.asks, **town.shown(town.expired)), "client_certificate broker_closed", "certificate_file"),
        (town.settings(town.tls, password_file=str(wrong)), "broker_refused", "user"),
        (town.settings(town.broker.port), "broker_tls", "port"),
        ({"port": town.tls, "tls": False}, "broker_closed", "tls"),
        (town.settings(free_port()), "broker_unreachable", "host"),
        (town.settings(town.tls, ca_file=str(nothing)), "configuration", "ca_file"),
        (town.settings(town.tls, ca_file=str(tmp_path / "none")), "configuration", "ca_file"),
        (town.settings(town.tls, certificate_file=str(nothing)), "configuration", "certificate_file"),
        (
            town.settings(town.asks, certificate_file=str(town.client.chain), key_file=str(town.unknown.key)),
            "configuration",
            "certificate_file",
        ),
        (
            town.settings(town.asks, certificate_file=str(town.client.chain), key_file=str(encrypted)),
            "configuration",
            "key_file",
        ),
    ]
    for changes, code, setting in cases:
        fault = fault_of(town, **changes)
        assert fault.error_code in code.split(), (changes, fault.message)
        assert fault.place == f"connectors.mqtt_bridge.town.{setting}", (changes, fault.message)
        assert fault.hint
        assert str(tmp_path) not in fault.message + fault.hint


def test_a_busy_process_with_over_a_thousand_open_files_listens_too(town: Town) -> None:
    """By a name that the certificate has, at a descriptor that `select` cannot watch."""

    async def asked() -> None:
        session = Session(bridge_to(town.broker, **town.settings(town.tls, host="localhost")), Policy(), print)
        session.start()
        await until(lambda: session.connected)
        await session.stop()

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.ExitStack() as files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
        files.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        while files.enter_context(Path("/dev/null").open("rb")).fileno() < 1100:
            pass
        asyncio.run(asked())


@pytest.mark.parametrize(
    ("changes", "setting"),
    [
        ({"key_file": "key.pem", "tls": True}, "key_file"),
        ({"ca_file": "ca.pem"}, "tls"),
        ({"certificate_file": "own.pem", "tls": False}, "tls"),
    ],
)
def test_settings_that_do_not_belong_together_are_refused(changes: dict[str, Any], setting: str) -> None:
    with pytest.raises(BadRequest) as refused:
        bridges({"town": {"host": "127.0.0.1", "topics": [AIR], **changes}})
    assert refused.value.place == f"connectors.mqtt_bridge.town.{setting}"
    assert refused.value.hint
