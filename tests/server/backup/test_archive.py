"""Archives: whole or not there at all, rotated, and found out when a single bit has changed."""

import contextlib
import os
import random
import resource
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from lakou.kernel.errors import BadRequest, Conflict, NotFound, Unavailable
from lakou.server.backup import archive, manifest, restore, sqlite
from lakou.server.commands import backup as command
from lakou.server.config import Config
from tests.server.test_cli import lakou

pytestmark = pytest.mark.slow

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
LATER = datetime(2026, 11, 26, 13, tzinfo=UTC)


def told(what: str, done: int, total: int) -> None:
    """Nobody looks at the progress here."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with both databases and one token."""
    folder = tmp_path_factory.mktemp("site") / "data"
    assert lakou("migrate", "--data", str(folder)).returncode == 0
    assert lakou("token", "create", "gauge", "--role", "device", "--data", str(folder)).returncode == 0
    return folder


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive with secrets."""
    return archive.make(Config(data_dir=data), tmp_path_factory.mktemp("archives"), NOW, told, with_secrets=True)


def test_an_archive_says_what_is_in_it(whole: Path) -> None:
    found = manifest.read(whole)
    assert found.exact
    assert [file.name for file in found.files] == ["civic.db", "observations.db", "secrets.json"]
    assert found.databases["civic"].rows["identity_token"] == 1
    assert "identity.0001_initial" in found.databases["civic"].migrations
    assert found.databases["observations"].change_log == 0
    assert (whole / "secrets.json").stat().st_mode & 0o777 == 0o600
    assert whole.stat().st_mode & 0o077 == 0


def test_secrets_stay_behind_unless_asked_for(data: Path, tmp_path: Path) -> None:
    made = archive.make(Config(data_dir=data), tmp_path, NOW, told)
    assert not (made / "secrets.json").exists()


def test_a_restore_gives_the_same_tokens(whole: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    done = lakou("restore", str(whole), "--data", str(new), "--verify")
    assert done.returncode == 0, done.stderr
    assert "gauge" in lakou("token", "list", "--data", str(new)).stdout
    listed = lakou("audit", "list", "--last", "1", "--data", str(new)).stdout
    assert "backup.restored" in listed
    assert whole.name in listed
    assert (new / "secrets.json").read_bytes() == (whole / "secrets.json").read_bytes()
    again = lakou("restore", str(whole), "--data", str(new))
    assert (again.returncode, "not an empty folder" in again.stderr) == (3, True)


def test_a_restore_needs_a_fitting_place(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="Where to"):
        command.restore(whole)
    with pytest.raises(BadRequest, match="of SQLite"):
        command.restore(whole, data=tmp_path / "new", database_url="postgresql://127.0.0.1:1/x")
    taken = tmp_path / "taken"
    taken.write_text("a file stands here")
    with pytest.raises(Conflict, match="not an empty folder"):
        restore.into_folder(whole, manifest.read(whole), Config(data_dir=taken), told, verify=False)
    assert taken.read_text() == "a file stands here"


def test_trying_an_archive_leaves_nothing_behind(whole: Path, tmp_path: Path) -> None:
    done = lakou("restore", str(whole), "--verify", TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["civic.db", "observations.db", "secrets.json", "manifest.json", "manifest.sha256"])
def test_a_flipped_bit_is_found_wherever_it_is(whole: Path, tmp_path: Path, name: str) -> None:
    copy = tmp_path / "archive"
    shutil.copytree(whole, copy)
    path = copy / name
    content = bytearray(path.read_bytes())
    choice = random.Random(name)
    for _ in range(20):
        flipped = bytearray(content)
        flipped[choice.randrange(len(content))] ^= 1 << choice.randrange(8)
        path.write_bytes(flipped)
        with pytest.raises(Conflict) as caught:
            _read_and_copy(copy, tmp_path / "out")
        assert caught.value.error_code == "damaged_archive"
        shutil.rmtree(tmp_path / "out", ignore_errors=True)


def _read_and_copy(folder: Path, out: Path) -> None:
    out.mkdir()
    restore._copy_files(folder, manifest.read(folder), out, told)


@pytest.mark.parametrize("change", ["missing", "stranger", "shorter"])
def test_a_file_too_few_too_many_or_too_short_is_found(whole: Path, tmp_path: Path, change: str) -> None:
    copy = tmp_path / "archive"
    shutil.copytree(whole, copy)
    if change == "missing":
        (copy / "civic.db").unlink()
    elif change == "stranger":
        (copy / "observations.db-wal").write_bytes(b"what SQLite would play back into the file")
    else:
        os.truncate(copy / "observations.db", 4096)
    with pytest.raises(Conflict):
        _read_and_copy(copy, tmp_path / "out")


def test_a_manifest_may_not_name_files_elsewhere(whole: Path, tmp_path: Path) -> None:
    copy = tmp_path / "archive"
    shutil.copytree(whole, copy)
    found = manifest.read(whole)
    outside = msgspec.structs.replace(found.files[0], name="../civic.db")
    _rewrite(copy, msgspec.structs.replace(found, files=[outside, *found.files[1:]]))
    with pytest.raises(BadRequest):
        _read_and_copy(copy, tmp_path / "out")


def _rewrite(folder: Path, found: manifest.Manifest) -> None:
    for name in (manifest.NAME, manifest.SEAL):
        (folder / name).unlink()
    manifest.write(folder, found)


def test_an_archive_of_a_newer_version_is_refused_clearly(whole: Path, tmp_path: Path) -> None:
    copy = tmp_path / "archive"
    shutil.copytree(whole, copy)
    found = manifest.read(whole)
    _rewrite(copy, msgspec.structs.replace(found, version="99.0.0"))
    with pytest.raises(BadRequest, match="newer than this one"):
        manifest.read(copy)
    held = found.databases["observations"]
    unknown = msgspec.structs.replace(held, migrations=[*held.migrations, "sqlite_9999_later"])
    _rewrite(copy, msgspec.structs.replace(found, databases={**found.databases, "observations": unknown}))
    done = lakou("restore", str(copy), "--verify")
    assert (done.returncode, "sqlite_9999_later" in done.stderr) == (2, True), done.stderr


def test_counts_that_differ_from_the_manifest_are_found(whole: Path, tmp_path: Path) -> None:
    copy = tmp_path / "archive"
    shutil.copytree(whole, copy)
    found = manifest.read(whole)
    held = found.databases["civic"]
    more = msgspec.structs.replace(held, rows={**held.rows, "identity_token": 2})
    _rewrite(copy, msgspec.structs.replace(found, databases={**found.databases, "civic": more}))
    done = lakou("restore", str(copy), "--verify")
    assert (done.returncode, "civic.identity_token has 1 rows, not 2" in done.stderr) == (3, True), done.stderr


def test_what_has_no_manifest_is_no_archive(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        manifest.read(tmp_path)


def test_old_archives_are_rotated_and_other_folders_stay(whole: Path, tmp_path: Path) -> None:
    for day in range(1, 5):
        shutil.copytree(whole, tmp_path / f"lakou-2026110{day}T000000Z")
    (tmp_path / "lakou-notes").mkdir()
    gone = archive.rotate(tmp_path, 2)
    assert [path.name for path in gone] == ["lakou-20261101T000000Z", "lakou-20261102T000000Z"]
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["lakou-20261103T000000Z", "lakou-20261104T000000Z", "lakou-notes"]


def test_a_backup_that_fails_leaves_nothing(data: Path, tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk that is full."""
    script = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000));"
    script += "from lakou.server.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script, "backup", str(tmp_path / "b"), "--data", str(data)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 4, done.stderr
    assert "nothing was left behind" in done.stderr
    assert "Traceback" not in done.stderr
    assert list((tmp_path / "b").iterdir()) == []
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 100_000


