"""`lakou demo`: a territory that lives. `lakou simulate`: the same simulator against any server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from lakou.kernel.errors import BadRequest, Unavailable
from lakou.server import processes, secretfile
from lakou.server.commands import options, replay
from lakou.server.commands.serve import start
from lakou.server.config import Config
from lakou.simulator import credentials, network
from lakou.simulator import scenario as scenarios
from lakou.simulator.clock import checked_speed
from lakou.simulator.network import SEED
from lakou.simulator.settings import Settings

DEMO_DATA = Path("data/demo")
REPLAY_TOKEN = "demo-replay"  # noqa: S105  a name, not a secret
REPLAY_FILE = "demo-token"
SIMULATOR_FILE = "demo-simulator.json"
CONTROL_FILE = "demo-control.json"
STOP_S = 10.0
err = Console(stderr=True, highlight=False)

Scenario = Annotated[
    str, typer.Option("--scenario", help="One of: " + ", ".join(scenarios.names()) + "; or a file ….yaml")
]
Speed = Annotated[
    float, typer.Option("--speed", help="1 (real time) to 600: begins in the past, so that it ends in the present")
]
Sensors = Annotated[int, typer.Option("--sensors", help="How many simulated devices, 10 to 5000")]
Seed = Annotated[int, typer.Option("--seed", help="The same seed gives the same network and the same values")]
Rewrite = Annotated[
    bool,
    typer.Option("--rewrite", help="Remove what the simulated devices wrote, when a faster play begins before that"),
]


def demo(
    scenario: Scenario = "ordinaire",
    speed: Speed = 1.0,
    sensors: Sensors = network.USUAL,
    seed: Seed = SEED,
    rewrite: Rewrite = False,
    host: options.Host = None,
    port: options.Port = None,
    mqtt_port: options.MqttPort = None,
    data: options.Data = None,
    database_url: options.DatabaseUrl = None,
    workers: options.Workers = None,
    role: options.Role = None,
    config: options.ConfigFile = None,
) -> None:
    """Serve, with a simulated network of Le Lamentin that feeds it like any devices. All of it is exercise."""
    scenarios.load(scenario)
    checked_speed(speed)
    network.counts(sensors)
    found = options.read(
        config,
        host=host,
        port=port,
        mqtt_port=mqtt_port,
        data_dir=data or _default_data(config, database_url),
        database_url=database_url,
        workers=workers,
        role=role,
    )
    found = _without_taken_port(found)
    words = ["--scenario", scenario, "--speed", str(speed), "--sensors", str(sensors), "--seed", str(seed)]
    words += ["--rewrite"] if rewrite else []
    start(found, lambda: _living(found, scenario, words))


def _without_taken_port(config: Config) -> Config:
    """A demonstration goes on without MQTT when another program has its port, and says so."""
    try:
        processes.check_mqtt_port(config)
    except Unavailable as error:
        err.print(f"No MQTT: {error.message} (--mqtt-port gives another one)", markup=False)
        return msgspec.structs.replace(config, mqtt_port=0)
    return config


def simulate(
    url: Annotated[str, typer.Option("--url", help="Address of a running Lakou, such as http://127.0.0.1:8000")],
    token_file: Annotated[
        Path, typer.Option("--token-file", help='JSON: {"tokens": {GROUP or "*": {"name": …, "token": …}}}')
    ],
    scenario: Scenario = "ordinaire",
    speed: Speed = 1.0,
    sensors: Sensors = network.USUAL,
    seed: Seed = SEED,
    rewrite: Rewrite = False,
    mqtt: Annotated[str, typer.Option("--mqtt", help="HOST:PORT of its MQTT; without it, all is sent over HTTP")] = "",
    control_port: Annotated[
        int | None, typer.Option("--control-port", help="Port on loopback for the control API; 0 takes a free one")
    ] = None,
    control_file: Annotated[
        Path | None, typer.Option("--control-file", help="File that tells where the control API listens")
    ] = None,
    parent: Annotated[int, typer.Option(hidden=True)] = 0,
) -> None:
    """Feed a running server with the simulated network, as a client of its public API and MQTT, until stopped."""
    settings = Settings(
        url,
        credentials.read(token_file),
        mqtt=_address(mqtt),
        scenario=scenario,
        speed=speed,
        sensors=sensors,
        seed=seed,
        rewrite=rewrite,
        control_port=control_port,
        control_file=control_file,
    )
    asyncio.run(_simulate(settings, parent))


def _address(text: str) -> tuple[str, int] | None:
    host, _, port = text.rpartition(":")
    if not text:
        return None
    if not host or not port.isdigit():
        raise BadRequest(f"Not an address: {text}", place="--mqtt", hint="HOST:PORT, such as 127.0.0.1:1883")
    return host.strip("[]"), int(port)


async def _simulate(settings: Settings, parent: int) -> None:
    from lakou.simulator.run import run

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)

    async def watch_parent() -> None:
        while not stop.is_set():
            if os.getppid() != parent:
                stop.set()
            await asyncio.sleep(1)

    watching = asyncio.create_task(watch_parent()) if parent else None
    try:
        await run(settings, stop)
    finally:
        if watching:
            watching.cancel()


def _default_data(config: Path | None, database_url: str | None) -> Path | None:
    """The demonstration keeps its own folder, unless the environment or the settings file name one."""
    from lakou.server.config import DEFAULT_DATA, load

    return (
        DEMO_DATA
        if load({"database_url": database_url}, file=config).data_dir == Path(DEFAULT_DATA).absolute()
        else None
    )


def _token(name: str, role: str) -> str:
    """A token's text, made anew at each start so that no copy stays valid."""
    from lakou.identity import actions, queries

    known = queries.tokens().filter(name=name).exists()
    return (actions.renew_token(name=name) if known else actions.create_token(name=name, role=role)).text


