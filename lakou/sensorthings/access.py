"""Who asks, and what they may see and write: the protocol this package needs from above.

`identity` holds people and tokens; `server` passes an `Authority` in. Here is only what a request needs:
a principal with its scopes. A scope is an integer on every entity row (DESIGN §4 rule 9): 0 is public,
-1 is deleted and never visible, others are restricted; 1 is where unknown devices wait to be claimed, and what the
product restricts, which has no circle of its own. Unknown means no.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Protocol

import msgspec

PUBLIC = 0
DELETED = -1
UNCLAIMED = 1


class Changes(IntEnum):
    """What one may change: nothing, only add Observations to what was given, what is one's own, all that one sees."""

    NOTHING = 0
    GIVEN = 1
    OWN = 2
    ALL = 3


class Principal(msgspec.Struct, frozen=True):
    """One who asks. `role` is a label for rates, logs and $filter: anonymous, person, device, agent or admin.

    `id` is the token's number (0 for anonymous) and marks what a device owns; `owners` are further numbers whose
    entities count as its own. `reads` holds the visible scopes, None for all of them. `home` is the scope given to what
    this principal creates as restricted. `things` and `streams` are what a scoped token may add Observations to.
    """

    id: int = 0
    name: str = "anonymous"
    role: str = "anonymous"
    reads: frozenset[int] | None = frozenset({PUBLIC})
    home: int = PUBLIC
    changes: Changes = Changes.NOTHING
    owners: frozenset[int] = frozenset()
    things: frozenset[int] = frozenset()
    streams: frozenset[int] = frozenset()

    @property
    def may_write(self) -> bool:
        """Whether anything at all may be written."""
        return self.changes is not Changes.NOTHING

    @property
    def may_create(self) -> bool:
        """Whether entities may be made, not Observations alone."""
        return self.changes >= Changes.OWN

    def may_see(self, scope_id: int) -> bool:
        """Whether rows of this scope are there for it."""
        return scope_id != DELETED and (self.reads is None or scope_id in self.reads)

    def may_change(self, owner_id: int) -> bool:
        """Whether it may change what it sees and this number has made."""
        return self.changes is Changes.ALL or (
            self.changes is Changes.OWN and (owner_id == self.id or owner_id in self.owners)
        )

    def is_given(self, stream_id: int, thing_id: int) -> bool:
        """Whether it was given this Datastream or its Thing: two look-ups in sets."""
        return stream_id in self.streams or thing_id in self.things


ANONYMOUS = Principal()
ADMIN = Principal(id=-1, name="system", role="admin", reads=None, home=PUBLIC, changes=Changes.ALL)


class Authority(Protocol):
    """Turns an Authorization header into a principal. Called on every request: it must answer from memory."""

    def principal(self, authorization: str | None) -> Principal:
        """The principal of a `Bearer lk_…` or Basic header; ANONYMOUS for None; raises Unauthorized."""
        ...
