"""`lakou demo` on a machine where something else already listens."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

from lakou.server.commands import demo
from lakou.server.config import Config


def test_a_demonstration_goes_on_without_mqtt_when_the_usual_port_is_taken(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        taken = stack.enter_context(socket.socket())
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        config = Config(data_dir=tmp_path, mqtt_port=taken.getsockname()[1])
        assert demo._without_taken_port(config).mqtt_port == 0
    assert demo._without_taken_port(config).mqtt_port == config.mqtt_port
