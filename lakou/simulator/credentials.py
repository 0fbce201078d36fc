"""The private file with which the simulator signs in: a token for each group of devices, and the control's secret.

`lakou demo` makes it (mode 0600). For another server: one device token a group in `tokens`, or a single one under `*`.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from lakou.kernel.errors import BadRequest
from lakou.simulator.network import GROUPS

ANY = "*"


class Token(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A token's name (MQTT's user) and its text."""

    name: str
    token: str


class Credentials(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`tokens` by group; `control` is the bearer secret of the control API (empty: none is served)."""

    tokens: dict[str, Token]
    control: str = ""

    def of(self, group: str) -> Token:
        """The token of a group; BadRequest when the file has none."""
        found = self.tokens.get(group) or self.tokens.get(ANY)
        if found is None:
            raise BadRequest(f"The token file has no token for {group!r}", place="tokens", hint=", ".join(GROUPS))
        return found


def read(path: Path) -> Credentials:
    """The file's content; BadRequest when it cannot be read or is not of the form."""
    hint = 'JSON: {"tokens": {"hydro": {"name": "…", "token": "lk_…"}, …}}'
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Credentials)
    except OSError as error:
        raise BadRequest("The token file cannot be read", place="--token-file", hint=hint) from error
    except msgspec.DecodeError as error:
        raise BadRequest(f"The token file: {error}", place="--token-file", hint=hint) from error
    for group in GROUPS:
        found.of(group)
    return found
