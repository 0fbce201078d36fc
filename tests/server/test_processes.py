"""The listening socket, and the address that people are told."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from lakou.kernel.errors import Unavailable
from lakou.server.config import Config
from lakou.server.processes import OTHER_FILES, address, bind


def test_a_taken_port_is_refused_with_a_hint() -> None:
    with bind("127.0.0.1", 0) as listener, pytest.raises(Unavailable) as caught:
        bind("127.0.0.1", listener.getsockname()[1])
    assert caught.value.place == "LAKOU_PORT"
    assert "--port" in (caught.value.hint or "")


@pytest.mark.parametrize("host", ["203.0.113.1", "no.such.host.invalid"])
def test_an_address_of_another_machine_is_refused(host: str) -> None:
    with pytest.raises(Unavailable):
        bind(host, 0)


def test_the_socket_accepts_connections_before_the_application_is_there() -> None:
    with bind("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname(), timeout=2):
        pass


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),  # noqa: S104
        ("::", "http://[::1]:8000"),
        ("::1", "http://[::1]:8000"),
        ("lakou.local", "http://lakou.local:8000"),
    ],
)
def test_the_address_is_one_that_a_browser_can_open(tmp_path: Path, host: str, shown: str) -> None:
    assert address(Config(data_dir=tmp_path, host=host)) == shown


def test_open_files_are_raised_to_the_connections_or_these_lowered_to_the_files() -> None:
    ask = (
        "import resource; from lakou.server.processes import raise_open_files;"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (300, 1000));"
        "print(raise_open_files(500), resource.getrlimit(resource.RLIMIT_NOFILE)[0], raise_open_files(5000))"
    )
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["500", str(500 + OTHER_FILES), str(1000 - OTHER_FILES)]
