"""`/metrics` for Prometheus: requests by part of the application, and the process itself (trust R17).

Not public (ASVS 13.4.5): a token of an agent or an administrator is asked for. Each process answers for itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from lakou import __version__
from lakou.kernel.errors import Forbidden, Unauthorized
from lakou.sensorthings.access import Principal
from lakou.sensorthings.mqtt import counts as mqtt

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
PARTS = ("sensorthings", "live", "mqtt", "pages", "static", "state")
_MQTT = (
    ("published", "Observations stored from MQTT"),
    ("refused", "Messages to MQTT that were not stored"),
    ("sent", "Messages sent to MQTT subscribers"),
    ("dropped", "Messages that an MQTT subscriber was too slow for"),
    ("turned_away", "MQTT connections refused or ended for what they sent"),
)


class Counts:
    """Requests since the start, by part. A plain dictionary: the hot path pays one addition."""

    def __init__(self, mqtt: mqtt.Counts) -> None:
        self._mqtt = mqtt
        self.requests = dict.fromkeys(PARTS, 0)
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def collect(self) -> Iterator[Metric]:
        """The families of this process, in the form that the Prometheus client library asks of a collector."""
        requests = CounterMetricFamily("lakou_requests", "Requests since the start", labels=["part"])
        for part, count in self.requests.items():
            requests.add_metric([part], count)
        yield requests
        for name, meaning in _MQTT:
            family = CounterMetricFamily(f"lakou_mqtt_{name}", meaning)
            family.add_metric([], getattr(self._mqtt, name))
            yield family
        yield GaugeMetricFamily("lakou_mqtt_connections", "Open MQTT connections", value=self._mqtt.connections)
        version = GaugeMetricFamily("lakou_build_info", "The running version", labels=["version"])
        version.add_metric([__version__], 1)
        yield version

    def page(self, principal: Principal) -> bytes:
        """The text exposition format. Raises Unauthorized for a stranger, Forbidden for a device."""
        if principal.role == "anonymous":
            raise Unauthorized("A token is needed", place="Authorization", hint="one with the role agent or admin")
        if principal.role not in ("agent", "admin"):
            raise Forbidden("This token may not read the metrics", hint="one with the role agent or admin may")
        return generate_latest(self._registry)
