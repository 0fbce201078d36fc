"""Rates: a burst passes, then one request for each refill; tokens and addresses have buckets of their own."""

from __future__ import annotations

import pytest

from lakou.kernel.errors import TooManyRequests
from lakou.sensorthings.access import ANONYMOUS, Principal
from lakou.sensorthings.limits import Limits
from lakou.sensorthings.rates import Rates, network

LIMITS = Limits(rate_anonymous=5.0, rate_device=10.0, rate_signed=0.0)
DEVICE = Principal(id=7, name="d", role="device")


def _passed(rates: Rates, principal: Principal, address: str, tries: int, now: float) -> int:
    passed = 0
    for _ in range(tries):
        try:
            rates.check(principal, address, now)
        except TooManyRequests:
            continue
        passed += 1
    return passed


def test_a_burst_of_two_seconds_passes_then_the_rate() -> None:
    rates = Rates(LIMITS)
    assert _passed(rates, ANONYMOUS, "192.0.2.1", 100, 0.0) == 10
    assert _passed(rates, ANONYMOUS, "192.0.2.1", 100, 1.0) == 4
    assert _passed(rates, ANONYMOUS, "192.0.2.1", 100, 100.0) == 10


def test_addresses_and_tokens_do_not_share_a_bucket() -> None:
    rates = Rates(LIMITS)
    assert _passed(rates, ANONYMOUS, "192.0.2.1", 50, 0.0) == 10
    assert _passed(rates, ANONYMOUS, "192.0.2.2", 50, 0.0) == 10
    assert _passed(rates, DEVICE, "192.0.2.1", 50, 0.0) == 20
    assert _passed(rates, DEVICE, "192.0.2.9", 50, 0.0) == 0


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_loopback_is_free(address: str) -> None:
    assert _passed(Rates(LIMITS), ANONYMOUS, address, 500, 0.0) == 500


def test_a_role_without_rate_is_free() -> None:
    assert _passed(Rates(LIMITS), Principal(id=1, role="agent"), "192.0.2.1", 500, 0.0) == 500


def test_ipv6_counts_by_its_network() -> None:
    assert network("2001:db8::1") == network("2001:db8::ffff") == "2001:db8::/64"
    assert network("2001:db8:0:1::1") != network("2001:db8::1")
    assert network("not an address") is None
