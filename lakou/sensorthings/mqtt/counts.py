"""What happened over MQTT since the start, as plain numbers for /metrics. The hot path pays one addition."""

from __future__ import annotations

from collections.abc import Iterator


class Counts:
    """`refused` are publishes that were not stored, `dropped` messages that a subscriber was too slow for."""

    __slots__ = ("connections", "dropped", "published", "refused", "sent", "turned_away")

    def __init__(self) -> None:
        self.connections = 0
        self.turned_away = 0
        self.published = 0
        self.refused = 0
        self.sent = 0
        self.dropped = 0

    def samples(self) -> Iterator[tuple[str, tuple[str, ...], float]]:
        """Figures for the page of metrics: (name, labels, value)."""
        yield "lakou_mqtt_connections", (), self.connections
        for name in ("published", "refused", "sent", "dropped", "turned_away"):
            yield f"lakou_mqtt_{name}_total", (), getattr(self, name)