def _replay_file(config: Config) -> Path:
    path = config.data_dir / REPLAY_FILE
    secretfile.write_private(path, _token(REPLAY_TOKEN, "agent") + "\n")
    return path


def _simulator_file(config: Config) -> Path:
    """One device token for each group of devices, and the control's secret, in a file of mode 0600."""
    made = credentials.Credentials(
        {group: credentials.Token(f"demo-{group}", _token(f"demo-{group}", "device")) for group in network.GROUPS},
        secrets.token_urlsafe(32),
    )
    path = config.data_dir / SIMULATOR_FILE
    secretfile.write_private(path, msgspec.json.encode(made).decode() + "\n")
    return path


@contextlib.contextmanager
def _living(config: Config, scenario: str, words: list[str]) -> Iterator[None]:
    """The simulator as a process of its own: it must not take the server's time, and it is a client like others."""
    replay_file, simulator_file = _replay_file(config), _simulator_file(config)
    err.print(f"Demonstration in {config.data_dir}: exercise data only, scenario {scenario}. Ctrl-C stops it.")
    threading.Thread(target=replay.replay_samples, args=(config, replay_file), name="replay", daemon=True).start()
    command = [sys.executable, "-m", "lakou", "simulate", "--url", processes.address(config)]
    command += ["--token-file", str(simulator_file), *words, "--control-port", "0"]
    command += ["--control-file", str(config.data_dir / CONTROL_FILE)]
    if processes.opens_mqtt(config):
        command += [
            "--mqtt",
            processes.address(config).removeprefix("http://").rpartition(":")[0] + f":{config.mqtt_port}",
        ]
    child = subprocess.Popen([*command, "--parent", str(os.getpid())], start_new_session=True)  # noqa: S603
    threading.Thread(target=_watch, args=(child,), name="watch-simulator", daemon=True).start()
    try:
        yield
    finally:
        child.terminate()
        try:
            child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _watch(child: subprocess.Popen[bytes]) -> None:
    """Say so when the simulator ends by itself: pages would only show that everything falls silent."""
    if child.wait() not in (0, -signal.SIGTERM):
        err.print("The simulation has ended; the server goes on without it.")
