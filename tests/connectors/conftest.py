"""What the tests of connectors share: recorded and shipped samples."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lakou.connectors import samples

SHIPPED = Path(samples.__path__[0])


@pytest.fixture
def shipped() -> Callable[[str], bytes]:
    """The bytes of a sample that ships with the product."""
    return lambda name: (SHIPPED / name).read_bytes()


@pytest.fixture
def recorded() -> Callable[[str], bytes]:
    """The bytes of a recorded answer of a source, from the folder that LAKOU_SAMPLES names."""
    folder = os.environ.get("LAKOU_SAMPLES")
    if not folder:
        pytest.skip("LAKOU_SAMPLES is not set: the recorded feeds were NOT read")

    def read(name: str) -> bytes:
        found = next((path for path in (Path(folder) / "feeds" / name, Path(folder) / name) if path.exists()), None)
        if found is None:
            pytest.skip(f"LAKOU_SAMPLES has no {name}: it was NOT read")
        return found.read_bytes()

    return read
