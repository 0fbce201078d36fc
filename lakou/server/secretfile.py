"""Secrets are made at the first start and kept in a file of mode 0600, never in the code (trust R23).

`secrets.json` in the data folder holds the keys; on PostgreSQL every process of a site shares that folder's copy.
"""

from __future__ import annotations

import json
import os
import secrets as random
import stat
from pathlib import Path

from lakou.kernel.errors import Unavailable

FILE = "secrets.json"
KEY_BYTES = 48


def ensure(data_dir: Path) -> Path:
    """Make the data folder and the secrets file where they are missing; gives the file's path.

    Raises Unavailable when the folder cannot be written.
    """
    path = data_dir / FILE
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o750)
        write_private(path, json.dumps({"django_secret_key": random.token_urlsafe(KEY_BYTES)}) + "\n", replace=False)
    except FileExistsError:
        return path
    except OSError as error:
        raise Unavailable(
            f"The data folder cannot be used: {error.strerror}",
            place="LAKOU_DATA",
            hint="give a folder that this user may write: --data DIR",
        ) from error
    return path


def write_private(path: Path, text: str, *, replace: bool = True) -> None:
    """Write a file that only its owner reads (0600), whole or not at all.

    With `replace` false an existing file stays and FileExistsError is raised: two processes that
    start at once agree on the first one's keys.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            draft.replace(path)
        else:
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def secret_key(data_dir: Path) -> str:
    """Django's key from the file; without a file (checks, tools) one that lives as long as the process."""
    path = data_dir / FILE
    try:
        key = json.loads(path.read_text(encoding="utf-8"))["django_secret_key"]
    except FileNotFoundError:
        return random.token_urlsafe(KEY_BYTES)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Unavailable(
            "The secrets file cannot be read", place=FILE, hint="restore it from the backup, or remove it to renew it"
        ) from error
    if not isinstance(key, str) or len(key) < KEY_BYTES:
        raise Unavailable("The key in the secrets file is too short", place=FILE, hint="remove the file to renew it")
    return key


def is_private(path: Path) -> bool:
    """True when neither group nor others may read or write the file."""
    return stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
