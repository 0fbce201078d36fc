"""`lakou demo`: a small territory that lives. `lakou simulate`: the same simulator against any server."""

from __future__ import annotations

import asyncio
import contextlib
import os
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
from lakou.simulator.scenario import SCENARIOS

DEMO_DATA = Path("data/demo")
TOKEN_NAME = "demo-simulator"  # noqa: S105  a name, not a secret
TOKEN_FILE = "demo-token"  # noqa: S105
STOP_S = 10.0
err = Console(stderr=True, highlight=False)

Scenario = Annotated[str, typer.Option("--scenario", help="One of: " + ", ".join(sorted(SCENARIOS)))]
Speed = Annotated[float, typer.Option("--speed", help="How much faster than real time the territory lives")]


def demo(
    scenario: Scenario = "ordinaire",
    speed: Speed = 1.0,
    host: options.Host = None,
    port: options.Port = None,
    mqtt_port: options.MqttPort = None,
    data: options.Data = None,
    database_url: options.DatabaseUrl = None,
    workers: options.Workers = None,
    role: options.Role = None,
    config: options.ConfigFile = None,
) -> None:
    """Serve, with a simulated network of Le Lamentin that feeds it through the public API. All of it is exercise."""
    if scenario not in SCENARIOS:
        raise BadRequest(
            f"There is no scenario {scenario!r}", place="--scenario", hint="one of: " + ", ".join(sorted(SCENARIOS))
        )
    if not 0.01 <= speed <= 3600:
        raise BadRequest("The speed must be from 0.01 to 3600", place="--speed", hint="1 is real time")
    found = options.read(
        config,
        host=host,
        port=port,
        mqtt_port=mqtt_port,
        data_dir=data if data is not None else _default_data(config, database_url),
        database_url=database_url,
        workers=workers,
        role=role,
    )
    if mqtt_port is None and "LAKOU_MQTT_PORT" not in os.environ:
        found = _without_taken_port(found)
    start(found, beside=lambda: _living(found, scenario, speed))


def _without_taken_port(config: Config) -> Config:
    """A broker of this machine may have the usual port for MQTT, which nobody asked for: the rest goes on without."""
    try:
        processes.check_mqtt_port(config)
    except Unavailable:
        err.print(f"Port {config.mqtt_port} is taken: no MQTT in this demonstration. Give one: --mqtt-port 1884")
        return msgspec.structs.replace(config, mqtt_port=0)
    return config


def simulate(
    url: Annotated[str, typer.Option("--url", help="Address of a running Lakou, such as http://127.0.0.1:8000")],
    token_file: Annotated[Path, typer.Option("--token-file", help="File that holds a token with the role agent")],
    scenario: Scenario = "ordinaire",
    speed: Speed = 1.0,
    parent: Annotated[int, typer.Option(hidden=True)] = 0,
) -> None:
    """Feed a running server with the simulated network, as a client of the public API, until stopped."""
    try:
        token = token_file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequest("The token file cannot be read", place="--token-file", hint="one token in one line") from error
    asyncio.run(_simulate(url, token, scenario, speed, parent))


async def _simulate(url: str, token: str, scenario: str, speed: float, parent: int) -> None:
    from lakou.simulator import demo as simulator

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
        await simulator.run(url, token, scenario=scenario, speed=speed, stop=stop)
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


def _token_file(config: Config) -> Path:
    """The simulator's token in a file of mode 0600, made anew at each start so that no copy stays valid."""
    from lakou.identity import actions, queries

    known = queries.tokens().filter(name=TOKEN_NAME).exists()
    made = actions.renew_token(name=TOKEN_NAME) if known else actions.create_token(name=TOKEN_NAME, role="agent")
    path = config.data_dir / TOKEN_FILE
    secretfile.write_private(path, made.text + "\n")
    return path


@contextlib.contextmanager
def _living(config: Config, scenario: str, speed: float) -> Iterator[None]:
    """The simulator as a process of its own: it must not take the server's time, and it is a client like others."""
    token_file = _token_file(config)
    err.print(f"Demonstration in {config.data_dir}: exercise data only, scenario {scenario}. Ctrl-C stops it.")
    threading.Thread(target=replay.replay_samples, args=(config, token_file), name="replay", daemon=True).start()
    command = [sys.executable, "-m", "lakou", "simulate", "--url", processes.address(config)]
    command += ["--token-file", str(token_file), "--scenario", scenario, "--speed", str(speed)]
    child = subprocess.Popen([*command, "--parent", str(os.getpid())], start_new_session=True)  # noqa: S603
    try:
        yield
    finally:
        child.terminate()
        try:
            child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
