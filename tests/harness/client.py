"""A thin client of the SensorThings service: options by name, links followed, answers checked on the way.

Query options are keyword arguments without the dollar sign: `api.value("Things", filter="name eq 'a'", top=3)`.
Values are percent-encoded whole, so a filter is written as a person would write it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

import httpx

Entity = dict[str, Any]
ID = "@iot.id"
SELF = "@iot.selfLink"
NEXT = "@iot.nextLink"
COUNT = "@iot.count"
_KEY = re.compile(r"\(([^()]*)\)$")


class Api:
    """One caller of the service. `token` None is an anonymous caller."""

    def __init__(self, base: str, token: str | None = None, timeout_s: float = 30.0) -> None:
        self.base = base
        self.origin = base.partition("/sta/")[0]
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.http = httpx.Client(headers=headers, timeout=timeout_s)

    def url(self, path: str, **options: object) -> str:
        """The absolute URL of `path`, which may be absolute already, with the options encoded."""
        address = path if path.startswith("http") else f"{self.base}/{path}" if path else self.base
        if not options:
            return address
        pairs = [f"${name}={quote(_text(value), safe='')}" for name, value in options.items()]
        return address + ("&" if "?" in address else "?") + "&".join(pairs)

    # ── raw requests: the answer as it is ──

    def get(self, path: str, *, headers: Mapping[str, str] | None = None, **options: object) -> httpx.Response:
        return self.http.get(self.url(path, **options), headers=dict(headers or {}))

    def post(
        self,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | str | None = None,
        **options: object,
    ) -> httpx.Response:
        return self._send("POST", path, body, headers, content, options)

    def patch(
        self,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | str | None = None,
        **options: object,
    ) -> httpx.Response:
        return self._send("PATCH", path, body, headers, content, options)

    def put(
        self,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | str | None = None,
        **options: object,
    ) -> httpx.Response:
        return self._send("PUT", path, body, headers, content, options)

    def json_patch(self, path: str, operations: Any, *, headers: Mapping[str, str] | None = None) -> httpx.Response:
        return self.patch(path, operations, headers={"Content-Type": "application/json-patch+json", **(headers or {})})

    def delete(self, path: str, *, headers: Mapping[str, str] | None = None, **options: object) -> httpx.Response:
        return self.http.delete(self.url(path, **options), headers=dict(headers or {}))

    def request(self, method: str, path: str, *, headers: Mapping[str, str] | None = None) -> httpx.Response:
        return self.http.request(method, self.url(path), headers=dict(headers or {}))

    def _send(
        self,
        method: str,
        path: str,
        body: Any,
        headers: Mapping[str, str] | None,
        content: bytes | str | None,
        options: Mapping[str, object],
    ) -> httpx.Response:
        address = self.url(path, **options)
        sent = {"Content-Type": "application/json", **(headers or {})}
        if content is not None:
            return self.http.request(method, address, content=content, headers=sent)
        return self.http.request(method, address, json=body, headers=sent)

    # ── checked reads ──

    def read(self, path: str, **options: object) -> Any:
        """The decoded JSON answer; fails the test unless it is 200."""
        response = self.http.get(self.url(path, **options))
        assert response.status_code == 200, describe(response)
        return response.json()

    def value(self, path: str, **options: object) -> list[Entity]:
        """The `value` of one page of a collection."""
        page = self.read(path, **options)
        assert isinstance(page.get("value"), list), page
        items: list[Entity] = page["value"]
        return items

    def pages(self, path: str, **options: object) -> list[Entity]:
        """All pages of a collection, following next links; fails when they do not end."""
        found = [self.read(path, **options)]
        while NEXT in found[-1]:
            assert len(found) < 200, "next links do not end"
            found.append(self.read(found[-1][NEXT]))
        return found

    def items(self, path: str, **options: object) -> list[Entity]:
        """All entities of all pages."""
        return [item for page in self.pages(path, **options) for item in page["value"]]

    def names(self, path: str, **options: object) -> list[str]:
        return [str(item["name"]) for item in self.value(path, **options)]

    def ids(self, path: str, **options: object) -> list[Any]:
        return [item[ID] for item in self.value(path, **options)]

    def results(self, path: str, **options: object) -> list[Any]:
        return [item["result"] for item in self.value(path, **options)]

    # ── checked writes ──

    def create(self, path: str, body: Any) -> Entity:
        """Posts an entity and returns it as the service shows it under its Location header."""
        response = self.post(path, body)
        assert response.status_code == 201, describe(response)
        location = response.headers["Location"]
        made: Entity = self.read(location)
        return made

    def change(self, path: str, body: Any) -> Entity:
        """PATCH, then the entity as it is now."""
        response = self.patch(path, body)
        assert response.status_code in (200, 204), describe(response)
        now: Entity = self.read(path)
        return now

    def remove(self, path: str) -> None:
        response = self.delete(path)
        assert response.status_code in (200, 204), describe(response)

    def close(self) -> None:
        self.http.close()


def refused(response: httpx.Response, *statuses: int) -> Entity:
    """Checks an error answer: one of the statuses, a JSON body with code and message, nothing leaked. Returns it."""
    assert response.status_code in (statuses or (400,)), describe(response)
    body = error_of(response)
    assert body.get("code"), describe(response)
    assert body.get("message"), describe(response)
    assert_leaks_nothing(response.text)
    return body


def error_of(response: httpx.Response) -> Entity:
    """The error members of an answer, whether at the top or under `error` (OData's place for them)."""
    body = response.json()
    assert isinstance(body, dict), describe(response)
    inner = body.get("error")
    return inner if isinstance(inner, dict) else body


LEAKS = re.compile(
    r"Traceback \(most recent|File \"|\.py\b|/site-packages/|/home/|/usr/lib|\bsqlite3?\.|apsw\.|psycopg|"
    r"\bSELECT\b.{1,200}\bFROM\b|\bINSERT INTO\b|no such column|syntax error at or near|relation \"",
    re.DOTALL,
)


def assert_leaks_nothing(text: str) -> None:
    """No stack trace, path of the machine, SQL or driver's message."""
    found = LEAKS.search(text)
    assert found is None, f"leaks {found.group(0)!r}: {text[:500]}"


def key(entity: Entity) -> str:
    """The key as it stands in a URL: numbers bare, texts quoted (OData ABNF)."""
    value = entity[ID]
    return "'" + str(value).replace("'", "''") + "'" if isinstance(value, str) else str(value)


def ref(entity: Entity) -> Entity:
    """A link to an existing entity for a request body."""
    return {ID: entity[ID]}


def key_of(link: str) -> str:
    """The key at the end of an entity's URL."""
    found = _KEY.search(link)
    assert found is not None, link
    return found.group(1)


def describe(response: httpx.Response) -> str:
    """Request and answer in one line, for messages."""
    asked = response.request
    return f"{asked.method} {asked.url} -> {response.status_code} {response.text[:800]}"


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def without(entity: Entity, names: Iterable[str]) -> Entity:
    return {name: value for name, value in entity.items() if name not in set(names)}
