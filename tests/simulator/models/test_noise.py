"""Noise is reproducible and stays in range."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lakou.simulator.models import noise

seeds = st.integers(min_value=0, max_value=10_000)


@given(seeds, st.integers(-(10**9), 10**9))
def test_noise_is_the_same_again_and_in_range(seed: int, index: int) -> None:
    assert 0.0 <= noise.uniform(seed, "x", index) < 1.0
    assert noise.gauss(seed, "x", index) == noise.gauss(seed, "x", index)
    assert -1.0 <= noise.drift(seed, "x", index / 7, 100.0) <= 1.0
