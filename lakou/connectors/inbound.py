"""What this process's connectors work with: the SensorThings service and the tables `[connectors…]`.

The server calls `install` once, when the service has started; webhooks, scheduler and commands ask `current`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from lakou.connectors.connector import connectors
from lakou.connectors.entities import Entities, SensorThings
from lakou.connectors.guard import Policy
from lakou.connectors.reading import Options, is_number
from lakou.connectors.running import policy_of, run_connector
from lakou.connectors.scheduler import Job
from lakou.kernel.errors import BadRequest, Unavailable
from lakou.sensorthings.access import ADMIN

DEFAULT_UNCLAIMED = 100


@dataclass(frozen=True, slots=True)
class Inbound:
    """`tables` is the part `connectors` of the configuration: one table by connector name, and `allow_hosts`."""

    entities: Entities
    tables: Mapping[str, Any]
    policy: Policy

    def options(self, name: str) -> Options:
        """The table of one connector, empty when it has none. Raises BadRequest when it is no table."""
        table = self.tables.get(name, {})
        if not isinstance(table, Mapping):
            raise BadRequest("A table is expected.", place=f"connectors.{name}", code="configuration")
        return table

    def jobs(self) -> list[Job]:
        """A job for each polling connector that the configuration enables; off unless `enabled = true`."""
        jobs = []
        for name, found in connectors().items():
            options = self.options(name)
            if found.meta.period_s is None or options.get("enabled") is not True:
                continue
            period = options.get("period_s", found.meta.period_s)
            if not is_number(period) or not 10 <= period <= 86_400:
                raise BadRequest(
                    "The period is out of range.",
                    place=f"connectors.{name}.period_s",
                    hint="Seconds, from 10 to 86400.",
                    code="configuration",
                )
            run = partial(
                run_connector, name, entities=self.entities, principal=ADMIN, options=options, policy=self.policy
            )
            jobs.append(Job(name, period, run))
        return jobs


def make(service: SensorThings, tables: Mapping[str, Any]) -> Inbound:
    """Raises BadRequest (code `configuration`) for a value that cannot be used."""
    policy = policy_of(tables)
    lorawan = tables.get("lorawan", {})
    limit = lorawan.get("max_unclaimed", DEFAULT_UNCLAIMED) if isinstance(lorawan, Mapping) else DEFAULT_UNCLAIMED
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 0:
        raise BadRequest(
            "max_unclaimed is not a whole number.", place="connectors.lorawan.max_unclaimed", code="configuration"
        )
    return Inbound(Entities(service, limit), tables, policy)


_current: Inbound | None = None


def install(service: SensorThings, tables: Mapping[str, Any]) -> Inbound:
    """Make this the inbound side of the process. Raises BadRequest as `make`."""
    global _current
    _current = make(service, tables)
    return _current


def uninstall() -> None:
    """The service is stopping: later webhooks are told to come again."""
    global _current
    _current = None


def current() -> Inbound:
    """Raises Unavailable while the service has not started."""
    if _current is None:
        raise Unavailable("The service is starting or stopping.", hint="Send the message again in a moment.")
    return _current
