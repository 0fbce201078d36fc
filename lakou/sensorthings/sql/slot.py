"""Where a sealed id lies on SQLite: `sealed_key` keeps a slot of time of 2^21 µs (2.1 s) and not the time.

A slot takes four bytes until the year 2112, a time eight. It is short, for a look-up reads the rows of its Datastream
in the slot: 420 of an accelerometer at 200 Hz.
"""

from __future__ import annotations

BITS = 21


def of(time: str) -> str:
    """The slot of a time, both SQL."""
    return f"{time} >> {BITS}"


def holds(slot: str, time: str) -> str:
    """The condition that a time lies in a slot, as a range of the time."""
    return f"{time} >= {slot} << {BITS} and {time} < ({slot} + 1) << {BITS}"
