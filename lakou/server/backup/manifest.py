"""The manifest of an archive: what is in it, of which version, and the SHA-256 of every file.

`manifest.json` describes the archive; `manifest.sha256` beside it holds the digest of its bytes, in the form that the
program `sha256sum` checks. So a single bit that has flipped anywhere in the archive is found.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

import msgspec

from lakou import __version__
from lakou.kernel.errors import BadRequest, NotFound
from lakou.sensorthings.store.inventory import Inventory
from lakou.server.backup.files import damaged, write_synced

FORMAT = 1
NAME = "manifest.json"
SEAL = "manifest.sha256"


class File(msgspec.Struct, frozen=True):
    """One file of the archive; its size in bytes."""

    name: str
    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What an archive says of itself. `exact`: both databases were caught between two commits of either."""

    format: int = FORMAT
    product: Literal["lakou"] = "lakou"
    version: str = __version__
    made: str
    database: Literal["sqlite", "postgres"]
    exact: bool = True
    databases: dict[str, Inventory]
    files: list[File]


def write(folder: Path, manifest: Manifest) -> None:
    """Write the manifest and its seal; the last step of making an archive."""
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"
    write_synced(folder / NAME, text)
    write_synced(folder / SEAL, f"{hashlib.sha256(text).hexdigest()}  {NAME}\n".encode())


def read(folder: Path) -> Manifest:
    """The manifest of an archive. Raises NotFound without one, Conflict when damaged, BadRequest when newer."""
    try:
        text, seal = (folder / NAME).read_bytes(), (folder / SEAL).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(
            f"There is no whole archive in {folder}",
            place="ARCHIVE",
            hint=f"name the folder that holds {NAME} and {SEAL}",
        ) from None
    if seal != f"{hashlib.sha256(text).hexdigest()}  {NAME}\n".encode():
        raise damaged(NAME)
    try:
        head = msgspec.json.decode(text, type=dict[str, object])
        if _numbers(str(head.get("version"))) > _numbers(__version__) or head.get("format") != FORMAT:
            raise newer(str(head.get("version")))
        return msgspec.json.decode(text, type=Manifest)
    except msgspec.MsgspecError as error:
        raise BadRequest(f"{NAME} cannot be read: {error}", place="ARCHIVE", hint="is it an archive?") from None


def newer(version: str) -> BadRequest:
    """The refusal of an archive that a later Lakou has made."""
    return BadRequest(
        f"This archive was made by Lakou {version}, which is newer than this one ({__version__})",
        place="ARCHIVE",
        hint="install that version or a later one, then restore",
        code="newer_archive",
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else 0 for part in version.split("."))
