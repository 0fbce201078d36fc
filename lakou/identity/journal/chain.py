"""The chain: SHA-256(hash of the row before ‖ canonical row), from a fixed beginning. Pure.

A canonical row is the JSON array of its columns in the order of `COLUMNS`, in UTF-8: whole numbers and texts only, so
that both databases give back exactly what was hashed. `flaws` walks rows and says where they are not what was written.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

START = "0" * 64
"""What stands in the place of a hash before the first row."""
COLUMNS = (
    "seq", "at_us", "act", "outcome", "actor_kind", "actor_id", "actor_name", "organisation", "subject", "address",
    "detail",
)  # fmt: skip
_KINDS = (int, int, str, str, str, int, str, int, str, str, str)


class Head(NamedTuple):
    """How many rows there are, and the hash of the last one."""

    rows: int
    hash: str

    def __str__(self) -> str:
        return f"{self.rows}:{self.hash}"


class Flaw(NamedTuple):
    """The first place where the journal is not what was written: the number of a row, and words."""

    seq: int
    what: str


def hash_of(before: str, row: Sequence[Any]) -> str:
    """64 hexadecimal digits for the row that follows a row of hash `before`. Raises TypeError for other values."""
    values = list(row)
    for value, kind in zip(values, _KINDS, strict=True):
        if type(value) is not kind:
            raise TypeError(f"a {kind.__name__} is kept here, not {type(value).__name__}")
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(bytes.fromhex(before) + text.encode("utf-8")).hexdigest()


def first_flaw(rows: Iterable[Sequence[Any]], head: Head, known: Sequence[Head] = ()) -> Flaw | None:
    """The first flaw of rows in the order of their numbers, each with its stored hash as the last value.

    `known` are earlier heads kept elsewhere: the chain must still hold them.
    """
    expected, before = 1, START
    wanted = {one.rows: one.hash for one in known}
    for row in rows:
        seq, stored = row[0], row[-1]
        if seq != expected:
            missing = isinstance(seq, int) and seq > expected
            return Flaw(expected, "is missing" if missing else f"is not there: a row {seq!r:.40} stands in its place")
        try:
            counted = hash_of(before, row[:-1])
        except (TypeError, UnicodeEncodeError):
            return Flaw(expected, "holds a value of another kind than was written")
        if stored != counted:
            return Flaw(expected, "was changed, or a row before it was put elsewhere")
        if wanted.get(expected, stored) != stored:
            return Flaw(expected, "is not the row whose hash was noted: the journal was written anew")
        expected, before = expected + 1, stored
    if expected - 1 != head.rows:
        return Flaw(expected, "is missing at the end")
    if before != head.hash:
        return Flaw(head.rows, "is not the row that the head names")
    beyond = [one for one in known if one.rows > head.rows or (one.rows == 0 and one.hash != START)]
    if beyond:
        return Flaw(head.rows + 1, f"is missing: a head of {beyond[0].rows} rows was noted")
    return None
