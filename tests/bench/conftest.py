"""The size at which the bench is tried: no figure is judged here."""

from __future__ import annotations

import pytest

from bench.session import Settings


@pytest.fixture(scope="session")
def small() -> Settings:
    return Settings(
        rows=6_000,
        things=10,
        datastreams_each=5,
        seconds=0.2,
        warm_s=0.05,
        rounds=1,
        pairs=1,
        pair_s=0.2,
        written_rows=500,
        settle_s=2.0,
        quiet_s=0.2,
        clients=20,
        live_s=0.6,
    )
