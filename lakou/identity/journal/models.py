"""Rows of the journal and its head. Triggers of the migration refuse to change or remove a row (trust R9).

Every column is a whole number or a text that both databases give back as it was written: the hash depends on it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.db import models

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class JournalRow(models.Model):
    """One act. `at_us` in µs since 1970 UTC; `organisation` 0 for none; `detail` is a JSON object as text."""

    seq = models.BigIntegerField(primary_key=True)
    at_us = models.BigIntegerField(db_index=True)
    act = models.CharField(max_length=40, db_index=True)
    outcome = models.CharField(max_length=7)
    actor_kind = models.CharField(max_length=10)
    actor_id = models.BigIntegerField()
    actor_name = models.CharField(max_length=160)
    organisation = models.BigIntegerField()
    subject = models.CharField(max_length=200)
    address = models.CharField(max_length=45)
    detail = models.TextField()
    hash = models.CharField(max_length=64)

    class Meta:
        ordering = ("seq",)

    def __str__(self) -> str:
        return f"{self.seq} {self.act} {self.subject}"

    @property
    def at(self) -> datetime:
        """The instant of the act, in UTC."""
        return EPOCH + timedelta(microseconds=self.at_us)


class JournalHead(models.Model):
    """One row: how many rows the journal has and the hash of the last, so that a cut tail is found."""

    count = models.BigIntegerField()
    hash = models.CharField(max_length=64)

    class Meta:
        constraints = (models.CheckConstraint(condition=models.Q(id=1), name="journal_has_one_head"),)

    def __str__(self) -> str:
        return f"{self.count}:{self.hash}"
