"""Acts that anybody can cause without end, counted in memory until they are one row (trust R9). Pure but for its lock.

A kind of them is told at once, then with how many there were since: after ten seconds, and less and less often while
it goes on. So the first refusal is seen soon, and a flood of a day is some 150 rows. Each process counts for itself.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import NamedTuple

from lakou.identity.policy.actor import ANONYMOUS, Actor

FIRST_S = 10.0
LONGEST_S = 600.0
FORGOTTEN_S = 3_600.0
MOST_KINDS = 1_000
"""Kinds that are told apart; more are counted as one."""
MOST_NAMED = 10
"""Addresses and tokens that a row names."""


class Kind(NamedTuple):
    """What is gathered together: an act by somebody, why, and through which part of the product."""

    act: str
    actor_kind: str
    actor_id: int
    why: str
    part: str


@dataclass(slots=True)
class Gathered:
    """How often a kind has happened since it was last told."""

    kind: Kind
    actor: Actor
    attempts: int = 0
    size: int = 0
    """Bytes that were taken away."""
    addresses: set[str] = field(default_factory=set)
    tokens: set[int] = field(default_factory=set)
    due_at: float = 0.0
    every_s: float = FIRST_S


class Gathering:
    """The counts of a process; any thread may add to them."""

    def __init__(self) -> None:
        self._kinds: dict[Kind, Gathered] = {}
        self._lock = threading.Lock()

    def gather(
        self,
        act: str,
        actor: Actor,
        *,
        why: str,
        part: str,
        address: str | None = None,
        token: int = 0,
        size: int = 0,
        now: float | None = None,
    ) -> None:
        """Count one; `now` in monotonic seconds."""
        at = time.monotonic() if now is None else now
        kind = Kind(act, str(actor.kind), actor.id, why, part)
        with self._lock:
            if kind not in self._kinds and len(self._kinds) >= MOST_KINDS:
                kind, actor = Kind(act, str(ANONYMOUS.kind), 0, "many", ""), ANONYMOUS
            found = self._kinds.get(kind)
            if found is None:
                found = self._kinds[kind] = Gathered(kind, actor, due_at=at)
            found.attempts += 1
            found.size += size
            if address and len(found.addresses) < MOST_NAMED:
                found.addresses.add(address)
            if token and len(found.tokens) < MOST_NAMED:
                found.tokens.add(token)

    def is_due(self, now: float | None = None) -> bool:
        """Whether `take` would give anything."""
        at = time.monotonic() if now is None else now
        with self._lock:
            return any(one.attempts and at >= one.due_at for one in self._kinds.values())

    def take(self, *, last: bool = False, now: float | None = None) -> list[Gathered]:
        """What is due, or all of it when it is the `last` time; it is counted from nothing again."""
        at = time.monotonic() if now is None else now
        taken: list[Gathered] = []
        with self._lock:
            for kind, one in list(self._kinds.items()):
                if one.attempts and (last or at >= one.due_at):
                    taken.append(one)
                    self._kinds[kind] = Gathered(
                        kind, one.actor, due_at=at + one.every_s, every_s=min(2 * one.every_s, LONGEST_S)
                    )
                elif not one.attempts and at >= one.due_at + FORGOTTEN_S:
                    del self._kinds[kind]
        return taken

    def give_back(self, taken: list[Gathered]) -> None:
        """What was taken could not be written down: it counts again, and is due."""
        with self._lock:
            for one in taken:
                since = self._kinds.get(one.kind)
                if since is not None:
                    one.attempts += since.attempts
                    one.size += since.size
                    one.addresses |= since.addresses
                    one.tokens |= since.tokens
                self._kinds[one.kind] = one
