"""The version of a stored entity as an ETag: a digest of its stored columns (RFC 9110 §8.8.3).

Derived properties are left out, so that an Observation does not change its Datastream's version.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from lakou.kernel.errors import PreconditionFailed
from lakou.sensorthings.plan.values import ReadPlan
from lakou.sensorthings.render.columns import width


def etag(plan: ReadPlan, row: Sequence[Any]) -> str:
    """The weak ETag of a row read with all properties of its type."""
    parts: list[Any] = []
    at = 0
    for prop in plan.fields:
        size = width(prop)
        if not prop.derived:
            parts.extend(row[at : at + size])
        at += size
    parts.extend(row[at : at + len(plan.extras)])
    return f'W/"{blake2b(repr(parts).encode(), digest_size=12).hexdigest()}"'


def check(expected: str | None, current: str) -> None:
    """Raise PreconditionFailed when If-Match names other versions than the current one."""
    if expected is not None and not matches(expected, current):
        raise PreconditionFailed(
            "The entity was changed in the meantime", place="If-Match", hint=f"It is now at version {current}."
        )


def matches(header: str, current: str) -> bool:
    """Whether an If-Match or If-None-Match header names this version, weak or strong alike."""
    tags = [t.strip().removeprefix("W/") for t in header.split(",")]
    return "*" in tags or current.removeprefix("W/") in tags
