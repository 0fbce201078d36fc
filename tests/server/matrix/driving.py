"""Drives every cell, by every caller over every way, and keeps what was found.

The client is one event loop beside the server: what it measures of time is the server's.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict

from lakou.server.endpoints import COLUMNS, ENDPOINTS, Endpoint
from tests.server.matrix import mqtt
from tests.server.matrix.asking import Ask
from tests.server.matrix.callers import Caller, callers, stages
from tests.server.matrix.site import Site
from tests.server.matrix.traces import Traces

Cell = tuple[Endpoint, str]


class Driven:
    """What came of it: the ways in which each cell was asked, and every answer that is not the cell's."""

    def __init__(self) -> None:
        self.ways: defaultdict[Cell, set[str]] = defaultdict(set)
        self.wrong: list[str] = []
        self.traces = Traces()
        self.asked = 0
        self.seconds = 0.0

    def took(self, row: Endpoint, column: str, ask: Ask) -> None:
        """Note a request, and what it would leave behind."""
        self.asked += 1
        self.traces.took(row, column, ask)

    def found(self, row: Endpoint, column: str, way: str, *answers: int) -> None:
        """Note the answers of a cell."""
        self.ways[row, column].add(way)
        wrong = set(answers) - {row.status(column)}
        if wrong:
            name = f"{row.method} {row.path} {row.form}".rstrip()
            self.wrong.append(f"{name} {column} ({way}): {sorted(wrong)}, not {row.status(column)}")

    @property
    def undriven(self) -> list[Cell]:
        """The cells that nobody has asked."""
        return [(row, column) for row in ENDPOINTS for column in COLUMNS if not self.ways.get((row, column))]

    def size(self) -> str:
        """Rows, columns, cells, and how many were asked how often."""
        cells = len(ENDPOINTS) * len(COLUMNS)
        return (
            f"{len(ENDPOINTS)} rows × {len(COLUMNS)} columns = {cells:,} cells, {cells - len(self.undriven):,} driven, "
            f""
            f"{self.asked:,} requests over HTTP, all in {self.seconds:.1f} s"
        )


def drive(site: Site) -> Driven:
    """Ask everything."""
    driven = Driven()
    started = time.monotonic()
    asyncio.run(_drive(site, driven))
    driven.wrong += driven.traces.faults(site)
    driven.seconds = time.monotonic() - started
    return driven


async def _drive(site: Site, driven: Driven) -> None:
    everybody = list(callers(site))
    for stage, rows in stages().items():
        if stage == "end 0":  # what is said over MQTT is said while all tokens and sessions are there
            await mqtt.drive(site, driven)
        await asyncio.gather(*(_ask(caller, rows, driven) for caller in everybody))
    await asyncio.gather(*(caller.close() for caller in everybody))


async def _ask(caller: Caller, rows: list[Endpoint], driven: Driven) -> None:
    for row in rows:
        if caller.asks(row):
            answers = await caller.ask(row, driven.took)
            driven.found(row, caller.column, caller.way, *answers)
