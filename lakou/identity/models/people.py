"""People, organisations, and the roles that people hold in them. A role is granted and ended; it is deleted only
with a person who is erased (`actions/personal_data.py`).

To be a member of an organisation is to hold an active role in it: there is no second table that could disagree.
"""

from __future__ import annotations

from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models import Q

from lakou.identity.models.tokens import Scope


class PersonRole(models.TextChoices):
    """What a person is in an organisation, from the least to the most; `policy/rules.py` says what each may do."""

    CITIZEN = "citizen", "habitant"
    OBSERVER = "observer", "observateur"
    DEVICE_OWNER = "device_owner", "propriétaire d’appareils"
    DATA_STEWARD = "data_steward", "responsable des données"
    DUTY_OFFICER = "duty_officer", "agent d’astreinte"
    APPROVER = "approver", "approbateur des alertes"
    ADMINISTRATOR = "administrator", "administrateur"


class OrganisationKind(models.TextChoices):
    """The kinds of organisation that share a territory."""

    COMMUNE = "commune", "commune"
    EPCI = "epci", "EPCI"
    CTM = "ctm", "collectivité territoriale"
    STATE_SERVICE = "state_service", "service de l’État"
    ASSOCIATION = "association", "association"
    COMPANY = "company", "entreprise"


class PersonManager(BaseUserManager["Person"]):
    """Looks people up by e-mail address, whatever its case."""

    def get_by_natural_key(self, username: str | None) -> Person:
        return self.get(email=(username or "").lower())


class Person(AbstractBaseUser):
    """Somebody who may log in. The e-mail address is the login and is kept in lower case."""

    email = models.EmailField("adresse e-mail", max_length=254, unique=True)
    name = models.CharField("nom", max_length=120, blank=True)
    is_active = models.BooleanField(default=True)
    joined = models.DateTimeField()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects = PersonManager()

    class Meta:
        ordering = ("name", "email")
        verbose_name = "personne"

    def __str__(self) -> str:
        return self.name or self.email


class Organisation(models.Model):
    """A commune, an EPCI, … `territory` is the key of a territory's profile; `scope` what is restricted to it.

    The host is the organisation that runs this site: its administrators look after all the others.
    """

    name = models.CharField("nom", max_length=120, unique=True)
    kind = models.CharField("sorte", max_length=20, choices=OrganisationKind.choices)
    siret = models.CharField("SIRET", max_length=14, blank=True)
    territory = models.CharField("territoire", max_length=60, blank=True)
    scope = models.OneToOneField(Scope, on_delete=models.PROTECT, related_name="organisation")
    is_host = models.BooleanField(default=False)
    created = models.DateTimeField()

    class Meta:
        ordering = ("name",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["siret"], condition=~Q(siret=""), name="organisation_siret_once"),
            models.UniqueConstraint(fields=["is_host"], condition=Q(is_host=True), name="organisation_one_host"),
        ]

    def __str__(self) -> str:
        return self.name


class RoleGrant(models.Model):
    """A role of a person in an organisation, on a territory ("" is all of the organisation's), from when to when.

    `granted_by` and `ended_by` are None for the command line, and for who has been erased since.
    """

    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="grants")
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="grants")
    territory = models.CharField("territoire", max_length=60, blank=True)
    role = models.CharField("rôle", max_length=20, choices=PersonRole.choices)
    granted_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+")
    granted_at = models.DateTimeField()
    ended_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+")
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("organisation__name", "role", "granted_at")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["person", "organisation", "territory", "role"],
                condition=Q(ended_at__isnull=True),
                name="role_grant_once_while_active",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person}: {self.get_role_display()}, {self.organisation}"
