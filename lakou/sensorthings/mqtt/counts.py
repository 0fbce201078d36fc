"""What happened over MQTT since the start, as plain numbers for /metrics. The hot path pays one addition."""

from __future__ import annotations


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
