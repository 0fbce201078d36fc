"""What the matrix has left behind: what was refused nothing at all, what was accepted all of it.

A status is a claim; the store is looked at when everything was asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from lakou.kernel.time import parse_instant
from lakou.server.endpoints import SETS, Endpoint
from tests.server.matrix.asking import Ask, takes_effect
from tests.server.matrix.site import DATA, Site


class Trace(NamedTuple):
    """What a request would leave, and whether it may."""

    row: Endpoint
    column: str
    marks: tuple[object, ...]
    is_accepted: bool


class Traces:
    """The marks of all requests that write."""

    def __init__(self) -> None:
        self._sent: list[Trace] = []

    def __len__(self) -> int:
        return len(self._sent)

    def took(self, row: Endpoint, column: str, ask: Ask) -> None:
        """Remember the marks of a request."""
        if ask.marks:
            self.sent(row, column, ask.marks)

    def sent(self, row: Endpoint, column: str, marks: tuple[object, ...]) -> None:
        """Remember marks."""
        self._sent.append(Trace(row, column, marks, takes_effect(row, column)))

    def faults(self, site: Site) -> Iterator[str]:
        """What is there and must not be, or the other way round."""
        stored, shown = _stored(site), _shown(site)
        for row, column, marks, is_accepted in self._sent:
            name = f"{row.method} {row.path} {row.form} {column}"
            for mark in marks:
                is_there = mark in stored if row.path.startswith((DATA, "v1.1/")) else str(mark) in shown
                if is_there and not is_accepted:
                    yield f"{name}: {mark} was refused and is there"
                # What was changed is changed again by others; what was made stays.
                if not is_there and is_accepted and row.method in ("POST", "PUBLISH") and "PATCH" not in row.form:
                    yield f"{name}: {mark} was accepted and is not there"
        for world in (site.public, site.restricted):
            for name, id_ in world.ids.items():
                if site.send("admin", "GET", f"{DATA}{name}({id_})").status_code != 200:
                    yield f"{name}({id_}) was deleted by who may not"


def _stored(site: Site) -> set[object]:
    found: set[object] = set()
    for name in SETS:
        for one in _all(site, name):
            result = one.get("result")
            values = (one.get("name"), *(result if isinstance(result, list) else (result,)))
            found.update(value for value in values if isinstance(value, str | int | float))
            if name == "HistoricalLocations":
                found.add(parse_instant(str(one["time"])))
    return found


def _all(site: Site, name: str) -> Iterator[dict[str, object]]:
    selected = {"Observations": "id,result", "HistoricalLocations": "id,time"}.get(name, "id,name")
    target = f"{DATA}{name}?$select={selected}&$top=10000"
    while target:
        page = site.send("admin", "GET", target).json()
        yield from page["value"]
        target = page.get("@iot.nextLink", "")


def _shown(site: Site) -> str:
    """The pages that list tokens, people with invitations, and organisations, as the site's administrator sees them."""
    paths = ("/administration/jetons/", "/administration/personnes/", "/administration/organisations/")
    return "".join(site.witness.get(path).text for path in paths)
