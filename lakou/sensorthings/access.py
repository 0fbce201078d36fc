"""Who asks, and what they may see and write: the protocol this package needs from above.

`identity` holds people and tokens; `server` passes an `Authority` in. Here is only what a request needs:
a principal with its scopes. A scope is an integer on every entity row (DESIGN §4 rule 9): 0 is public,
-1 is deleted and never visible, others are restricted. Unknown means no.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

PUBLIC = 0
DELETED = -1


class Principal(msgspec.Struct, frozen=True):
    """One who asks. `role` is anonymous, device, agent or admin.

    `id` is the token's number (0 for anonymous) and marks what a device owns. `reads` holds the visible
    scopes, None for all of them. `home` is the scope given to what this principal creates as restricted.
    """

    id: int = 0
    name: str = "anonymous"
    role: str = "anonymous"
    reads: frozenset[int] | None = frozenset({PUBLIC})
    home: int = PUBLIC

    @property
    def may_write(self) -> bool:
        return self.role in ("device", "agent", "admin")


ANONYMOUS = Principal()
ADMIN = Principal(id=-1, name="system", role="admin", reads=None, home=PUBLIC)


class Authority(Protocol):
    """Turns an Authorization header into a principal. Called on every request: it must answer from memory."""

    def principal(self, authorization: str | None) -> Principal:
        """The principal of a `Bearer lk_…` or Basic header; ANONYMOUS for None; raises Unauthorized."""
        ...
