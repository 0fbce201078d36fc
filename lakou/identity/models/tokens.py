"""The rows of tokens: scopes, tokens, and the epoch that says that tokens have changed."""

from __future__ import annotations

from django.db import models


class Role(models.TextChoices):
    """What a token may do: a device writes what it owns, an agent writes, an admin sees everything."""

    DEVICE = "device", "appareil"
    AGENT = "agent", "agent"
    ADMIN = "admin", "administrateur"


class Scope(models.Model):
    """A circle of visibility. Its number stands on every entity row of the observation store."""

    title = models.CharField(max_length=120)

    def __str__(self) -> str:
        return f"{self.pk} {self.title}"


class Token(models.Model):
    """A credential `lk_<pk>_<secret>`; only its SHA-256 is stored. Revoked tokens stay, for the journal."""

    name = models.CharField(max_length=80, unique=True)
    role = models.CharField(max_length=10, choices=Role.choices)
    sha256 = models.CharField(max_length=64, unique=True)
    home = models.ForeignKey(Scope, on_delete=models.PROTECT, related_name="tokens")
    reads = models.ManyToManyField(Scope, related_name="readers", blank=True)
    created = models.DateTimeField()
    revoked = models.DateTimeField(null=True)
    # To the minute at best: a write per request would make every read a write.
    last_used = models.DateTimeField(null=True)
    # The epoch of the last change of this row: readers fetch what lies above the epoch they know.
    epoch = models.BigIntegerField(db_index=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Epoch(models.Model):
    """One row, raised by one in every transaction that changes a token."""

    value = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.value)
