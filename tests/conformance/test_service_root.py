"""The service root and what the service says of itself (18-088 §9.2.1 and §7)."""

from __future__ import annotations

import pytest

from tests.conformance.model import ALL_TYPES
from tests.conformance.requirements import FROST, PREFIX, STANDARD, requirement
from tests.harness.client import Api, describe

HTTP_IDS = [name for name in STANDARD if "-via-mqtt/" not in name]
INSIDE = "https://github.com/INSIDE-information-systems/SensorThingsAPI/blob/master/"

EXTENSION_URIS: dict[str, tuple[str, ...]] = {
    "CSV": (f"{FROST}CSV-ResultFormat.html", f"{INSIDE}CSV-ResultFormat/CSV-ResultFormat.md"),
    "GeoJSON": (f"{FROST}GeoJSON-ResultFormat.html",),
    "DeepSelect": (f"{FROST}DeepSelect.html",),
    "SelectDistinct": (f"{FROST}SelectDistinct.html",),
    "FilteredDelete": (f"{FROST}FilteredDelete.html",),
    "EntityLinking": (f"{FROST}EntityLinking.html", f"{INSIDE}EntityLinking/Linking.md"),
    "JsonBatchRequest": (f"{FROST}JsonBatchRequest.html",),
    "ResponseMetadata": (f"{FROST}ResponseMetadata.html",),
}


@requirement("resource-path/resource-path-to-entities")
@pytest.mark.parametrize("set_name", [kind.set_name for kind in ALL_TYPES])
def test_root_lists_the_entity_set_with_an_absolute_address(anon: Api, set_name: str) -> None:
    listed = {item["name"]: item["url"] for item in anon.read("")["value"]}
    assert listed[set_name] == f"{anon.base}/{set_name}"


@requirement("resource-path/resource-path-to-entities")
@pytest.mark.parametrize("ending", ["", "/"])
def test_root_answers_with_and_without_a_trailing_slash(anon: Api, ending: str) -> None:
    response = anon.get(anon.base + ending)
    assert response.status_code == 200, describe(response)
    assert response.headers["Content-Type"].startswith("application/json")


@requirement("request-data/status-code")
@pytest.mark.parametrize("identifier", HTTP_IDS)
def test_root_announces_the_requirement(anon: Api, identifier: str) -> None:
    """Servers announce classes or single requirements; a class covers its requirements (FROST does the former)."""
    announced = set(anon.read("")["serverSettings"]["conformance"])
    parts = (PREFIX + identifier).split("/")
    prefixes = {"/".join(parts[:end]) for end in range(len(PREFIX.split("/")), len(parts) + 1)}
    assert announced & prefixes, sorted(announced)


@requirement("request-data/status-code")
@pytest.mark.parametrize("name", EXTENSION_URIS)
def test_root_announces_the_extension_under_its_known_address(anon: Api, name: str) -> None:
    announced = set(anon.read("")["serverSettings"]["conformance"])
    assert announced & set(EXTENSION_URIS[name]), sorted(announced)


@requirement("resource-path/resource-path-to-entities")
@pytest.mark.parametrize(
    "path",
    [
        "Nothing",
        "things",
        "Thing",
        "Things/Nothing",
        "Sensors(1)/Nothing",
        "Things()",
        "Things(1)(2)",
        "Things(1))",
        "Things(('1')",
        "$nothing",
        "Things(1)/$nothing",
        "Things(1)/Locations(1)/Nothing",
        "CreateObservation",
        "Things(1)/name/extra",
    ],
)
def test_unknown_path_is_refused(anon: Api, path: str) -> None:
    """A path that names nothing is 404; one that is not a path at all may be 400."""
    response = anon.get(path)
    assert response.status_code in (400, 404), describe(response)


@requirement("request-data/status-code")
def test_root_answers_head_without_a_body(anon: Api) -> None:
    response = anon.request("HEAD", "")
    assert (response.status_code, response.content) == (200, b"")


@requirement("lakou/server-timing")
def test_a_read_says_how_long_each_stage_took(anon: Api) -> None:
    timing = anon.get("Things", top=1).headers.get("Server-Timing", "")
    assert "dur=" in timing, timing
