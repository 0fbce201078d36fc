"""Log lines: one event a line on standard error, as text for people or as JSON for machines (trust R17).

Instants are UTC. Values are written escaped, so that no input can forge a line; no token is ever logged.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

from lakou.server.config import Config


def set_up(config: Config) -> None:
    """Send what Lakou and the libraries log to standard error in the configured form."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if config.log_format == "json":
        last: list[Any] = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        last = [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
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
