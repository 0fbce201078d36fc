"""Log lines: one event a line on standard error, as text for people or as JSON for machines (trust R17).

Instants are UTC. A line carries the name of the request that it belongs to. No input can forge a line or steer a
terminal: control characters are written escaped, and the lines of a traceback are marked as its own. What looks like a
token or a credential is masked, wherever it stands; the local variables of a traceback are not shown at all.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from lakou.server import requestid
from lakou.server.config import Config

MASK = "•••"
# A token of ours; the value of a scheme of authentication; a password within a URL.
_SECRETS = (
    (re.compile(r"\blk_\d{1,19}_[0-9A-Za-z]+"), f"lk_{MASK}"),
    (re.compile(r"\b(bearer|basic|digest)(\s+|%20|\+)[^\s\"',;&]+", re.IGNORECASE), rf"\1 {MASK}"),
    # What opens an account, within the path of a page.
    (re.compile(r"(/(?:invitation|mot-de-passe/nouveau)/)[\w-]{20,}"), rf"\1{MASK}"),
    (re.compile(r"(://[^/\s:@]*:)[^/\s@]+@"), rf"\1{MASK}@"),
)
# C0 and C1 controls, line and paragraph separators, and the marks that turn the direction of writing around.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_TRACE_MARK = "    | "

Event = MutableMapping[str, Any]


def set_up(config: Config) -> None:
    """Send what Lakou and the libraries log to standard error in the configured form."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_request,
    ]
    if config.log_format == "json":
        last: list[Any] = [structlog.processors.format_exc_info, masked, structlog.processors.JSONRenderer(default=str)]
    else:
        last = [
            structlog.processors.format_exc_info,
            masked,
            one_line,
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback, pad_event_to=0
            ),
        ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(config.log_level.upper())
    # A line per HTTP request or SQL statement of a library says nothing to an operator.
    for noisy in ("httpx", "httpcore", "asyncio", "django.request", "django.security.DisallowedHost"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    for chatty in ("uvicorn", "uvicorn.error"):
        logging.getLogger(chatty).setLevel(logging.WARNING if config.log_level != "debug" else logging.DEBUG)


def add_request(logger: Any, method: str, event: Event) -> Event:
    """Name the request, where the line belongs to one."""
    found = requestid.current.get()
    if found is not None:
        event["request"] = found.decode("ascii")
    return event


def masked(logger: Any, method: str, event: Event) -> Event:
    """Take secrets out of every text of the event, however deep."""
    return {key: _masked(value) for key, value in event.items()}


def _masked(value: Any) -> Any:
    match value:
        case str():
            for pattern, shown in _SECRETS:
                value = pattern.sub(shown, value)
            return value
        case dict():
            return {_masked(key): _masked(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_masked(inner) for inner in value]
        case bool() | int() | float() | None:
            return value
    return _masked(str(value))


def one_line(logger: Any, method: str, event: Event) -> Event:
    """Escape what could begin a line of its own or move the cursor of a terminal (ASVS 16.4.1)."""
    trace = event.pop("exception", None)
    out = {key: _escaped(value) for key, value in event.items()}
    if trace is not None:
        out["exception"] = "\n".join(_TRACE_MARK + _escaped(line) for line in str(trace).split("\n"))
    return out


def _escaped(value: Any) -> Any:
    if not isinstance(value, str):
        value = str(value) if isinstance(value, list | dict) else value
    if isinstance(value, str):
        return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", value)
    return value
