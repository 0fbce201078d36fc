"""Who is told of acts that matter: the second protocol that this package needs from above, beside `access.py`.

An act (a device claimed, a visibility changed, data deleted) is written into the outbox of the store in the commit that
does it, and carried from there to a `Witness` by `telling.py`. What does not commit anything (a refusal, a file taken
away) is told at once, out of memory. An Observation that comes in is no act: ingest never meets this module.
Names of acts are those of the table of whoever bears witness.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

from lakou.kernel.errors import LakouError
from lakou.sensorthings.access import Principal

CLAIMED = "device.claimed"
VISIBILITY = "visibility.changed"
RETENTION = "retention.changed"
EXPIRED = "retention.applied"
DELETED = "data.deleted"
TAKEN = "data.exported"

MOST_SUBJECTS = 50
"""What one act names at most: a flood of small acts becomes a few long ones, and each of them stays named."""


class Act(msgspec.Struct, frozen=True):
    """One act of a principal, or several that differ in what they were done to alone.

    `subjects` are paths below the service root, such as "Things(7)"; `detail` says how, `counts` how many. By its `key`
    an act is known again that was told already; `at` is in micros, `address` that of the sender, empty without one.
    """

    key: str
    act: str
    at: int
    actor: int
    name: str
    role: str
    subjects: tuple[str, ...] = ()
    detail: dict[str, str] = {}
    counts: dict[str, int] = {}
    address: str = ""


def act_of(
    act: str,
    principal: Principal,
    *,
    at: int,
    subject: str = "",
    detail: dict[str, str] | None = None,
    counts: dict[str, int] | None = None,
    address: str = "",
) -> Act:
    """An act of this principal, with a key of its own."""
    return Act(
        key=secrets.token_hex(8),
        act=act,
        at=at,
        actor=principal.id,
        name=principal.name,
        role=principal.role,
        subjects=(subject,) if subject else (),
        detail=detail or {},
        counts=counts or {},
        address=address,
    )


def merged(acts: Iterable[Act]) -> list[Act]:
    """The same with acts joined that differ only in subjects, counts and time: the first key and the last time stay."""
    found: list[Act] = []
    place: dict[tuple[object, ...], int] = {}
    for one in acts:
        key = (one.act, one.actor, one.name, one.role, one.address, *sorted(one.detail.items()))
        at = place.get(key)
        if at is not None:
            subjects = tuple(dict.fromkeys((*found[at].subjects, *one.subjects)))
            if len(subjects) <= MOST_SUBJECTS:
                found[at] = _joined(found[at], one, subjects)
                continue
        place[key] = len(found)
        found.append(one)
    return found


def _joined(first: Act, second: Act, subjects: tuple[str, ...]) -> Act:
    counts = dict(first.counts)
    for name, count in second.counts.items():
        counts[name] = counts.get(name, 0) + count
    return msgspec.structs.replace(first, at=max(first.at, second.at), subjects=subjects, counts=counts)


class Witness(Protocol):
    """Writes acts down where they stay. `tell` and `settle` may block and are called off the loop."""

    def tell(self, acts: Sequence[Act]) -> None:
        """Write these down, each of them once however often it is told. Whatever it raises: it is told again."""
        ...

    def note_refusal(self, principal: Principal | None, error: LakouError, address: str | None, part: str) -> None:
        """Somebody was refused: `principal` None for a token that is not valid. From memory, never blocks."""
        ...

    def note_taken(self, principal: Principal, form: str, size: int, address: str | None) -> None:
        """Somebody who reads more than what is public took a file of so many bytes. From memory, never blocks."""
        ...

    def is_due(self) -> bool:
        """Whether `settle` has something to write down now."""
        ...

    def settle(self, *, last: bool = False) -> None:
        """Write down what was noted; all of it when it is the `last` time."""
        ...
