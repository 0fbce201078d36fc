"""What the loaders share: the outcome of a load, the meter that counts it, and the process that it runs in.

What did not succeed is refused: errors are fast, and would flatter the figure.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TypeVar

import msgspec

GRACE_S = 60.0
BUSY_SHARE = 0.9
_CHECKOUT = Path(__file__).parent.parent

T = TypeVar("T")


class LoadError(Exception):
    """The load could not be made, or was answered with errors: such a run measures nothing."""


class Outcome(msgspec.Struct, frozen=True):
    """What was answered in `seconds` after the warm-up, the last answers included. Latencies in milliseconds.

    `statuses` counts by HTTP status, 0 for an answer that did not come whole or refused a row. `sent` counts the
    warm-up too. `loader_share` is the share of a core that the loader itself used meanwhile.
    """

    requests: int
    sent: int
    seconds: float
    p50_ms: float
    p99_ms: float
    worst_ms: float
    statuses: dict[int, int]
    first_refusal: str
    loader_share: float

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.requests / self.seconds


class Meter:
    """Counts answers, from all connections."""

    def __init__(self, begin: float, end: float) -> None:
        self.begin = begin
        self.end = end
        self.last = begin
        self.latencies: list[float] = []
        self.sent = 0
        self.statuses: Counter[int] = Counter()
        self.first_refusal = ""
        self._cpu_begin: float | None = None

    def answered(self, status: int, sent_at: float) -> bool:
        """Count an answer; whether to go on."""
        now = time.perf_counter()
        self.statuses[status] += 1
        if now >= self.begin:
            if self._cpu_begin is None:
                self._cpu_begin = time.process_time()
            self.last = now
            self.latencies.append(now - sent_at)
        return now < self.end

    def outcome(self) -> Outcome:
        """What was counted."""
        found = sorted(self.latencies) or [0.0]
        seconds = max(self.last - self.begin, 1e-6)
        used = 0.0 if self._cpu_begin is None else time.process_time() - self._cpu_begin
        return Outcome(
            requests=len(self.latencies),
            sent=self.sent,
            seconds=seconds,
            p50_ms=percentile(found, 0.5),
            p99_ms=percentile(found, 0.99),
            worst_ms=percentile(found, 1.0),
            statuses=dict(self.statuses),
            first_refusal=self.first_refusal,
            loader_share=used / seconds,
        )


def run_loader(module: str, job: msgspec.Struct, answer: type[T], seconds: float) -> T:
    """The answer of `python -m module` to a job that takes so many seconds. Raises LoadError when it fails."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", module],
            input=msgspec.json.encode(job),
            capture_output=True,
            timeout=seconds + GRACE_S,
            check=False,
            cwd=_CHECKOUT,
        )
    except subprocess.TimeoutExpired as error:
        raise LoadError(f"{module} did not end within {error.timeout:.0f} s") from error
    if done.returncode != 0:
        *_, last = done.stderr.decode(errors="replace").strip().splitlines() or [f"{module} failed"]
        raise LoadError(last[-500:])
    return msgspec.json.decode(done.stdout, type=answer)


def succeeded(outcome: Outcome) -> Outcome:
    """The same outcome. Raises LoadError when anything but success was answered."""
    if not outcome.requests or any(not 200 <= status < 300 for status in outcome.statuses):
        raise LoadError(f"The server answered {outcome.statuses}: {outcome.first_refusal}")
    return outcome


def percentile(ordered: list[float], share: float) -> float:
    """The value below which that share lies, in milliseconds; of sorted seconds, at least one."""
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1_000, 3)