def test_a_backup_without_room_is_refused_before_it_begins(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "ROOM", 2**62)
    with pytest.raises(Unavailable, match="MiB free"):
        archive.make(Config(data_dir=data), tmp_path, NOW, told)
    assert list(tmp_path.iterdir()) == []


def test_a_killed_backup_does_not_look_whole_and_is_cleared_away_by_the_next(data: Path, tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    left = tmp_path / f".lakou-20261126T000000Z.{int(ended.stdout)}"
    left.mkdir()
    (left / "observations.db").write_bytes(b"half")
    other = tmp_path / f".cache.{int(ended.stdout)}"
    other.mkdir()
    with pytest.raises(NotFound):
        manifest.read(left)
    archive.make(Config(data_dir=data), tmp_path, NOW, told)
    assert left.exists(), "another machine may be at work"
    for path in (left / "observations.db", left, other):
        os.utime(path, (0, 0))
    archive.make(Config(data_dir=data), tmp_path, LATER, told)
    assert (left.exists(), other.exists()) == (False, True)


def test_both_files_are_of_one_instant(data: Path, tmp_path: Path) -> None:
    """Somebody who commits to the civic file between the two snapshots makes them be taken again."""
    import apsw

    pins: list[str] = []
    pin = sqlite._pin
    with contextlib.closing(apsw.Connection(str(data / "civic.db"))) as busy, pytest.MonkeyPatch.context() as patch:
        busy.execute("create table if not exists noise (n integer)")

        def disturbed(connection: apsw.Connection) -> None:
            pin(connection)
            pins.append(Path(connection.filename).name)
            if len(pins) == 1:
                busy.execute("insert into noise values (1)")

        patch.setattr(sqlite, "_pin", disturbed)
        assert sqlite.copy(data, tmp_path, told)
        assert pins == ["observations.db", "civic.db"] * 2
        busy.execute("drop table noise")
