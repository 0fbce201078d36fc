"""The service root: entity sets and what the service conforms to (18-088 §9.2.1)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

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


MQTT: tuple[str, ...] = (
    f"{_REQ}create-observations-via-mqtt/observations-creation",
    f"{_REQ}receive-updates-via-mqtt/receive-updates",
)
_MQTT_EXTENSIONS = (f"{_FROST}MqttExpand.html", f"{_FROST}MqttFilter.html")


def root(base: str, openapi: str, mqtt_port: int | None = None) -> dict[str, Any]:
    """The root document; `base` is the service root without a final slash. MQTT is announced where it is open."""
    settings: dict[str, Any] = {
        "conformance": list(CONFORMANCE),
        f"{_FROST}OpenAPI.html": {"endpoint": openapi},
    }
    if mqtt_port is not None:
        settings["conformance"] += [*MQTT, *_MQTT_EXTENSIONS]
        settings |= {name: {"endpoints": mqtt_endpoints(base, mqtt_port)} for name in MQTT}
    return {"value": [{"name": plural, "url": f"{base}/{plural}"} for plural in BY_PLURAL], "serverSettings": settings}


def mqtt_endpoints(base: str, port: int) -> list[str]:
    """The addresses of MQTT on the host of a service root: TCP, and WebSocket beside HTTP."""
    address = urlsplit(base)
    host = f"[{address.hostname}]" if ":" in (address.hostname or "") else address.hostname
    scheme = "wss" if address.scheme == "https" else "ws"
    return [f"mqtt://{host}:{port}", f"{scheme}://{address.netloc}/mqtt"]
