"""Every read of connectors worth naming."""

from __future__ import annotations

from typing import NamedTuple

from lakou.connectors.connector import connectors
from lakou.connectors.models import ConnectorRun, ConnectorState
from lakou.connectors.reading import Meta


class Standing(NamedTuple):
    """A known connector with its state; None when it never ran."""

    meta: Meta
    state: ConnectorState | None


def standings() -> list[Standing]:
    """Every known connector, in alphabetical order."""
    states = ConnectorState.objects.in_bulk()
    return [Standing(found.meta, states.get(name)) for name, found in connectors().items()]


def last_runs(name: str, *, limit: int = 20) -> list[ConnectorRun]:
    """The latest runs of a connector, newest first."""
    return list(ConnectorRun.objects.filter(connector_id=name)[:limit])


def failures_of(name: str) -> int:
    """Failed runs in a row; 0 for a connector that never ran."""
    return ConnectorState.objects.filter(name=name).values_list("failures", flat=True).first() or 0
