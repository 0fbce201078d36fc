"""The Django app of tokens and scopes."""

from django.apps import AppConfig


class IdentityConfig(AppConfig):
    name = "lakou.identity"
    label = "identity"
    verbose_name = "Identité"
    default_auto_field = "django.db.models.BigAutoField"
