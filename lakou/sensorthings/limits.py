"""The limits of DESIGN §4 as one frozen value, passed down from configuration."""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, frozen=True):
    """Bounds on what one request may ask. Sizes in bytes, times in seconds.

    `expand_rows` is the worst-case number of entities that one response may hold: pages of nested sets get
    smaller, never below `expand_page`, so that deep expands stay within it. Rates are requests a second, 0 for
    none, and do not count on loopback, nor does `live_per_address`. Over MQTT: the largest packet, connections in all,
    by token, and by address without one (not on loopback), topics of a session, those of them that cost a query for
    each commit, messages that wait for it, and the seconds that it outlives its connection.
    """

    default_top: int = 100
    max_top: int = 10_000
    url_bytes: int = 16_384
    tokens: int = 2_000
    depth: int = 64
    body_bytes: int = 8 * 1024 * 1024
    bulk_body_bytes: int = 1024 * 1024 * 1024
    expand_rows: int = 20_000_000
    expand_page: int = 1
    expand_items: int = 200
    timeout_anonymous_s: float = 5.0
    timeout_signed_s: float = 30.0
    count_timeout_s: float = 5.0
    batch_requests: int = 1_000
    commit_rows: int = 2_000
    queue_rows: int = 100_000
    hot_rows: int = 100_000
    groups: int = 200_000
    rate_anonymous: float = 20.0
    rate_device: float = 50.0
    rate_signed: float = 0.0
    live_clients: int = 5_000
    live_per_address: int = 50
    mqtt_packet_bytes: int = 256 * 1024
    mqtt_connections: int = 2_048
    mqtt_connections_token: int = 1_000
    mqtt_connections_anonymous: int = 100
    mqtt_topics: int = 5_000
    mqtt_queries: int = 50
    mqtt_backlog: int = 10_000
    mqtt_session_s: int = 7 * 24 * 3600
