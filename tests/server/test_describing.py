"""The description of the civic API stands beside SensorThings', whole and without clashes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lakou.sensorthings import openapi
from lakou.server import describing

BASE = "https://lakou.example.org/sta/v1.1"
DOCUMENT = describing.document(BASE)


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from references(item)


def test_nothing_of_sensorthings_is_lost_or_changed() -> None:
    before = openapi.document(BASE)
    assert before["paths"].items() <= DOCUMENT["paths"].items()
    assert before["components"]["schemas"].items() <= DOCUMENT["components"]["schemas"].items()


def test_civic_paths_name_the_root_of_the_server() -> None:
    civic = {path: item for path, item in DOCUMENT["paths"].items() if path.startswith("/api/")}
    assert set(civic) == {"/api/territory", "/api/places", "/api/places/{key}", "/api/layers", "/api/layers/{key}"}
    assert all(item["servers"] == [{"url": "https://lakou.example.org"}] for item in civic.values())


def test_every_reference_leads_somewhere_and_operations_have_names_of_their_own() -> None:
    for ref in set(references(DOCUMENT)):
        found: Any = DOCUMENT
        for step in ref.removeprefix("#/").split("/"):
            found = found[step]
    items = DOCUMENT["paths"].values()
    named = [one["operationId"] for item in items for one in item.values() if isinstance(one, dict)]
    assert len(named) == len(set(named))
