"""`make bench`: measures on SQLite, and on PostgreSQL when LAKOU_TEST_POSTGRES names one; prints the tables.

N=… Observations in the full store (default 1,000,000; the promises speak of 10,000,000), BIG=1 for 100,000,000 with
stores of a hundredth and a tenth of it beside; BIG=1 N=… goes that same way in small, to see that it works.
BENCH_CACHE=folder keeps the filled stores for the next run.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench import measure, peers, tables
from bench.loading import LoadError
from bench.peers import Peer
from bench.places import Folders, Home, Schemas
from bench.promises import POSTGRES, POSTGRES_TWO, SQLITE, Measured
from bench.report import Machine, Report, read
from bench.server import product
from bench.session import Session, Settings
from bench.stream_loader import room

RESULTS = Path(__file__).parent / "results"
# Not the system's folder for temporary files: that may lie in memory, where nothing is durable.
WORK = Path(__file__).parent.parent / "build" / "bench"
BIG_ROWS = 100_000_000

Column = tuple[str, Home, Callable[[Session], None]]


def run(settings: Settings, postgres: str | None, cache: Path | None, work: Path, asked: list[Peer]) -> Report:
    """Measure every database there is, and the peers. What fails is told in the report and does not hide the rest."""
    machine = Machine()
    # Servers inherit it: one event stream is one descriptor.
    room(settings.clients)
    files = Folders(work, cache)
    homes: list[Home] = [files]
    columns: list[Column] = [(SQLITE, files, measure.one_worker)]
    left_out: list[str] = []
    if postgres is None:
        left_out.append("PostgreSQL (set LAKOU_TEST_POSTGRES).")
    else:
        homes.append(Schemas(postgres, work, cache))
        columns += [(POSTGRES, homes[1], measure.one_worker), (POSTGRES_TWO, homes[1], measure.two_workers)]
    measured: list[Measured] = []
    failures: list[str] = []
    try:
        for name, home, parts in columns:
            session = Session(home, name, settings, work, cache, _say)
            with session.part("the rest"):
                parts(session)
            measured += session.found
            failures += session.left_out
        compared = _compare(files, settings, asked, failures)
    finally:
        for home in homes:
            home.close()
    return machine.report(settings, measured, compared, [*left_out, *failures], bool(failures))


def _compare(files: Folders, settings: Settings, asked: list[Peer], failures: list[str]) -> list[Measured]:
    """The peers beside Lakou on an empty SQLite store."""
    if not asked:
        return []
    try:
        with product(files.empty("peers")) as server:
            comparison = peers.Comparison([peers.itself(server), *asked], settings, int(time.time()), _say)
            comparison.run()
    except LoadError as error:
        failures.append(f"peers: {error}")
        return []
    failures += comparison.left_out
    return comparison.found


def asked(environ: Mapping[str, str]) -> Settings:
    """How much is measured. Raises SystemExit for an N that is none."""
    text, is_big = environ.get("N", ""), bool(environ.get("BIG"))
    if text and not (text.isdecimal() and int(text) > 0):
        raise SystemExit(f"N is a number of Observations, such as 10000000, and not {text}")
    rows = int(text or (BIG_ROWS if is_big else Settings().rows))
    return Settings(rows=rows, steps=(rows // 100, rows // 10)) if is_big else Settings(rows=rows)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _newest() -> Path:
    kept = sorted(RESULTS.glob("*.json"))
    if not kept:
        raise SystemExit(f"No run is kept in {RESULTS}: make bench first")
    return kept[-1]


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures the promises of the design.")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=URL", help="another service; repeatable")
    parser.add_argument("--table-into", type=Path, metavar="PAGE", help="put the tables of a kept run into a page")
    parser.add_argument("--from", type=Path, dest="kept", metavar="RESULT", help="which run; else the newest")
    found = parser.parse_args(given)
    try:
        found.peer = [peers.peer(text, os.environ) for text in found.peer]
    except ValueError as error:
        parser.error(str(error))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0 when all was measured, whatever the figures; they are for a person to judge."""
    given = _arguments(arguments)
    if given.table_into is not None:
        tables.into(given.table_into, tables.markdown(read(given.kept or _newest())))
        return 0
    settings = asked(os.environ)
    cache = Path(os.environ["BENCH_CACHE"]).expanduser().absolute() if os.environ.get("BENCH_CACHE") else None
    WORK.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=WORK) as work:
        # A hundred million keys are sorted in files: SQLite's own choice may be a folder in memory.
        os.environ["SQLITE_TMPDIR"] = work
        done = run(settings, os.environ.get("LAKOU_TEST_POSTGRES"), cache, Path(work), given.peer)
    _say(f"Kept in {done.write(RESULTS).relative_to(RESULTS.parent.parent)}")
    print(tables.markdown(done))
    return 1 if done.failed else 0


if __name__ == "__main__":
    sys.exit(main())
