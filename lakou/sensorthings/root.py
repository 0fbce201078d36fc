"""The service root: entity sets and what the service conforms to (18-088 §9.2.1)."""

from __future__ import annotations

from typing import Any

from lakou.sensorthings.model import BY_PLURAL

_REQ = "http://www.opengis.net/spec/iot_sensing/1.1/req/"
_FROST = "https://fraunhoferiosb.github.io/FROST-Server/extensions/"
_INSIDE = "https://github.com/INSIDE-information-systems/SensorThingsAPI/blob/master/"
_TYPES = (
    "thing", "location", "historical-location", "datastream", "sensor", "observed-property", "observation",
    "feature-of-interest",
)  # fmt: skip

CONFORMANCE: tuple[str, ...] = (
    *(f"{_REQ}datamodel/{name}/{part}" for name in _TYPES for part in ("properties", "relations")),
    f"{_REQ}datamodel/entity-control-information/common-control-information",
    f"{_REQ}resource-path/resource-path-to-entities",
    *(
        f"{_REQ}request-data/{name}"
        for name in (
            "status-code", "query-status-code", "order", "expand", "select", "orderby", "top", "skip", "count",
            "filter", "built-in-filter-operations", "built-in-query-functions", "pagination",
        )
    ),
    *(
        f"{_REQ}create-update-delete/{name}"
        for name in (
            "create-entity", "link-to-existing-entities", "deep-insert", "deep-insert-status-code", "update-entity",
            "update-entity-put", "update-entity-jsonpatch", "delete-entity", "historical-location-auto-creation",
            "historical-location-manual-creation",
        )
    ),
    f"{_REQ}batch-request/batch-request",
    f"{_REQ}multi-datastream/properties",
    f"{_REQ}multi-datastream/relations",
    f"{_REQ}multi-datastream/constraints",
    f"{_REQ}data-array/data-array",
    *(
        f"{_FROST}{name}.html"
        for name in (
            "DeepSelect", "FilteredDelete", "GeoJSON-ResultFormat", "JsonBatchRequest", "OpenAPI", "ResponseMetadata",
            "SelectDistinct",
        )
    ),
    f"{_INSIDE}CSV-ResultFormat/CSV-ResultFormat.md",
    f"{_INSIDE}EntityLinking/Linking.md",
)  # fmt: skip


def root(base: str, openapi: str) -> dict[str, Any]:
    """The root document; `base` is the service root without a final slash."""
    return {
        "value": [{"name": plural, "url": f"{base}/{plural}"} for plural in BY_PLURAL],
        "serverSettings": {
            "conformance": list(CONFORMANCE),
            f"{_FROST}OpenAPI.html": {"endpoint": openapi},
        },
    }
