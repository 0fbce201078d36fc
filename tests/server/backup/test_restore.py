"""A restore never writes over what is there."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from lakou.server.backup import archive
from lakou.server.config import Config
from tests.harness.server import Server
from tests.server.test_cli import lakou

pytestmark = pytest.mark.slow

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def test_the_folder_of_a_running_server_is_refused_by_name(server: Server, tmp_path: Path) -> None:
    if server.database_url is not None:
        pytest.skip("several servers may share a database; its schemas are what is refused there")
    made = archive.make(Config(data_dir=server.data), tmp_path, NOW, lambda what, done, total: None)
    done = lakou("restore", str(made), "--data", str(server.data))
    assert (done.returncode, "A server is running" in done.stderr) == (3, True), done.stderr
