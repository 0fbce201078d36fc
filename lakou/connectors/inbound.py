"""What this process's connectors work with: the SensorThings service and the tables `[connectors…]`.

The server calls `install` once, when the service has started; webhooks, scheduler and commands ask `current`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from lakou.connectors.configuration import Settings, settings
from lakou.connectors.connector import connector
from lakou.connectors.entities import Entities, SensorThings
from lakou.connectors.guard import Policy
from lakou.connectors.reading import Options
from lakou.connectors.running import run_connector
from lakou.connectors.scheduler import Job
from lakou.kernel.errors import Unavailable
from lakou.sensorthings.access import ADMIN


@dataclass(frozen=True, slots=True)
class Inbound:
    """Where to deliver, and the settings of every connector."""

    entities: Entities
    settings: Settings

    @property
    def policy(self) -> Policy:
        return self.settings.policy

    def options(self, name: str) -> Options:
        """The table of one connector, empty when it has none. Raises NotFound for an unknown connector."""
        return self.settings.options[connector(name).meta.name]

    def jobs(self) -> list[Job]:
        """A job for each polling connector that the configuration enables."""
        return [Job(name, period_s, self._run(name)) for name, period_s in self.settings.periods_s.items()]

    def _run(self, name: str) -> partial[Any]:
        return partial(
            run_connector,
            name,
            entities=self.entities,
            principal=ADMIN,
            options=self.options(name),
            policy=self.policy,
        )


def make(service: SensorThings, tables: Mapping[str, Any]) -> Inbound:
    """`tables` is the part `connectors` of the configuration. Raises BadRequest (code `configuration`)."""
    checked = settings(tables)
    return Inbound(Entities(service, checked.max_unclaimed), checked)


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
