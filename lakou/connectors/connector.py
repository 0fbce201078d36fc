"""What makes a module a connector, and the table of those that are known.

A connector is a module with `META`, `fetch` (None for a source that pushes) and `read`. Outside packages add
theirs through the entry-point group `lakou.connectors` (name = module); a built-in name cannot be taken.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points

import structlog

from lakou.connectors.guard import Get
from lakou.connectors.reading import Meta, Options, Reading
from lakou.kernel.errors import LakouError, NotFound

log = structlog.get_logger(__name__)

GROUP = "lakou.connectors"
BUILT_IN = ("ioc_sealevel", "lorawan", "mqtt_bridge", "usgs_earthquakes")

Fetched = tuple[tuple[str, bytes | LakouError], ...]
Fetch = Callable[[Get, Options], Awaitable[Fetched]]
Read = Callable[[bytes, str, Options], Reading]


@dataclass(frozen=True, slots=True)
class Connector:
    """`read(data, origin, options)`: `origin` is the URL or file name that the bytes come from."""

    meta: Meta
    read: Read
    fetch: Fetch | None


def load(module_name: str) -> Connector:
    """The connector in a module. Raises ImportError or AttributeError when it is none."""
    module = import_module(module_name)
    return Connector(meta=module.META, read=module.read, fetch=getattr(module, "fetch", None))


@cache
def connectors() -> dict[str, Connector]:
    """All known connectors by name, in alphabetical order. A broken outside package is logged and left out."""
    found = {name: load(f"lakou.connectors.{name}") for name in BUILT_IN}
    for point in entry_points(group=GROUP):
        if point.name in found:
            log.warning("connector of an outside package ignored: the name is taken", connector=point.name)
            continue
        try:
            found[point.name] = load(point.value)
        except Exception:  # an outside package may fail in any way; the others must still run
            log.exception("connector cannot be loaded", connector=point.name)
    return dict(sorted(found.items()))


def connector(name: str) -> Connector:
    """The connector of that name. Raises NotFound with the known names."""
    known = connectors()
    if name not in known:
        raise NotFound("There is no connector of this name.", place=name[:80], hint="Known: " + ", ".join(known))
    return known[name]
