"""Reproducible noise: the same seed, channel and instant always give the same number.

No state is kept, so a value can be computed again for any past instant: what was sent before a cut is sent
again unchanged after it.
"""

from __future__ import annotations

import math
from hashlib import blake2b


def uniform(seed: int, channel: str, index: int) -> float:
    """A number in [0, 1), fixed by its three arguments."""
    digest = blake2b(f"{seed}|{channel}|{index}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / (1 << 53)


def gauss(seed: int, channel: str, index: int) -> float:
    """A number from the normal law of mean 0 and standard deviation 1 (Box–Muller)."""
    radius = math.sqrt(-2.0 * math.log(1.0 - uniform(seed, channel + "/r", index)))
    return radius * math.cos(2.0 * math.pi * uniform(seed, channel + "/a", index))


def drift(seed: int, channel: str, time_s: float, step_s: float) -> float:
    """A smooth wander within [-1, 1]: uniform knots every `step_s` seconds, joined by cosines."""
    position = time_s / step_s
    index = math.floor(position)
    before = uniform(seed, channel, index) * 2.0 - 1.0
    after = uniform(seed, channel, index + 1) * 2.0 - 1.0
    weight = (1.0 - math.cos(math.pi * (position - index))) / 2.0
    return before + (after - before) * weight
