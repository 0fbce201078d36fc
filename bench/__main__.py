"""`make bench`: measures on SQLite, and on PostgreSQL when LAKOU_TEST_POSTGRES names one; prints the table.

N=… Observations in the full store (default 1,000,000; the promises speak of 10,000,000), BIG=1 for 100,000,000,
BENCH_CACHE=folder keeps the filled stores for the next run.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import msgspec

from bench.loader import LoadError
from bench.measure import Bench, Settings
from bench.places import Folders, Home, Schemas
from bench.promises import Measured
from bench.report import Report, report

RESULTS = Path(__file__).parent / "results"
# Not the system's folder for temporary files: that may lie in memory, where nothing is durable.
WORK = Path(__file__).parent.parent / "build" / "bench"
BIG_ROWS = 100_000_000


def measure(settings: Settings, postgres: str | None, cache: Path | None, work: Path) -> Report:
    """Measure every database there is. What fails is told in the report and does not hide the rest."""
    load_before = os.getloadavg()[0]
    homes: list[Home] = [Folders(work, cache)]
    left_out: list[str] = []
    if postgres is None:
        left_out.append("PostgreSQL (set LAKOU_TEST_POSTGRES).")
    else:
        homes.append(Schemas(postgres, work, cache))
    measured: list[Measured] = []
    for home in homes:
        bench = Bench(home, settings, work, cache, _say)
        try:
            bench.run()
        except LoadError as error:
            left_out.append(f"the rest of {home.name}: {error}")
        finally:
            measured += bench.found
            home.close()
    return report(settings, measured, left_out, load_before)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    """The exit code: 0 when all was measured, whatever the figures; they are for a person to judge."""
    rows = BIG_ROWS if os.environ.get("BIG") else int(os.environ.get("N", "") or 1_000_000)
    settings = msgspec.structs.replace(Settings(), rows=rows)
    cache = Path(os.environ["BENCH_CACHE"]).expanduser().absolute() if os.environ.get("BENCH_CACHE") else None
    WORK.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=WORK) as work:
        done = measure(settings, os.environ.get("LAKOU_TEST_POSTGRES"), cache, Path(work))
    _say(f"Kept in {done.write(RESULTS).relative_to(RESULTS.parent.parent)}")
    print(done.markdown())
    return 1 if any(reason.startswith("the rest") for reason in done.left_out) else 0


if __name__ == "__main__":
    sys.exit(main())
