"""JSON Patch (RFC 6902) on decoded JSON: all operations or none. Errors are 400 with the operation's pointer."""

from __future__ import annotations

import copy
from typing import Any

from lakou.kernel.errors import BadRequest, Conflict

MAX_OPERATIONS = 1_000
_NEEDS = {
    "add": ("value",), "replace": ("value",), "test": ("value",), "remove": (), "move": ("from",), "copy": ("from",),
}  # fmt: skip


def apply(document: Any, patch: Any) -> Any:
    """The patched copy of a document; raises BadRequest, or Conflict for a failed test (RFC 5789 §2.2)."""
    if not isinstance(patch, list):
        raise _wrong("", "A JSON Patch is an array of operations")
    if len(patch) > MAX_OPERATIONS:
        raise _wrong("", f"A JSON Patch has at most {MAX_OPERATIONS} operations")
    found = copy.deepcopy(document)
    for n, operation in enumerate(patch):
        found = _one(found, operation, f"/{n}")
    return found


def _one(document: Any, operation: Any, place: str) -> Any:
    if not isinstance(operation, dict) or str(operation.get("op")) not in _NEEDS:
        raise _wrong(place + "/op", "An operation is add, remove, replace, move, copy or test")
    name = operation["op"]
    for needed in _NEEDS[name]:
        if needed not in operation:
            raise _wrong(f"{place}/{needed}", f"'{name}' needs '{needed}'")
    path = _path(operation.get("path"), place + "/path")
    match name:
        case "add":
            return _add(document, path, copy.deepcopy(operation["value"]), place)
        case "replace":
            _get(document, path, place)
            return _put(document, path, copy.deepcopy(operation["value"]), place)
        case "remove":
            return _remove(document, path, place)
        case "test":
            if not _equal(_get(document, path, place), operation["value"]):
                raise Conflict("A test of the JSON Patch failed", place=place, code="patch_test")
            return document
    source = _path(operation["from"], place + "/from")
    value = copy.deepcopy(_get(document, source, place))
    if name == "move":
        if path[: len(source)] == source and path != source:
            raise _wrong(place, "A value cannot be moved into itself")
        document = _remove(document, source, place)
    return _add(document, path, value, place)


def _path(text: Any, place: str) -> list[str]:
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise _wrong(place, "A path is a JSON pointer such as /properties/color")
    return [step.replace("~1", "/").replace("~0", "~") for step in text.split("/")[1:]]


def _get(document: Any, path: list[str], place: str) -> Any:
    for step in path:
        if isinstance(document, dict) and step in document:
            document = document[step]
        elif isinstance(document, list):
            document = document[_index(document, step, place, end=False)]
        else:
            raise _wrong(place, f"There is nothing at '{'/'.join(path)[:80]}'")
    return document


def _add(document: Any, path: list[str], value: Any, place: str) -> Any:
    if not path:
        return value
    parent = _get(document, path[:-1], place)
    if isinstance(parent, list):
        parent.insert(_index(parent, path[-1], place, end=True), value)
    elif isinstance(parent, dict):
        parent[path[-1]] = value
    else:
        raise _wrong(place, "Only objects and arrays have members")
    return document


def _put(document: Any, path: list[str], value: Any, place: str) -> Any:
    if not path:
        return value
    parent = _get(document, path[:-1], place)
    parent[_index(parent, path[-1], place, end=False) if isinstance(parent, list) else path[-1]] = value
    return document


def _remove(document: Any, path: list[str], place: str) -> Any:
    if not path:
        return None
    _get(document, path, place)
    parent = _get(document, path[:-1], place)
    del parent[_index(parent, path[-1], place, end=False) if isinstance(parent, list) else path[-1]]
    return document


def _index(array: list[Any], step: str, place: str, *, end: bool) -> int:
    if end and step == "-":
        return len(array)
    if not step.isascii() or not step.isdigit() or len(step) > 9 or (step[0] == "0" and step != "0"):
        raise _wrong(place, f"'{step[:40]}' is not an index")
    found = int(step)
    if found > len(array) - (0 if end else 1):
        raise _wrong(place, f"The array has no index {found}")
    return found


def _equal(a: Any, b: Any) -> bool:
    """JSON equality: true is not 1."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(_equal(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_equal(a[k], b[k]) for k in a)
    return bool(a == b)


def _wrong(place: str, message: str) -> BadRequest:
    return BadRequest(message, place=place or "/", code="json_patch", hint="See RFC 6902.")
