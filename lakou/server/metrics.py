"""`/metrics` for Prometheus: requests, commits, sizes, and the process itself (trust R17).

Not public (ASVS 13.4.5): a token of an agent or an administrator is asked for. Each process answers for itself; where
there are several, every figure carries the label `worker`. Other parts add theirs by `add`: a line in
`families.FAMILIES` and a source that yields samples.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from lakou import __version__
from lakou.identity import policy
from lakou.identity.policy import Actor
from lakou.kernel.histogram import Histogram
from lakou.server.families import FAMILIES, Family

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
METHODS = {name: name for name in ("GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS")}
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
STATUS = ("cut", "1xx", "2xx", "3xx", "4xx", "5xx")
_WITHOUT_DURATION = "live"

Sample = tuple[str, tuple[str, ...], float | Histogram]
Source = Callable[[], Iterable[Sample]]


class Requests:
    """The requests of this process. `count` is on the way of each one: no lock, no string is made."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, int], int] = {}
        self._seconds: dict[str, Histogram] = {}

    def count(self, part: str, method: str, status: int, seconds: float) -> None:
        """Note an answered request; status 0 for one that was cut off before its answer."""
        key = (part, method, status)
        counts = self._counts
        counts[key] = counts.get(key, 0) + 1
        if part != _WITHOUT_DURATION:
            found = self._seconds.get(part)
            if found is None:
                found = self._seconds[part] = Histogram(*SECONDS)
            found.add(seconds)

    def samples(self) -> Iterator[Sample]:
        """By class of status: single ones are in the access log."""
        classes: dict[tuple[str, str, str], int] = {}
        for (part, method, status), count in list(self._counts.items()):
            key = (part, METHODS.get(method, "other"), STATUS[status // 100 if 100 <= status < 600 else 0])
            classes[key] = classes.get(key, 0) + count
        for labels, count in classes.items():
            yield "lakou_requests_total", labels, count
        for part, seconds in list(self._seconds.items()):
            yield "lakou_request_duration_seconds", (part,), seconds


class Metrics:
    """All figures of this process, gathered from their sources when they are asked for."""

    def __init__(self, *, several: bool = False) -> None:
        self.requests = Requests()
        self._families = {family.name: family for family in FAMILIES}
        self._sources: list[Source] = [self.requests.samples, _build]
        self._registry = CollectorRegistry()
        worker = str(os.getpid()) if several else None
        own = CollectorRegistry()
        for collector in (_Figures(self), ProcessCollector(registry=own), GCCollector(registry=own)):
            self._registry.register(collector if worker is None else _OfWorker(collector, worker))

    def add(self, source: Source) -> None:
        """Ask this source too, from now on. Its samples are (name of a family, values of its labels, value)."""
        self._sources.append(source)

    def collect(self) -> Iterator[Metric]:
        """The families that have samples, in the order of the table. Raises KeyError for one that is not in it."""
        found: dict[str, list[Sample]] = {name: [] for name in self._families}
        for source in list(self._sources):
            for sample in source():
                found[sample[0]].append(sample)
        for name, samples in found.items():
            if samples:
                yield _family(self._families[name], samples)

    def page(self) -> bytes:
        """The text exposition format."""
        return generate_latest(self._registry)


def check_reader(actor: Actor) -> None:
    """Raises Unauthorized for a stranger, Forbidden for one whom the policy does not let read the figures."""
    policy.require(actor, policy.Action.READ, policy.Object(policy.Kind.METRICS, label="metrics"))


def _build() -> Iterator[Sample]:
    yield "lakou_build_info", (__version__,), 1


def _family(family: Family, samples: list[Sample]) -> Metric:
    if family.kind == "histogram":
        histogram = HistogramMetricFamily(family.name, family.meaning, labels=family.labels)
        for _, labels, value in samples:
            assert isinstance(value, Histogram)  # noqa: S101
            histogram.add_metric(labels, value.cumulative(), value.total)
        return histogram
    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    found = kind(family.name, family.meaning, labels=family.labels)
    for _, labels, value in samples:
        assert not isinstance(value, Histogram)  # noqa: S101
        found.add_metric(labels, value)
    return found


class _Figures(Collector):
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        return self._metrics.collect()


class _OfWorker(Collector):
    """The same figures with the label `worker`: the number of the process."""

    def __init__(self, inner: Collector, worker: str) -> None:
        self._inner = inner
        self._worker = worker

    def collect(self) -> Iterator[Metric]:
        for metric in self._inner.collect():
            metric.samples = [
                sample._replace(labels={**sample.labels, "worker": self._worker}) for sample in metric.samples
            ]
            yield metric
