"""Rows of connectors: one state each, and their last runs."""

from __future__ import annotations

from django.db import models


class Outcome(models.TextChoices):
    """How a run ended. Partial: some of it is in the store, some was refused or could not be fetched."""

    OK = "ok", "réussi"
    PARTIAL = "partial", "partiel"
    FAILED = "failed", "en échec"


class ConnectorState(models.Model):
    """Where a connector stands. `holder` runs it until `leased_until`; `due` is the earliest next scheduled run."""

    name = models.CharField(max_length=80, primary_key=True)
    last_run = models.DateTimeField(null=True)
    last_success = models.DateTimeField(null=True)
    last_count = models.PositiveIntegerField(default=0)
    last_error = models.CharField(max_length=300, blank=True, default="")
    failures = models.PositiveIntegerField(default=0)
    due = models.DateTimeField(null=True)
    holder = models.CharField(max_length=40, blank=True, default="")
    leased_until = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name


class ConnectorRun(models.Model):
    """One run. `count` Observations are in the store after it, whether new or there before."""

    connector = models.ForeignKey(ConnectorState, on_delete=models.CASCADE, related_name="runs")
    started = models.DateTimeField()
    duration_ms = models.PositiveIntegerField()
    outcome = models.CharField(max_length=8, choices=Outcome.choices)
    count = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)
    error = models.CharField(max_length=300, blank=True, default="")

    class Meta:
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"{self.connector_id} {self.started:%Y-%m-%d %H:%M} {self.outcome}"
