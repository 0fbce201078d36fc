"""Runs the server: one socket, one process (or several on PostgreSQL), and a clean end on SIGTERM.

uvicorn with httptools and uvloop; without access log, server and date headers or proxy headers, which cost
a fifth of the durable rate (domain/data-plane.md §1).
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import resource
import signal
import socket
import time
from functools import partial
from typing import cast

import uvicorn
from uvicorn.supervisors import Multiprocess

from lakou.kernel.errors import Unavailable
from lakou.server import config as configuration
from lakou.server import lifetime
from lakou.server.config import Config
from lakou.server.crowd import Caps
from lakou.server.guard import GuardedProtocol

log = logging.getLogger(__name__)

BACKLOG = 2048
KEEP_ALIVE_S = 20
ACCEPTED_AT_ONCE = 16
# Files beside the connections: databases, logs, outgoing requests, and room for connections that end.
OTHER_FILES = 256
# A frame holds at most one read's worth of MQTT packets; a packet may be split over frames.
WEBSOCKET_BYTES = 512 * 1024


def bind(host: str, port: int, *, option: str = "port", shared: bool = False) -> socket.socket:
    """A listening socket; first of all work, so that a taken port is known at once. Raises Unavailable.

    `option` is the setting that gave the port; `shared` lets the workers of this server listen on the same one.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        given = "--" + option.replace("_", "-")
        reasons = {
            errno.EADDRINUSE: (f"Port {port} is taken by another program", f"give another one: {given} {port + 1}"),
            errno.EACCES: (f"Port {port} needs the administrator", "take a port above 1023, with a proxy in front"),
            errno.EADDRNOTAVAIL: (f"This machine has no address {host}", "127.0.0.1, or 0.0.0.0 for all"),
        }
        message, hint = reasons.get(
            error.errno or 0, (f"Cannot listen on {host}:{port}: {error.strerror}", f"give --host and {given}")
        )
        raise Unavailable(message, place=f"LAKOU_{option.upper()}", hint=hint) from error
    listener.set_inheritable(True)
    return listener


def opens_mqtt(config: Config) -> bool:
    """Whether this process listens for MQTT."""
    return bool(config.mqtt_port) and config.role != "civic"


def bind_mqtt(config: Config) -> socket.socket:
    """The socket of this process for MQTT; the workers of a server share the port."""
    return bind(config.host, config.mqtt_port, option="mqtt_port", shared=config.workers > 1)


def check_mqtt_port(config: Config) -> None:
    """Raise Unavailable when the port for MQTT is taken, before anything is started."""
    if opens_mqtt(config):
        bind(config.host, config.mqtt_port, option="mqtt_port").close()


def address(config: Config) -> str:
    """Where this machine finds the server."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(config.host, config.host)  # noqa: S104
    return f"http://{f'[{host}]' if ':' in host and not host.startswith('[') else host}:{config.port}"


def raise_open_files(connections: int) -> int:
    """Let this process open a file for each connection (RLIMIT_NOFILE); how many connections it can hold.

    Most systems start a program with 1,024 and allow it more: the soft limit goes up, never above the hard one.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        if soft < wanted:
            log.warning("Only %d files may be open: max_connections is lowered (raise LimitNOFILE or ulimit -n)", soft)
            return max(soft - OTHER_FILES, 10)
    return connections


class AnnouncingServer(uvicorn.Server):
    """Says one line once requests are answered, not before."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.should_exit:
            config = configuration.current()
            print(f"Lakou is ready: {address(config)}/poste · {address(config)}/sta/v1.1/", flush=True)


class Workers(Multiprocess):
    """Several processes, ended together: none outlives the time that an end may take, nor a second signal."""

    def join_all(self) -> None:
        ends = time.monotonic() + lifetime.TOTAL_S + 1
        while any(process.process.is_alive() for process in self.processes):
            if self.signal_queue or time.monotonic() > ends:
                for process in self.processes:
                    process.process.kill()
            time.sleep(0.05)


def run(config: Config, listener: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT. Raises Unavailable when the application did not start."""
    caps = Caps(
        raise_open_files(config.max_connections), config.max_connections_per_address, config.max_connections_on_loopback
    )
    settings = uvicorn.Config(
        "lakou.server.compose:create",
        factory=True,
        host=config.host,
        port=config.port,
        loop="uvloop",
        http=cast(type[asyncio.Protocol], partial(GuardedProtocol, caps=caps)),
        ws="websockets-sansio",
        ws_max_size=WEBSOCKET_BYTES,
        ws_per_message_deflate=False,
        lifespan="on",
        workers=config.workers,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=lifetime.REQUESTS_S,
    )
    if config.workers > 1:
        # Children start afresh: what the command line said reaches them through the environment.
        os.environ.update(configuration.environment(config))
        print(f"Lakou starts {config.workers} processes: {address(config)}", flush=True)
        Workers(settings, sockets=[listener]).run()
        return
    server = AnnouncingServer(settings)
    # uvicorn raises the signal again after its clean end; a wanted stop is no failure, so it ends here (exit code 0).
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    # The loop takes one connection from each socket a turn: one socket alone would let a crowd wait for seconds.
    server.run(sockets=[listener, *(listener.dup() for _ in range(ACCEPTED_AT_ONCE - 1))])
    if not server.started:
        raise Unavailable("The server did not start", hint="the log above says why; lakou doctor looks at the set-up")
