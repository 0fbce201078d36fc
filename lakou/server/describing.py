"""`/api/openapi.json`: the description of SensorThings with those of the civic API put beside it.

The paths of SensorThings lie below its own root; civic ones name the server's root themselves (OpenAPI 3.1, Path Item).
"""

from __future__ import annotations

from typing import Any

from lakou.sensorthings import openapi
from lakou.territory import openapi as territory

DATA_ROOT = "/sta/v1.1"
CIVIC = (territory,)


def document(base: str) -> dict[str, Any]:
    """The whole description for a service root such as `https://lakou.example/sta/v1.1`."""
    described = openapi.document(base)
    root = [{"url": base.removesuffix(DATA_ROOT)}]
    for part in CIVIC:
        described["paths"] |= {path: {"servers": root, **item} for path, item in part.paths().items()}
        described["components"]["schemas"] |= part.schemas()
    described["tags"] += [{"name": "territory"}]
    return described
