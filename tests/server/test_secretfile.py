"""Secrets are made once, privately."""

import stat
from pathlib import Path

import pytest

from lakou.kernel.errors import Unavailable
from lakou.server import secretfile


def test_the_file_is_made_once_and_only_for_its_owner(tmp_path: Path) -> None:
    path = secretfile.ensure(tmp_path / "new" / "data")
    key = secretfile.secret_key(tmp_path / "new" / "data")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert secretfile.is_private(path)
    assert secretfile.ensure(tmp_path / "new" / "data") == path
    assert secretfile.secret_key(tmp_path / "new" / "data") == key
    assert [file.name for file in path.parent.iterdir()] == [secretfile.FILE]


def test_without_a_file_the_key_is_another_one_each_time(tmp_path: Path) -> None:
    assert secretfile.secret_key(tmp_path) != secretfile.secret_key(tmp_path)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"django_secret_key": "short"}', '{"django_secret_key": 1}'])
def test_a_damaged_or_weak_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / secretfile.FILE).write_text(text)
    with pytest.raises(Unavailable):
        secretfile.secret_key(tmp_path)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable) as caught:
        secretfile.ensure(tmp_path / "file" / "data")
    assert "--data" in (caught.value.hint or "")


def test_a_private_file_is_replaced_whole(tmp_path: Path) -> None:
    secretfile.write_private(tmp_path / "token", "one")
    secretfile.write_private(tmp_path / "token", "two")
    assert (tmp_path / "token").read_text() == "two"
    assert [file.name for file in tmp_path.iterdir()] == ["token"]
