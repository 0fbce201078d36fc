"""A restore never writes over what is there."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

from lakou.server.backup import archive
from lakou.server.config import Config
from tests.harness.server import Server
from tests.server.test_cli import lakou

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def test_the_folder_of_a_running_server_is_refused_by_name(server: Server, tmp_path: Path) -> None:
    if server.database_url is not None:
        return  # several servers may share a database; its schemas are what is refused there
    made = archive.make(Config(data_dir=server.data), tmp_path, NOW, lambda what, done, total: None)
    done = lakou("restore", str(made), "--data", str(server.data))
    assert (done.returncode, "A server is running" in done.stderr) == (3, True), done.stderr


def test_a_restore_without_room_or_target_leaves_nothing(server: Server, tmp_path: Path) -> None:
    assert lakou("restore", str(tmp_path)).returncode == 3
    place = ["--database-url", server.database_url] if server.database_url else []
    made = lakou("backup", str(tmp_path / "b"), "--data", str(server.data), *place)
    folder = made.stdout.splitlines()[-1]
    assert lakou("restore", folder).returncode == 2
    target = tmp_path / "taken"
    target.write_text("a file stands here")
    done = lakou("restore", folder, "--data", str(target), *place)
    assert done.returncode in (3, 4), done.stderr
    assert target.read_text() == "a file stands here"
    shutil.rmtree(tmp_path / "b")
