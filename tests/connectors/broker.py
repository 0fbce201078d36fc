"""A real mosquitto on a free loopback port, for tests of the bridge; stopped by its process id."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.server import free_port

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
USER, PASSWORD = "lakou", "secret-of-the-test"


class Broker:
    """One mosquitto that keeps its sessions over a restart."""

    def __init__(self, folder: Path) -> None:
        if MOSQUITTO is None:
            pytest.skip("mosquitto is not installed: the bridge was NOT tested")
        self.port = free_port()
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None
        passwords = folder / "passwords"
        passwords.write_text(f"{USER}:{PASSWORD}\n")
        passwords.chmod(0o600)
        subprocess.run(["mosquitto_passwd", "-U", str(passwords)], check=True, capture_output=True)
        (folder / "password").write_text(PASSWORD + "\n")
        (folder / "mosquitto.conf").write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous false\npassword_file {passwords}\n"
            f"persistence true\npersistence_location {folder}/\nautosave_on_changes true\nautosave_interval 1\n"
            "max_queued_messages 200000\nuser root\n"
        )

    def start(self) -> None:
        command = [str(MOSQUITTO), "-c", str(self.folder / "mosquitto.conf")]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            time.sleep(0.02)
        raise RuntimeError("mosquitto did not start")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)
            self.process = None

    def publish(self, topic: str, lines: list[str], qos: int = 1) -> None:
        """Publishes each line as a message, and waits until the broker has them."""
        subprocess.run(
            ["mosquitto_pub", "-p", str(self.port), "-u", USER, "-P", PASSWORD, "-t", topic, "-q", str(qos), "-l"],
            input="".join(line + "\n" for line in lines).encode(),
            check=True,
            timeout=60,
        )


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Broker]:
    broker = Broker(folder)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()
