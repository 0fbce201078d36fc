"""Where the pages find the data plane: the server puts the service here once, the views take it from here.

The pages ask as any client would, by URL, in the same process and with the visitor's rights.
"""

from __future__ import annotations

from typing import Protocol

from lakou.kernel.errors import Unavailable
from lakou.sensorthings.access import Principal


class Answered(Protocol):
    """What a call gives back: status, headers and body of the same request over HTTP."""

    @property
    def status(self) -> int: ...
    @property
    def body(self) -> bytes: ...


class DataService(Protocol):
    """What the pages need of `lakou.sensorthings.service.Service`."""

    async def call(self, principal: Principal, method: str, target: str, /) -> Answered:
        """Answer `target`, a path and query below the service root, as this principal may see it."""
        ...


_held: dict[str, DataService] = {}


def set_service(service: DataService | None) -> None:
    """Called by the server when the data plane is ready (and with None when it closes)."""
    if service is None:
        _held.clear()
    else:
        _held["service"] = service


def get_service() -> DataService:
    """The service in use. Raises Unavailable before the server has put one."""
    try:
        return _held["service"]
    except KeyError:
        raise Unavailable("The data plane is not ready", hint="Try again in a moment.") from None
