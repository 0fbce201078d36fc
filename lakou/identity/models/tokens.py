"""The rows of tokens: scopes, tokens with what they were given, and the epoch that says that tokens have changed."""

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
    """A credential `lk_<pk>_<secret>`; only its SHA-256 is stored. Revoked tokens stay, for the journal.

    After a rotation the secret before it is valid until `previous_until`, so that a device can be given the new one.
    """

    name = models.CharField(max_length=80, unique=True)
    role = models.CharField(max_length=10, choices=Role.choices)
    sha256 = models.CharField(max_length=64, unique=True)
    previous_sha256 = models.CharField(max_length=64, blank=True, default="")
    previous_until = models.DateTimeField(null=True)
    # None is the organisation that runs the site.
    organisation = models.ForeignKey(
        "identity.Organisation", on_delete=models.PROTECT, null=True, related_name="tokens"
    )
    home = models.ForeignKey(Scope, on_delete=models.PROTECT, related_name="tokens")
    reads = models.ManyToManyField(Scope, related_name="readers", blank=True)
    created = models.DateTimeField()
    expires = models.DateTimeField(null=True)
    revoked = models.DateTimeField(null=True)
    # To the minute at best: a write per request would make every read a write.
    last_used = models.DateTimeField(null=True)
    # The epoch of the last change of this row: readers fetch what lies above the epoch they know.
    epoch = models.BigIntegerField(db_index=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class TokenGrant(models.Model):
    """A Thing or Datastream that a token may add Observations to. A token that has any may write nothing else."""

    class Type(models.TextChoices):
        THING = "Thing", "objet"
        DATASTREAM = "Datastream", "flux"

    token = models.ForeignKey(Token, on_delete=models.CASCADE, related_name="grants")
    entity_type = models.CharField(max_length=10, choices=Type.choices)
    entity_id = models.BigIntegerField()

    class Meta:
        ordering = ("entity_type", "entity_id")
        constraints = (models.UniqueConstraint(fields=("token", "entity_type", "entity_id"), name="granted_once"),)

    def __str__(self) -> str:
        return f"{self.entity_type}({self.entity_id})"


class Epoch(models.Model):
    """One row, raised by one in every transaction that changes a token."""

    value = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.value)
