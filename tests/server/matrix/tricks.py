"""Other words for an address, and headers by which somebody might pass for somebody else, or one method for another."""

from __future__ import annotations

from collections.abc import Iterator

from tests.server.matrix.site import DATA

PROTECTED = (
    ("anonymous", "/metrics", "lakou_requests_total"),
    ("device", "/metrics", "lakou_requests_total"),
    ("citizen", "/administration/jetons/", "spare-"),
    ("device", "/administration/jetons/", "spare-"),
    ("foreign", "/administration/journal/", "/administration/journal/export/"),
    ("citizen", "/administration/personnes/", "member@example.org"),
    ("anonymous", "/compte/", "admin"),
    ("anonymous", f"{DATA}Things({{restricted}})", '"note"'),
    ("other", f"{DATA}Datastreams({{restricted}})/Observations", "2026-01-02T00:00:00Z"),
    ("agent", f"{DATA}Observations({{restricted}})/validTime", "2026-01-02T00:00:00Z"),
)
"""Who may not, an address, and what stands there for who may."""


def paths_like(path: str) -> Iterator[str]:
    """The same address in other words: slashes, dots, encodings, letters, parameters, forms of the target."""
    head, last = path.rstrip("/").rsplit("/", 1)
    end = "/" if path.endswith("/") else ""
    encoded = "".join(f"%{ord(letter):02x}" for letter in last)
    yield from (f"/{path}", f"{head}//{last}{end}", f"{head}/./{last}{end}", f"{head}/x/../{last}{end}", f"{path}/")
    yield from (f"{head}/%2e/{last}{end}", f"{head}/x/%2e%2e/{last}{end}", f"{head}/x/..%2f{last}{end}", f"{path}.")
    yield from (f"{head}%2f{last}{end}", f"{head}/{encoded}{end}", f"{head}/%25{encoded[1:3]}{last[1:]}{end}")
    yield from (f"{head}/{encoded[:3]}{last[1:]}{end}", path.upper(), path.title(), f"{path};a=b", f"{path}%00")
    yield from (f"{head};a=b/{last}{end}", f"{head}/..;/{last}{end}", f"{path}%20", f"{path}%0a", f"{path}%0d%0aX: y")
    yield from (f"{path}?x", f"{path}?format=json", f"{path}.json", f"{path}/index.html", f"{path}#/static/")
    yield from (f"{head}\\{last}{end}", f"{head}/%5c{last}{end}", f"{head}/%c0%ae/{last}{end}", f"{path}?%2e%2e/")
    for public in ("/static/", "/static/%2e%2e/", "/live/", "/healthz/", "/lieux/", DATA, f"{DATA}%2e%2e/"):
        yield from (f"{public}..{path}", f"{public}..;{path}", f"{public}%2e%2e{path}", f"{public[:-1]}{path}")
    yield from (f"http://x{path}", f"https://admin@x{path}", f"//x{path}", f"http://127.0.0.1{path}", path[1:])


_METHODS = ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override")
_ADDRESSES = ("X-Forwarded-For", "X-Real-IP", "X-Client-IP", "True-Client-IP", "CF-Connecting-IP")
_NAMES = ("X-Forwarded-User", "Remote-User", "X-Remote-User", "REMOTE_USER", "X-User", "X-Authenticated-User")
_TARGETS = ("X-Original-URL", "X-Rewrite-URL", "X-Accel-Redirect", "X-Sendfile", "X-Forwarded-Uri")
HEADERS: tuple[dict[str, str], ...] = (
    *({name: method} for method in ("GET", "HEAD", "OPTIONS", "DELETE") for name in _METHODS),
    *({name: "127.0.0.1"} for name in _ADDRESSES),
    *({name: "administrator@example.org"} for name in _NAMES),
    *({name: "/healthz"} for name in _TARGETS),
    *({name: host} for name in ("X-Forwarded-Host", "Host") for host in ("localhost", "127.0.0.1", "example.org")),
    {"Forwarded": "for=127.0.0.1;host=localhost;proto=https"},
    {"X-Forwarded-Proto": "https"},
    {"X-Forwarded-Prefix": "/static"},
    {"X-Forwarded-Port": "1883"},
    {"X-Script-Name": "/static"},
    {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": "x", "Sec-WebSocket-Version": "13"},
    {"Referer": "http://x/administration/jetons/"},
    {"X-Authorization": "Bearer {admin}"},
    {"Proxy-Authorization": "Bearer {admin}"},
    {"X-Token": "{admin}"},
    {"X-CSRFToken": "{admin}"},
)
"""Fields that some product believes; `{admin}` is a token that may do everything, where none belongs."""
DELETING: tuple[dict[str, str], ...] = tuple({name: "DELETE"} for name in _METHODS)
REFUSALS = frozenset({301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 421})
