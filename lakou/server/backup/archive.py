"""Making an archive: a folder `lakou-<time>` with the databases, its manifest and, if wanted, the secrets.

It is written under another name, synced, and renamed at the end: what has the name of an archive is whole.
"""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path

from lakou.kernel.errors import NotFound
from lakou.server import secretfile
from lakou.server.backup import manifest, postgres, sqlite
from lakou.server.backup.files import Told, digest, draft_of, remove_stale, write_synced
from lakou.server.backup.manifest import File, Manifest
from lakou.server.config import Config

PREFIX = "lakou-"


def make(config: Config, parent: Path, now: datetime, told: Told, *, with_secrets: bool = False) -> Path:
    """Back both databases up into a new folder below `parent`, while the server runs; gives the folder.

    Raises NotFound without databases, Unavailable when the disk is full or PostgreSQL's programs are missing.
    """
    final = parent / f"{PREFIX}{now:%Y%m%dT%H%M%SZ}"
    remove_stale(parent, PREFIX)
    with draft_of(final) as draft:
        exact = True
        if config.database_url is None:
            exact = sqlite.copy(config.data_dir, draft, told)
            held = sqlite.count(draft)
        else:
            held = postgres.dump(config.database_url, draft, told)
        if with_secrets:
            _keep_secrets(config.data_dir, draft)
        files = [
            File(path.name, path.stat().st_size, digest(path, told)) for path in sorted(draft.iterdir(), key=_by_name)
        ]
        made = Manifest(
            made=f"{now:%Y-%m-%dT%H:%M:%SZ}",
            database="postgres" if config.is_postgres else "sqlite",
            exact=exact,
            databases=held,
            files=files,
        )
        manifest.write(draft, made)
    return final


def _by_name(path: Path) -> str:
    return path.name


def _keep_secrets(data: Path, draft: Path) -> None:
    try:
        content = (data / secretfile.FILE).read_bytes()
    except FileNotFoundError:
        raise NotFound(f"There is no {secretfile.FILE} in {data}", place="LAKOU_DATA", hint="give --data DIR") from None
    write_synced(draft / secretfile.FILE, content, mode=0o600)


def rotate(parent: Path, keep: int) -> list[Path]:
    """Remove all but the `keep` latest archives below `parent`; gives those removed. Other folders stay."""
    whole = sorted(path for path in parent.glob(f"{PREFIX}*") if (path / manifest.SEAL).is_file())
    gone = whole[:-keep]
    for path in gone:
        # Without its seal it is no archive any more, should the removal be interrupted.
        (path / manifest.SEAL).unlink()
        shutil.rmtree(path)
    return gone
