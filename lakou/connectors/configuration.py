"""The tables `[connectors]` and `[connectors.NAME]` of lakou.toml, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lakou.connectors.connector import connectors
from lakou.connectors.guard import Policy
from lakou.connectors.mqtt_bridge import Bridge, bridges
from lakou.connectors.reading import Options, is_number
from lakou.kernel.errors import BadRequest

DEFAULT_UNCLAIMED = 100


@dataclass(frozen=True, slots=True)
class Settings:
    """`options` by connector name; `periods_s` of the enabled polling connectors (off unless `enabled = true`).

    `bridges` are the outside brokers to listen to.
    """

    options: Mapping[str, Options]
    periods_s: Mapping[str, float]
    max_unclaimed: int
    policy: Policy
    bridges: tuple[Bridge, ...] = ()


def settings(tables: Mapping[str, Any]) -> Settings:
    """Read the part `connectors` of the configuration. Raises BadRequest (code `configuration`) with the place."""
    options = {name: _options(tables, name) for name in connectors()}
    periods = {
        name: _period_s(name, options[name], found.meta.period_s)
        for name, found in connectors().items()
        if found.meta.period_s is not None and options[name].get("enabled") is True
    }
    limit = options["lorawan"].get("max_unclaimed", DEFAULT_UNCLAIMED)
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 0:
        raise _wrong("lorawan.max_unclaimed", "must be a whole number", "For example 100; 0 refuses unknown devices.")
    heard = tuple(bridge for bridge in bridges(options["mqtt_bridge"]) if bridge.enabled)
    return Settings(options, periods, limit, Policy(allow_hosts=_allowed_hosts(tables)), heard)


def _options(tables: Mapping[str, Any], name: str) -> Options:
    table = tables.get(name, {})
    if not isinstance(table, Mapping):
        raise _wrong(name, "must be a table", f"Write [connectors.{name}].")
    if not isinstance(table.get("enabled", False), bool):
        raise _wrong(f"{name}.enabled", "must be true or false", "enabled = true")
    return table


def _period_s(name: str, options: Options, default_s: int) -> float:
    period = options.get("period_s", default_s)
    if not is_number(period) or not 10 <= period <= 86_400:
        raise _wrong(f"{name}.period_s", "is out of range", "Give seconds, from 10 to 86400.")
    return period


def _allowed_hosts(tables: Mapping[str, Any]) -> frozenset[str]:
    hosts = tables.get("allow_hosts", [])
    if not isinstance(hosts, (list, tuple)) or not all(isinstance(host, str) for host in hosts):
        raise _wrong("allow_hosts", "must be a list of host names", 'For example allow_hosts = ["sensors.internal"].')
    return frozenset(host.lower() for host in hosts)


def _wrong(name: str, message: str, hint: str) -> BadRequest:
    place = f"connectors.{name}"
    return BadRequest(f"{place} {message}.", place=place, hint=hint, code="configuration")
