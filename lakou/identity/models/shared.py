"""What the processes of a site must agree on for a while: counts of attempts, codes just used (`shared_cache.py`)."""

from __future__ import annotations

from django.db import models


class SharedEntry(models.Model):
    """One value by key, as JSON, until it expires."""

    key = models.CharField(max_length=250, primary_key=True)
    value = models.TextField()
    expires = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.key
