"""Ways in that are handed over: invitations and printed break-glass codes. Only their SHA-256 is stored.

Both are random texts of 128 bits or more, so a slow hash would add nothing (trust R7).
"""

from __future__ import annotations

from django.db import models

from lakou.identity.models.people import Organisation, Person, PersonRole


class Invitation(models.Model):
    """A link that works once, for a few days: to join an organisation with a role, or to set a new password.

    With `person` it is for a new password and has neither organisation nor role.
    """

    email = models.EmailField(max_length=254)
    person = models.ForeignKey(Person, on_delete=models.CASCADE, null=True, related_name="password_links")
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, null=True, related_name="invitations")
    territory = models.CharField(max_length=60, blank=True)
    role = models.CharField(max_length=20, choices=PersonRole.choices, blank=True)
    sha256 = models.CharField(max_length=64, unique=True)
    invited_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+")
    created = models.DateTimeField()
    expires = models.DateTimeField()
    used = models.DateTimeField(null=True)
    withdrawn = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-created",)

    def __str__(self) -> str:
        return f"{self.email} ({self.created:%Y-%m-%d})"


class BreakGlassCode(models.Model):
    """One printed code of a person's sheet. `failures` counts wrong passwords given with the right code."""

    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="break_glass_codes")
    number = models.PositiveSmallIntegerField()
    sha256 = models.CharField(max_length=64, unique=True)
    printed = models.DateTimeField()
    used = models.DateTimeField(null=True)
    withdrawn = models.DateTimeField(null=True)
    failures = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ("-printed", "number")

    def __str__(self) -> str:
        return f"{self.number} of {self.person_id}"
