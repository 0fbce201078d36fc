"""The requirement ids that the suite answers for, and the mark that ties a test to one.

`STANDARD` lists those of OGC 18-088 (without the prefix http://www.opengis.net/spec/iot_sensing/1.1/req/),
`EXTENSIONS` the de-facto ones that clients look for, `OURS` what this service adds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import pytest

PREFIX = "http://www.opengis.net/spec/iot_sensing/1.1/req/"
FROST = "https://fraunhoferiosb.github.io/FROST-Server/extensions/"

_ENTITIES = (
    "thing",
    "location",
    "historical-location",
    "datastream",
    "sensor",
    "observed-property",
    "observation",
    "feature-of-interest",
)

STANDARD: tuple[str, ...] = (
    *(f"datamodel/{entity}/{part}" for entity in _ENTITIES for part in ("properties", "relations")),
    "datamodel/entity-control-information/common-control-information",
    "resource-path/resource-path-to-entities",
    *(
        f"request-data/{name}"
        for name in (
            "status-code",
            "query-status-code",
            "order",
            "expand",
            "select",
            "orderby",
            "top",
            "skip",
            "count",
            "filter",
            "built-in-filter-operations",
            "built-in-query-functions",
            "pagination",
        )
    ),
    *(
        f"create-update-delete/{name}"
        for name in (
            "create-entity",
            "link-to-existing-entities",
            "deep-insert",
            "deep-insert-status-code",
            "update-entity",
            "update-entity-put",
            "update-entity-jsonpatch",
            "delete-entity",
            "historical-location-auto-creation",
            "historical-location-manual-creation",
        )
    ),
    "batch-request/batch-request",
    *(f"multi-datastream/{name}" for name in ("properties", "relations", "constraints")),
    "data-array/data-array",
    "create-observations-via-mqtt/observations-creation",
    "receive-updates-via-mqtt/receive-updates",
)

EXTENSIONS: tuple[str, ...] = (
    "extension/csv",
    "extension/geojson",
    "extension/deep-select",
    "extension/select-distinct",
    "extension/in",
    "extension/any",
    "extension/interval-relations",
    "extension/filtered-delete",
    "extension/entity-linking",
    "extension/response-metadata",
    "extension/json-batch",
)

OURS: tuple[str, ...] = (
    "lakou/apply",
    "lakou/count-modes",
    "lakou/bulk-ndjson",
    "lakou/etag",
    "lakou/server-timing",
    "lakou/openapi",
    "lakou/errors",
    "lakou/limits",
    "lakou/replay",
    "lakou/rights",
)

ALL = STANDARD + EXTENSIONS + OURS

_Test = TypeVar("_Test", bound=Callable[..., Any])


def requirement(*ids: str) -> Callable[[_Test], _Test]:
    """Marks a test (or a class of tests) with the requirements it checks; an unknown id fails at import."""
    for name in ids:
        if name not in ALL:
            raise ValueError(f"unknown requirement id {name!r}")

    def mark(test: _Test) -> _Test:
        for name in ids:
            test = pytest.mark.requirement(name)(test)
        return test

    return mark
