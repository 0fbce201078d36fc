"""Rates of requests by token and by address: a bucket each, refilled with time, empty means 429.

Off on loopback, where a proxy or the host's own programs ask (DESIGN §4, limits). IPv6 addresses count by /64.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from functools import lru_cache

from lakou.kernel.errors import TooManyRequests
from lakou.sensorthings.access import Principal
from lakou.sensorthings.limits import Limits

BURST_S = 2.0
KEPT = 50_000


class Rates:
    """The buckets of a process. `now` is passed in, in monotonic seconds."""

    def __init__(self, limits: Limits) -> None:
        self._of = {"anonymous": limits.rate_anonymous, "device": limits.rate_device}
        self._signed = limits.rate_signed
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def check(self, principal: Principal, address: str | None, now: float) -> None:
        """Take one request out of the sender's bucket; raises TooManyRequests."""
        rate = self._of.get(principal.role, self._signed)
        if rate <= 0 or address is None or (key := network(address)) is None:
            return
        if principal.role != "anonymous":
            key = f"token {principal.id}"
        room = rate * BURST_S
        left, before = self._buckets.get(key, (room, now))
        left = min(room, left + (now - before) * rate) - 1.0
        self._buckets[key] = (max(left, -1.0), now)
        self._buckets.move_to_end(key)
        if len(self._buckets) > KEPT:
            self._buckets.popitem(last=False)
        if left < 0:
            raise TooManyRequests(
                f"More than {rate:g} requests a second", hint="Send several in one: CreateObservations or $batch."
            )


@lru_cache(maxsize=4096)
def network(address: str) -> str | None:
    """What an address counts as: itself, or its /64 for IPv6; None on loopback and for what is no address."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return network(str(found.ipv4_mapped))
        return None if found.is_loopback else str(ipaddress.ip_network((found, 64), strict=False))
    return None if found.is_loopback else str(found)
