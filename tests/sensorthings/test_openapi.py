"""The OpenAPI document: complete against the model, sound in itself, and true for the running service."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from lakou.kernel.errors import LakouError
from lakou.sensorthings import openapi
from lakou.sensorthings.grammar import options
from lakou.sensorthings.model import ENTITY_TYPES, EntityType
from tests.sensorthings import bodies
from tests.sensorthings.caller import Caller

BASE = "https://sta.example.org/sta/v1.1"
DOCUMENT = openapi.document(BASE)
METHODS = ("get", "post", "patch", "put", "delete")


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def resolved(ref: str) -> Any:
    found: Any = DOCUMENT
    for step in ref.removeprefix("#/").split("/"):
        found = found[step]
    return found


def test_head_of_the_document() -> None:
    assert re.fullmatch(r"3\.1\.\d+", DOCUMENT["openapi"])
    assert DOCUMENT["servers"] == [{"url": BASE}]
    assert {"title", "version"} <= set(DOCUMENT["info"])


def test_it_is_plain_json() -> None:
    assert msgspec.json.decode(msgspec.json.encode(DOCUMENT)) == DOCUMENT


def test_every_reference_leads_somewhere() -> None:
    found = set(references(DOCUMENT))
    assert len(found) > 50
    for ref in found:
        assert isinstance(resolved(ref), dict), ref


def test_every_component_is_used() -> None:
    found = set(references(DOCUMENT))
    for section in ("schemas", "parameters", "responses"):
        for name in DOCUMENT["components"][section]:
            assert f"#/components/{section}/{name}" in found, name


def test_operation_ids_are_unique_and_paths_have_known_methods() -> None:
    ids = [operation["operationId"] for _, _, operation in operations()]
    assert len(ids) == len(set(ids))
    assert {method for _, method, _ in operations()} <= set(METHODS)


def test_path_parameters_are_declared() -> None:
    for path, _, operation in operations():
        named = set(re.findall(r"\{(\w+)\}", path))
        given = [resolved(p["$ref"]) for p in operation["parameters"]]
        assert {p["name"] for p in given if p["in"] == "path"} == named, path


def test_every_operation_answers_and_may_refuse() -> None:
    for path, method, operation in operations():
        statuses = set(operation["responses"])
        assert statuses & {"200", "201"}, (path, method)
        assert {"400", "401", "404", "503"} <= statuses, (path, method)
        assert all(
            "description" in (resolved(r["$ref"]) if "$ref" in r else r) for r in operation["responses"].values()
        )


def test_writing_needs_a_token_and_reading_none() -> None:
    for path, method, operation in operations():
        needs: Any = operation.get("security") or DOCUMENT["security"]
        assert ({} in needs) == (method == "get" or path == "/$batch"), (path, method)
    assert set(DOCUMENT["components"]["securitySchemes"]) == {"bearer", "basic"}


@pytest.mark.parametrize("type_", ENTITY_TYPES, ids=lambda t: t.name)
def test_every_property_and_link_of_the_model_is_described(type_: EntityType) -> None:
    one = f"/{type_.plural}({{id}})"
    assert set(DOCUMENT["paths"][f"/{type_.plural}"]) == {"get", "post", "delete"}
    assert set(DOCUMENT["paths"][one]) == {"get", "patch", "put", "delete"}
    shown = DOCUMENT["components"]["schemas"][type_.name]["properties"]
    taken = DOCUMENT["components"]["schemas"][f"{type_.name}New"]
    for prop in type_.properties:
        wire = "@iot.id" if prop.name == "id" else prop.name
        assert wire in shown
        assert f"{one}/{wire}" in DOCUMENT["paths"]
        assert (prop.name in taken["properties"]) == (prop.name != "id" and not prop.derived)
    assert set(taken.get("required", ())) == {p.name for p in type_.properties if p.required}
    for link in type_.links:
        assert link.name in shown
        assert link.name in taken["properties"]
        assert ("post" in DOCUMENT["paths"][f"{one}/{link.name}"]) == link.many


def test_every_query_option_is_a_parameter() -> None:
    described = {p["name"] for p in DOCUMENT["components"]["parameters"].values() if p["in"] == "query"}
    assert described == set(options._READERS) - {"$id"}


def test_every_error_of_the_family_is_a_response() -> None:
    assert set(DOCUMENT["components"]["responses"]) == {kind.__name__ for kind in LakouError.__subclasses__()}
    statuses = [kind.status for kind in LakouError.__subclasses__()]
    assert len(statuses) == len(set(statuses))


def test_what_is_described_is_there(caller: Caller) -> None:
    """Every path that can be read answers in a world where each entity is number 1 (or 2, for a MultiDatastream)."""
    caller.make("Things", bodies.station(Datastreams=[bodies.datastream(Observations=[{"result": 1}])]))
    caller.make("Things(1)/MultiDatastreams", bodies.multi_datastream())
    for path, method, _ in operations():
        if method == "get":
            id_ = "2" if path.startswith("/MultiDatastreams") else "1"
            answer = caller.call("GET", path.replace("{id}", id_).lstrip("/"))
            missing = answer.status == 404 and path.startswith("/Observations({id})/MultiDatastream")
            assert answer.status in (200, 204) or missing, (path, answer.body)
