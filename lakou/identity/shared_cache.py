"""Django's cache as a table of the civic database, so that every process of a site counts the same attempts.

It holds little: the counts of the last minutes by which log-ins are slowed down, and the one-time codes just used.
Values are JSON. Django's own database cache stores pickles, which would let whoever can write a row run code.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from django.db import IntegrityError, transaction

FOREVER_S = 10 * 365 * 86_400


class TableCache(BaseCache):
    """A `BaseCache` over `SharedEntry`. Keys are at most 250 characters, values what JSON can say."""

    def __init__(self, location: str, params: dict[str, Any]) -> None:
        super().__init__(params)

    def add(self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        """Store a value where there is none; False where there is one. Of two processes at once, one wins."""
        rows, name = self._rows(), self.make_and_validate_key(key, version=version)
        rows.filter(key=name, expires__lte=_now()).delete()
        try:
            with transaction.atomic():
                rows.create(key=name, value=json.dumps(value), expires=self._until(timeout))
        except IntegrityError:
            return False
        return True

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        """The stored value, or `default` where there is none or it has expired."""
        name = self.make_and_validate_key(key, version=version)
        found = self._rows().filter(key=name, expires__gt=_now()).values_list("value", flat=True).first()
        return default if found is None else json.loads(found)

    def set(self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        """Store a value, and let go of what has expired."""
        rows, name = self._rows(), self.make_and_validate_key(key, version=version)
        rows.filter(expires__lte=_now()).delete()
        rows.update_or_create(key=name, defaults={"value": json.dumps(value), "expires": self._until(timeout)})

    def touch(self, key: str, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        """Give a value another time to live."""
        name = self.make_and_validate_key(key, version=version)
        found = self._rows().filter(key=name, expires__gt=_now())
        return bool(found.update(expires=self._until(timeout)))

    def delete(self, key: str, version: int | None = None) -> bool:
        """Remove a value; whether there was one."""
        removed, _ = self._rows().filter(key=self.make_and_validate_key(key, version=version)).delete()
        return bool(removed)

    def clear(self) -> None:
        """Remove everything."""
        self._rows().all().delete()

    def _until(self, timeout: Any) -> datetime:
        until_s = self.get_backend_timeout(timeout)
        return datetime.fromtimestamp(time.time() + FOREVER_S if until_s is None else until_s, UTC)

    def _rows(self) -> Any:
        from lakou.identity.models import SharedEntry  # the cache is made before the models are loaded

        return SharedEntry.objects


def _now() -> datetime:
    return datetime.now(UTC)
